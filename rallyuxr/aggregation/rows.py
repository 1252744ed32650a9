"""From tallies to the rows people read, and back to totals over rows."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from rallyuxr.aggregation.tallies import add_tallies
from rallyuxr.models.aggregate import Aggregate, ArmMoments, ArmTally, ChannelTotal, ProductTotal, Tally, Visited
from rallyuxr.models.currency import from_minor
from rallyuxr.models.order import Merchant

TOP_PRODUCTS = 50


def hour_rows(merchant: Merchant, hours: Mapping[datetime, Tally]) -> tuple[Aggregate, ...]:
    """One row per hour with orders or visits, oldest first."""
    return tuple(
        aggregate(hours[start], start, start + timedelta(hours=1), merchant.currency) for start in sorted(hours)
    )


def day_row(merchant: Merchant, day: date, hours: Mapping[datetime, Tally]) -> Aggregate:
    """The merchant's day, from its midnight to the next: 23 or 25 hours when clocks change."""
    tomorrow = day + timedelta(days=1)
    return aggregate(
        add_tallies(hours.values()), merchant.midnight(day), merchant.midnight(tomorrow), merchant.currency
    )


def aggregate(tally: Tally, start: datetime, end: datetime, currency: str) -> Aggregate:
    """The tally as a row: amounts in the currency, customers counted, the best-selling products only.

    >>> from datetime import UTC
    >>> hour = datetime(2025, 1, 15, 14, tzinfo=UTC)
    >>> row = aggregate(Tally(orders=2, gross=1990, discounts=90), hour, hour + timedelta(hours=1), "USD")
    >>> row.net, row.orders
    (Decimal('19.00'), 2)
    """

    def money(units: int) -> Decimal:
        return from_minor(units, currency)

    best = sorted(tally.products.items(), key=lambda product: (-product[1][1], product[0]))[:TOP_PRODUCTS]
    return Aggregate(
        start=start,
        end=end,
        orders=tally.orders,
        items=tally.items,
        gross=money(tally.gross),
        discounts=money(tally.discounts),
        refunds=money(tally.refunds),
        net=money(tally.gross - tally.discounts - tally.refunds),
        shipping=money(tally.shipping),
        tax=money(tally.tax),
        customers=len(tally.customers),
        new_customers=len(tally.newcomers),
        returning_customers=len(tally.customers.keys() - set(tally.newcomers)),
        **_visits(tally),
        statuses=dict(tally.statuses),
        channels={name: ChannelTotal(orders=n, net=money(net)) for name, (n, net) in tally.channels.items()},
        products=tuple(ProductTotal(sku=sku, quantity=n, gross=money(gross)) for sku, (n, gross) in best),
        arms={
            experiment_id: {arm: arm_moments(part, currency) for arm, part in arms.items()}
            for experiment_id, arms in tally.arms.items()
        },
    )


def arm_moments(tally: ArmTally, currency: str) -> ArmMoments:
    """The sums and sums of squares of an arm, by order and by customer."""
    pairs = tally.customers.values()
    return ArmMoments(
        orders=tally.orders,
        items=tally.items,
        customers=len(pairs),
        net=from_minor(tally.net, currency),
        net_squares=from_minor(tally.net_squares, currency, power=2),
        customer_orders_squares=sum(orders * orders for orders, _ in pairs),
        customer_net_squares=from_minor(sum(net * net for _, net in pairs), currency, power=2),
        customer_orders_net=from_minor(sum(orders * net for orders, net in pairs), currency),
        **_visits(tally),
    )


def _visits(tally: Visited) -> dict[str, int]:
    return {name: getattr(tally, name) for name in Visited.model_fields}


def replace_row(rows: Iterable[Aggregate], row: Aggregate) -> tuple[Aggregate, ...]:
    """The rows with this one in place of the row that starts when it does; a row of nothing is left out."""
    others = [other for other in rows if other.start != row.start]
    kept = [*others, row] if row.statuses or row.visit_hours or row.arms else others
    return tuple(sorted(kept, key=lambda each: each.start))
