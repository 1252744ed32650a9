"""Orders, merchants, and what is known about a merchant's customers and days.

`orders` holds one partition per merchant and day, sorted by time. `orderIndex` holds, per merchant, `order#…`
(where an order lies: an id is taken once), `day#…` (days with orders), `customer#…` (a customer's first order)
and `experiment#…` (experiments that measure this merchant); and under `#merchants` and `#pending`, which no
merchant can be called, the list of merchants and the experiments whose data is behind.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from rallyuxr.errors import Conflict, Unavailable
from rallyuxr.models.base import iso_z
from rallyuxr.models.order import Merchant, Order
from rallyuxr.store.attributes import Item, from_attributes
from rallyuxr.store.dynamo import Dynamo, Write, create, delete, put, replace, update
from rallyuxr.store.faults import ATTEMPTS, ConditionFailed, pause
from rallyuxr.store.tables import ORDER_INDEX, ORDERS

ORDERS_PER_TRANSACTION = 50
MERCHANTS = "#merchants"
PENDING = "#pending"


def order_from_image(image: Mapping[str, Any]) -> Order:
    """The order in an item of the table's change stream."""
    return _order(from_attributes(image))


class OrderRepository:
    """Access to one deployment's orders; every method but the list of merchants names a merchant."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo
        self._known_days: set[tuple[str, date]] = set()

    def add_merchant(self, merchant: Merchant) -> None:
        """Store a new merchant.

        Raises:
            Conflict: the id is taken.
        """
        item = _index(MERCHANTS, merchant.merchant_id, body=merchant.model_dump_json())
        try:
            self._dynamo.write(put(ORDER_INDEX, item, "attribute_not_exists(entry)"))
        except ConditionFailed:
            raise Conflict(f"Merchant {merchant.merchant_id} exists: choose another id.") from None

    def merchant(self, merchant_id: str) -> Merchant | None:
        """The merchant, or None."""
        item = self._dynamo.get(ORDER_INDEX, _index(MERCHANTS, merchant_id))
        return Merchant.model_validate_json(item["body"]) if item else None

    def merchants(self) -> tuple[Merchant, ...]:
        """Every merchant, by id."""
        items = self._dynamo.query(ORDER_INDEX, "merchantId = :list", consistent=True, list=MERCHANTS)
        return tuple(Merchant.model_validate_json(item["body"]) for item in items)

    def create_orders(self, merchant: Merchant, orders: Sequence[Order]) -> tuple[Order, ...]:
        """Store those orders whose ids are free, at most `ORDERS_PER_TRANSACTION`; return the others.

        An order and the claim of its id are written together or not at all.
        """
        self._note_days(merchant, orders)
        pending, taken = list(orders), []
        while pending:
            try:
                self._dynamo.transact([write for order in pending for write in _creation(merchant, order)])
                break
            except ConditionFailed as refusal:
                places = {place // 2 for place in refusal.failed}
                taken += [pending[place] for place in sorted(places)]
                pending = [order for place, order in enumerate(pending) if place not in places]
        return tuple(taken)

    def advance_order(self, event: Order) -> bool:
        """Join an event into the stored order; say whether that changed anything.

        Raises:
            Conflict: the stored order has other content.
        """
        for attempt in range(ATTEMPTS):
            item = self._order_item(event.merchant_id, event.order_id)
            if item is None:
                break
            stored = _order(item)
            joined = stored.joined(event)
            if joined.state == stored.state:
                return False
            version = item["version"]
            content = {**item, "body": joined.model_dump_json(exclude_none=True), "version": version + 1}
            try:
                self._dynamo.write(replace(ORDERS, content, expected_version=version))
                return True
            except ConditionFailed:
                pause(attempt)
        raise Unavailable(f"Order {event.order_id} is being changed by others; send it again in a moment.")

    def order(self, merchant_id: str, order_id: str) -> Order | None:
        """The merchant's order, or None."""
        item = self._order_item(merchant_id, order_id)
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
            day=_partition(merchant.merchant_id, day),
        )
        return map(_order, items)

    def orders_of_hour(self, merchant: Merchant, start: datetime) -> tuple[Order, ...]:
        """The orders of the hour of the merchant's clock that starts at `start`, read consistently.

        The hour may end early, where clocks move by half an hour; hence the second look at each order.
        """
        items = self._dynamo.query(
            ORDERS,
            "merchantDay = :day AND orderKey BETWEEN :first AND :last",
            consistent=True,
            day=_partition(merchant.merchant_id, merchant.day_of(start)),
            first=_sortable(start),
            last=_sortable(start + timedelta(hours=1)),
        )
        return tuple(order for order in map(_order, items) if merchant.hour_of(order.time) == start)

    def days(
        self, merchant_id: str, first: date = date.min, last: date = date.max, *, newest_first: bool = False
    ) -> Iterator[date]:
        """The days from `first` to `last` on which the merchant may have orders."""
        items = self._dynamo.query(
            ORDER_INDEX,
            "merchantId = :merchant AND entry BETWEEN :first AND :last",
            consistent=True,
            newest_first=newest_first,
            merchant=merchant_id,
            first=f"day#{first}",
            last=f"day#{last}",
        )
        return (date.fromisoformat(item["entry"].removeprefix("day#")) for item in items)

    def first_orders(self, merchant_id: str, customers: Iterable[str]) -> dict[str, datetime]:
        """When each customer first ordered, as far as noted."""
        items = self._customers(merchant_id, customers)
        return {customer: datetime.fromisoformat(item["firstAt"]) for customer, item in items.items()}

    def note_first_orders(self, merchant_id: str, orders: Mapping[str, datetime]) -> set[datetime]:
        """Move customers' first orders back to these times where they are earlier; return superseded times.

        Superseded times are remembered and returned to every caller that brings the customer's first
        order, so a caller that crashed before correcting those hours learns of them again.
        """
        noted = self._customers(merchant_id, orders)
        superseded: set[datetime] = set()
        for customer, moment in orders.items():
            superseded |= self._note_first_order(merchant_id, customer, moment, noted.get(customer))
        return superseded

    def watch(self, merchant_id: str, experiment_id: str, first: datetime, last: datetime) -> None:
        """Note that the experiment measures this merchant's orders from `first` until `last`."""
        item = _index(merchant_id, f"experiment#{experiment_id}", first=first, last=last)
        self._dynamo.write(put(ORDER_INDEX, item))

    def watching(self, merchant_id: str) -> Iterator[tuple[str, datetime, datetime]]:
        """The experiments that measure this merchant, each with its window."""
        items = self._dynamo.query(
            ORDER_INDEX,
            "merchantId = :merchant AND begins_with(entry, :prefix)",
            consistent=True,
            merchant=merchant_id,
            prefix="experiment#",
        )
        for item in items:
            first, last = datetime.fromisoformat(item["first"]), datetime.fromisoformat(item["last"])
            yield item["entry"].removeprefix("experiment#"), first, last

    def mark_pending(self, experiment_id: str, moment: datetime) -> None:
        """Note that orders of the experiment changed and its data is behind."""
        self._dynamo.write(put(ORDER_INDEX, _index(PENDING, experiment_id, markedAt=moment)))

    def pending(self) -> dict[str, datetime]:
        """The experiments whose data is behind, and since which change."""
        items = self._dynamo.query(ORDER_INDEX, "merchantId = :pending", consistent=True, pending=PENDING)
        return {item["entry"]: datetime.fromisoformat(item["markedAt"]) for item in items}

    def clear_pending(self, experiment_id: str, moment: datetime) -> None:
        """Forget the mark unless another change renewed it since `moment`."""
        mark = delete(ORDER_INDEX, _index(PENDING, experiment_id))
        try:
            self._dynamo.write(
                Write(mark.kind, mark.table, mark.content, condition="markedAt = :at", values={"at": moment})
            )
        except ConditionFailed:
            return

    def _note_days(self, merchant: Merchant, orders: Iterable[Order]) -> None:
        days = {(merchant.merchant_id, merchant.day_of(order.time)) for order in orders} - self._known_days
        self._dynamo.write_many(ORDER_INDEX, (put(ORDER_INDEX, _index(name, f"day#{day}")) for name, day in days))
        self._known_days |= days

    def _order_item(self, merchant_id: str, order_id: str) -> Item | None:
        claim = self._dynamo.get(ORDER_INDEX, _index(merchant_id, f"order#{order_id}"))
        return claim and self._dynamo.get(ORDERS, {name: claim[name] for name in ("merchantDay", "orderKey")})

    def _customers(self, merchant_id: str, customers: Iterable[str]) -> dict[str, Item]:
        keys = [_index(merchant_id, f"customer#{customer}") for customer in customers]
        return {item["entry"].removeprefix("customer#"): item for item in self._dynamo.get_many(ORDER_INDEX, keys)}

    def _note_first_order(
        self, merchant_id: str, customer: str, moment: datetime, noted: Item | None
    ) -> set[datetime]:
        key = _index(merchant_id, f"customer#{customer}")
        for attempt in range(ATTEMPTS):
            first = noted and datetime.fromisoformat(noted["firstAt"])
            if noted and first and first <= moment:
                return set(map(datetime.fromisoformat, noted["superseded"])) if first == moment else set()
            superseded = [*noted["superseded"], noted["firstAt"]] if noted else []
            try:
                self._dynamo.write(_first_order(key, moment, superseded, noted))
                return set(map(datetime.fromisoformat, superseded))
            except ConditionFailed:
                pause(attempt)
                noted = self._dynamo.get(ORDER_INDEX, key)
        raise Unavailable(f"Customer {customer} is being changed by others; try again in a moment.")


