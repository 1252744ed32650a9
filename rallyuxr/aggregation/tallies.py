"""Count orders: the tally of a set of orders, and the sum of tallies of disjoint sets.

Exactness rests on one law: for disjoint A and B, tally(A ∪ B) = tally(A) + tally(B). Whole numbers and sets, no
rounding.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from rallyuxr.models.aggregate import ArmTally, Pair, Tally, Visited
from rallyuxr.models.currency import to_minor
from rallyuxr.models.order import Arm, Order
from rallyuxr.models.visits import VisitCount

_VISITED = tuple(Visited.model_fields)
_SUMS = ("orders", "items", "gross", "discounts", "refunds", "shipping", "tax", *_VISITED)
_PAIRS = ("channels", "products", "customers")


def tally_orders(orders: Iterable[Order], newcomers: Collection[str] = ()) -> Tally:
    """Count and sum orders of one currency.

    Args:
        orders: each order once.
        newcomers: customers whose first order with the merchant is among these orders.

    >>> tea = {"sku": "tea", "quantity": 2, "unit_price": "4.50"}
    >>> order = Order(
    ...     merchant_id="m", order_id="1", time="2025-01-15", customer_id="ann", currency="USD", items=[tea]
    ... )
    >>> tally_orders([order], newcomers={"ann"}).products
    {'tea': (2, 900)}
    """
    known = tuple(orders)
    counted = [order for order in known if order.status != "cancelled"]
    currency = known[0].currency if known else "USD"
    return Tally(
        orders=len(counted),
        items=sum(_quantity(order) for order in counted),
        gross=sum(to_minor(order.gross, currency) for order in counted),
        discounts=sum(to_minor(order.discount, currency) for order in counted),
        refunds=sum(to_minor(order.refunds, currency) for order in counted),
        shipping=sum(to_minor(order.shipping, currency) for order in counted),
        tax=sum(to_minor(order.tax, currency) for order in counted),
        statuses=_sorted(Counter(order.status for order in known)),
        channels=_pairs((order.channel, (1, to_minor(order.net, currency))) for order in counted),
        products=_pairs(
            (item.sku, (item.quantity, to_minor(item.amount, currency)))
            for order in counted
            for item in order.items
        ),
        customers=_pairs((order.customer_id, (1, to_minor(order.net, currency))) for order in counted),
        newcomers=tuple(sorted({order.customer_id for order in known}.intersection(newcomers))),
        arms=_arms(counted, currency),
    )


def count_visits(tally: Tally, counts: Iterable[VisitCount]) -> Tally:
    """One hour's tally with the hour's visits beside its orders; each count of another arm.

    >>> from datetime import UTC, datetime
    >>> hour = datetime(2025, 1, 15, 14, tzinfo=UTC)
    >>> counted = count_visits(Tally(orders=2), [VisitCount(hour=hour, visits=50)])
    >>> counted.visits, counted.visit_hours, counted.visit_orders
    (50, 1, 2)
    """
    known = tuple(counts)
    whole = [_visited(tally, count.visits) for count in known if count.arm is None]
    arms = {(name, arm): part for name, parts in tally.arms.items() for arm, part in parts.items()}
    for count in known:
        if count.experiment_id is not None and count.arm is not None:
            key = (count.experiment_id, count.arm)
            part = arms.get(key, ArmTally())
            arms[key] = part.model_copy(update=_visited(part, count.visits))
    return tally.model_copy(update={**(whole[0] if whole else {}), "arms": _nested(arms)})


def add_tallies(tallies: Iterable[Tally]) -> Tally:
    """The tally of the union of disjoint sets of orders.

    >>> morning, noon = Tally(orders=1, customers={"ann": (1, 5)}), Tally(orders=2, customers={"ann": (2, 7)})
    >>> add_tallies([morning, noon]).customers
    {'ann': (3, 12)}
    """
    parts = tuple(tallies)
    statuses: Counter[str] = Counter()
    for part in parts:
        statuses.update(part.statuses)
    return Tally(
        **{name: sum(getattr(part, name) for part in parts) for name in _SUMS},
        **{name: _pairs(row for part in parts for row in getattr(part, name).items()) for name in _PAIRS},
        statuses=_sorted(statuses),
        newcomers=tuple(sorted({customer for part in parts for customer in part.newcomers})),
        arms=_add_arms(part.arms for part in parts),
    )


def _arms(orders: Iterable[Order], currency: str) -> dict[str, dict[Arm, ArmTally]]:
    groups: dict[tuple[str, Arm], list[Order]] = {}
    for order in orders:
        if order.experiment_id is not None and order.arm is not None:
            groups.setdefault((order.experiment_id, order.arm), []).append(order)
    return _nested({key: _arm(group, currency) for key, group in groups.items()})


def _arm(orders: Collection[Order], currency: str) -> ArmTally:
    net = [to_minor(order.net, currency) for order in orders]
    return ArmTally(
        orders=len(net),
        items=sum(_quantity(order) for order in orders),
        net=sum(net),
        net_squares=sum(value * value for value in net),
        customers=_pairs((order.customer_id, (1, value)) for order, value in zip(orders, net, strict=True)),
    )


def _add_arms(parts: Iterable[Mapping[str, Mapping[Arm, ArmTally]]]) -> dict[str, dict[Arm, ArmTally]]:
    groups: dict[tuple[str, Arm], list[ArmTally]] = {}
    for part in parts:
        for experiment_id, arms in part.items():
            for arm, tally in arms.items():
                groups.setdefault((experiment_id, arm), []).append(tally)
    return _nested({key: add_arm_tallies(group) for key, group in groups.items()})


def add_arm_tallies(tallies: Collection[ArmTally]) -> ArmTally:
    """The tally of the union of disjoint sets of an arm's orders."""
    return ArmTally(
        orders=sum(part.orders for part in tallies),
        items=sum(part.items for part in tallies),
        **{name: sum(getattr(part, name) for part in tallies) for name in _VISITED},
        net=sum(part.net for part in tallies),
        net_squares=sum(part.net_squares for part in tallies),
        customers=_pairs(row for part in tallies for row in part.customers.items()),
    )


def _visited(part: Tally | ArmTally, visits: int) -> dict[str, int]:
    return {"visits": visits, "visit_hours": 1, "visit_orders": part.orders}


def _nested(arms: Mapping[tuple[str, Arm], ArmTally]) -> dict[str, dict[Arm, ArmTally]]:
    nested: dict[str, dict[Arm, ArmTally]] = {}
    for experiment_id, arm in sorted(arms):
        nested.setdefault(experiment_id, {})[arm] = arms[experiment_id, arm]
    return nested


def _quantity(order: Order) -> int:
    return sum(item.quantity for item in order.items)


def _pairs(rows: Iterable[tuple[str, Pair]]) -> dict[str, Pair]:
    sums: dict[str, Pair] = {}
    for key, (count, amount) in rows:
        counted, summed = sums.get(key, (0, 0))
        sums[key] = (counted + count, summed + amount)
    return _sorted(sums)


def _sorted(counts: Mapping[str, Pair] | Mapping[str, int]) -> dict:  # type: ignore[type-arg]
    """By key, so that equal tallies are written as equal bytes."""
    return dict(sorted(counts.items()))
