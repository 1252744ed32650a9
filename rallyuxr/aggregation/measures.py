"""What can be asked of aggregates: measures of a row, and their totals over rows."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from rallyuxr.models.aggregate import Aggregate, AnalyticsRow, ChannelTotal, ProductTotal, Ratio

_SUMS = (
    "orders",
    "items",
    "gross",
    "discounts",
    "refunds",
    "net",
    "shipping",
    "tax",
    "new_customers",
    "visit_hours",
    "visit_orders",
)
_OF_ROW: Mapping[str, Callable[[Aggregate], Any]] = {
    "average_order_value": lambda row: _ratio(row.net, row.orders),
    "items_per_order": lambda row: _ratio(Decimal(row.items), row.orders),
    "visits": lambda row: row.visits if row.visit_hours else None,
    "conversion": lambda row: _conversion([row]),
}
_OF_RANGE: Mapping[str, Callable[[Sequence[Aggregate]], Any]] = {
    **{name: lambda rows, name=name: sum(getattr(row, name) for row in rows) for name in _SUMS},  # type: ignore[misc]
    "average_order_value": lambda rows: _ratio(_sum(row.net for row in rows), sum(row.orders for row in rows)),
    "items_per_order": lambda rows: _ratio(
        _sum(Decimal(row.items) for row in rows), sum(row.orders for row in rows)
    ),
    "visits": lambda rows: sum(row.visits for row in rows) if any(row.visit_hours for row in rows) else None,
    "conversion": lambda rows: _conversion(rows),
    "statuses": lambda rows: _add_counts(row.statuses for row in rows),
    "channels": lambda rows: _add_channels(row.channels for row in rows),
    "products": lambda rows: _add_products(row.products for row in rows),
}
MEASURES: tuple[str, ...] = tuple(name for name in AnalyticsRow.model_fields if name not in ("start", "end"))


def measure_row(row: Aggregate, measures: Collection[str] = MEASURES) -> AnalyticsRow:
    """The chosen measures of one row."""
    chosen = {name: _OF_ROW[name](row) if name in _OF_ROW else getattr(row, name) for name in measures}
    return AnalyticsRow(start=row.start, end=row.end, **chosen)


def measure_range(
    rows: Iterable[Aggregate], start: datetime, end: datetime, measures: Collection[str] = MEASURES
) -> AnalyticsRow:
    """The chosen measures of all rows together, as far as they add up.

    Distinct customers and arms are left out. `products` adds the rows' lists, which name the best sold only.
    """
    known = tuple(rows)
    chosen = {name: _OF_RANGE[name](known) for name in measures if name in _OF_RANGE}
    return AnalyticsRow(start=start, end=end, **chosen)


def _ratio(numerator: Decimal, denominator: int) -> Ratio:
    return Ratio(
        numerator=numerator, denominator=denominator, value=float(numerator / denominator) if denominator else None
    )


def _conversion(rows: Sequence[Aggregate]) -> Ratio | None:
    """Orders per visit in the hours whose visits were counted; None where none were."""
    if not any(row.visit_hours for row in rows):
        return None
    return _ratio(Decimal(sum(row.visit_orders for row in rows)), sum(row.visits for row in rows))


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _add_counts(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            total[name] = total.get(name, 0) + count
    return total


def _add_channels(channels: Iterable[Mapping[str, ChannelTotal]]) -> dict[str, ChannelTotal]:
    total: dict[str, ChannelTotal] = {}
    for each in channels:
        for name, part in each.items():
            before = total.get(name, ChannelTotal(orders=0, net=Decimal(0)))
            total[name] = ChannelTotal(orders=before.orders + part.orders, net=before.net + part.net)
    return total


def _add_products(products: Iterable[Sequence[ProductTotal]]) -> tuple[ProductTotal, ...]:
    total: dict[str, ProductTotal] = {}
    for part in (part for each in products for part in each):
        before = total.get(part.sku, ProductTotal(sku=part.sku, quantity=0, gross=Decimal(0)))
        total[part.sku] = ProductTotal(
            sku=part.sku, quantity=before.quantity + part.quantity, gross=before.gross + part.gross
        )
    return tuple(sorted(total.values(), key=lambda part: (-part.gross, part.sku)))