def _first_order(key: Item, moment: datetime, superseded: list[str], noted: Item | None) -> Write:
    condition = "firstAt = :noted" if noted else "attribute_not_exists(firstAt)"
    values = {"noted": noted["firstAt"]} if noted else {}
    return update(
        ORDER_INDEX,
        key,
        "SET firstAt = :moment, superseded = :superseded",
        condition=condition,
        moment=moment,
        superseded=superseded,
        **values,
    )


def _creation(merchant: Merchant, order: Order) -> tuple[Write, Write]:
    key = {
        "merchantDay": _partition(merchant.merchant_id, merchant.day_of(order.time)),
        "orderKey": f"{_sortable(order.time)}#{order.order_id}",
    }
    claim = _index(merchant.merchant_id, f"order#{order.order_id}", **key)
    content = {**key, "body": order.model_dump_json(exclude_none=True), "version": 1}
    return put(ORDER_INDEX, claim, "attribute_not_exists(entry)"), create(ORDERS, content)


def _order(item: Mapping[str, Any]) -> Order:
    return Order.model_validate_json(item["body"])


def _index(merchant_id: str, entry: str, **content: Any) -> Item:
    return {"merchantId": merchant_id, "entry": entry, **content}


def _partition(merchant_id: str, day: date) -> str:
    return f"{merchant_id}#{day}"


def _sortable(moment: datetime) -> str:
    """Of equal width whatever the fraction, so that text sorts as time."""
    return iso_z(moment.replace(microsecond=0)).removesuffix("Z") + f".{moment.microsecond:06d}Z"
