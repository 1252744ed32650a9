"""Orders: `orders` holds one partition per merchant and day, sorted by time; `orderIndex` says where an order lies.

The claim of an order's id is a partition of its own, so that none grows with the orders; an id is claimed once.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from rallyuxr.errors import Unavailable
from rallyuxr.models.order import Merchant, Order
from rallyuxr.store.attributes import Item, from_attributes
from rallyuxr.store.dynamo import Dynamo, Write, create, put, replace
from rallyuxr.store.faults import ATTEMPTS, pause
from rallyuxr.store.merchant_keys import DayIndex, lone_entry, partition, sortable
from rallyuxr.store.tables import ORDER_INDEX, ORDERS

ORDERS_AT_FIRST = 50
"""One transaction: from it follows whether the others are likely to be known."""
_KEY = ("merchantDay", "orderKey")


def order_from_image(image: Mapping[str, Any]) -> Order:
    """The order in an item of the table's change stream."""
    return _order(from_attributes(image))


class OrderRepository:
    """Access to one deployment's orders; every method names a merchant."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo
        self._days = DayIndex(dynamo, "day")

    def create_orders(self, merchant: Merchant, orders: Sequence[Order]) -> set[str]:
        """Store those orders, each of another id, whose ids are free; return the ids of the others.

        An order and the claim of its id are written together or not at all. Once an id turned out to be taken, the
        others are looked up before: a transaction that fails costs as much as one that does not.
        """
        self._days.note(merchant, (order.time for order in orders))
        taken: set[str] = set()
        for piece in (orders[:ORDERS_AT_FIRST], orders[ORDERS_AT_FIRST:]):
            if taken:
                taken |= self._claims(merchant.merchant_id, [order.order_id for order in piece]).keys()
            free = [order for order in piece if order.order_id not in taken]
            refused = self._dynamo.write_each([_creation(merchant, order) for order in free])
            taken |= {free[place].order_id for place in refused}
        return taken

    def change_orders(
        self, merchant_id: str, order_ids: Collection[str], change: Callable[[Order], Order]
    ) -> dict[str, Order]:
        """Replace each order by what `change` makes of it, over the version that was read; return what was read."""
        before: dict[str, Order] = {}
        pending = list(order_ids)
        for attempt in range(ATTEMPTS):
            items = self._order_items(merchant_id, pending)
            before |= {order_id: _order(item) for order_id, item in items.items()}
            changes = {order_id: change(before[order_id]) for order_id in items}
            changed = [order_id for order_id in items if changes[order_id].state != before[order_id].state]
            beaten = self._dynamo.write_each([[_change(items[each], changes[each])] for each in changed])
            pending = [order_id for order_id in pending if order_id not in items] + [changed[n] for n in beaten]
            if not pending:
                return before
            pause(attempt)
        raise Unavailable(f"{len(pending)} orders are being changed by others; send them again in a moment.")

    def order(self, merchant_id: str, order_id: str) -> Order | None:
        """The merchant's order, or None."""
        item = self._order_items(merchant_id, [order_id]).get(order_id)
        return _order(item) if item else None

    def orders_of_day(
        self, merchant: Merchant, day: date, *, newest_first: bool = False, page_size: int | None = None
    ) -> Iterator[Order]:
        """One day's orders by time, fetched `page_size` at a time."""
        items = self._dynamo.query(
            ORDERS,
            "merchantDay = :day",
            consistent=True,
            newest_first=newest_first,
            page_size=page_size,
            day=partition(merchant.merchant_id, day),
        )
        return map(_order, items)

    def orders_of_hours(self, merchant: Merchant, first: datetime, last: datetime) -> Iterator[Order]:
        """The orders of one day's hours that start from `first` to `last`, by time, read consistently.

        A later hour's first order may be among them, as hours end early where clocks move by half an hour.
        """
        items = self._dynamo.query(
            ORDERS,
            "merchantDay = :day AND orderKey BETWEEN :first AND :last",
            consistent=True,
            day=partition(merchant.merchant_id, merchant.day_of(first)),
            first=sortable(first),
            last=sortable(last + timedelta(hours=1)),
        )
        return map(_order, items)

    def days(
        self, merchant_id: str, first: date = date.min, last: date = date.max, *, newest_first: bool = False
    ) -> Iterator[date]:
        """The days from `first` to `last` on which the merchant may have orders."""
        return self._days.days(merchant_id, first, last, newest_first=newest_first)

    def _order_items(self, merchant_id: str, order_ids: Sequence[str]) -> dict[str, Item]:
        claims = self._claims(merchant_id, order_ids)
        places = {_place(claim): order_id for order_id, claim in claims.items()}
        items = self._dynamo.get_many(ORDERS, [dict(zip(_KEY, place, strict=True)) for place in places])
        return {places[_place(item)]: item for item in items}

    def _claims(self, merchant_id: str, order_ids: Sequence[str]) -> dict[str, Item]:
        """Where those of these orders lie that exist."""
        keys = {order_id: lone_entry(merchant_id, "order", order_id) for order_id in order_ids}
        names = {key["merchantId"]: order_id for order_id, key in keys.items()}
        claims = self._dynamo.get_many(ORDER_INDEX, list(keys.values()))
        return {names[claim["merchantId"]]: claim for claim in claims}


def _creation(merchant: Merchant, order: Order) -> tuple[Write, Write]:
    key = {
        "merchantDay": partition(merchant.merchant_id, merchant.day_of(order.time)),
        "orderKey": f"{sortable(order.time)}#{order.order_id}",
    }
    claim = lone_entry(merchant.merchant_id, "order", order.order_id, **key)
    return put(ORDER_INDEX, claim, "attribute_not_exists(entry)"), create(ORDERS, {**key, **_content(order, 1)})


def _change(item: Item, order: Order) -> Write:
    version = item["version"]
    return replace(ORDERS, {**item, **_content(order, version + 1)}, expected_version=version)


def _content(order: Order, version: int) -> Item:
    return {"body": order.model_dump_json(exclude_none=True), "version": version}


def _place(item: Mapping[str, Any]) -> tuple[str, ...]:
    """The key of an order, from itself or from the claim of its id."""
    return tuple(item[name] for name in _KEY)


def _order(item: Mapping[str, Any]) -> Order:
    return Order.model_validate_json(item["body"])
