"""Take orders in, one or many, and read them back."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from rallyuxr.errors import Conflict, InvalidInput, NotFound, RallyError
from rallyuxr.models.base import iso_z
from rallyuxr.models.order import FIRST_YEAR, Merchant, Order, OrderReceipt, Outcome, in_calendar
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import require_merchant

MAX_BATCH = 1_000
CLOCK_TOLERANCE = timedelta(days=1)
Sent = Order | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OrderPage:
    """A merchant's orders, newest first; `next_token` leads on to older ones."""

    orders: tuple[Order, ...]
    next_token: str | None


def place_order(ctx: Context, sent: Sent) -> OrderReceipt:
    """Store one order or a later event of it.

    Raises:
        InvalidInput: it is not an order, or not in the merchant's currency.
        NotFound: no such merchant.
        Conflict: the id belongs to an order with other content.
    """
    merchants: dict[str, Merchant] = {}
    order = _accepted(ctx, sent, merchants)
    receipt = _place(ctx, merchants[order.merchant_id], {0: order})[0]
    if receipt.outcome == "refused":
        raise Conflict(receipt.reason or "")
    return receipt


def place_orders(ctx: Context, sent: Sequence[Sent]) -> tuple[OrderReceipt, ...]:
    """Store many orders, each for itself, and answer for each in the order they were sent.

    Raises:
        InvalidInput: more than `MAX_BATCH` orders.
    """
    if len(sent) > MAX_BATCH:
        raise InvalidInput(f"{len(sent)} orders came; send at most {MAX_BATCH} at once.")
    merchants: dict[str, Merchant] = {}
    receipts: dict[int, OrderReceipt] = {}
    accepted: dict[int, Order] = {}
    for place, candidate in enumerate(sent):
        try:
            accepted[place] = _accepted(ctx, candidate, merchants)
        except (InvalidInput, NotFound) as problem:
            receipts[place] = _refusal(candidate, problem)
    for merchant in merchants.values():
        own = {place: order for place, order in accepted.items() if order.merchant_id == merchant.merchant_id}
        receipts |= _place(ctx, merchant, own)
    return tuple(receipts[place] for place in range(len(sent)))


def get_order(ctx: Context, merchant_id: str, order_id: str) -> Order:
    """The merchant's order; raises NotFound."""
    require_merchant(ctx, merchant_id)
    order = ctx.store.orders.order(merchant_id, order_id)
    if order is None:
        raise NotFound(f"Merchant {merchant_id} has no order {order_id}.")
    return order


def recent_orders(ctx: Context, merchant_id: str, *, limit: int = 20, next_token: str | None = None) -> OrderPage:
    """The merchant's newest orders, or those older than where `next_token` stands."""
    merchant = require_merchant(ctx, merchant_id)
    position = _read_token(next_token) if next_token else None
    page: list[Order] = []
    for order in _newest_first(ctx, merchant, position):
        if len(page) == limit:
            return OrderPage(tuple(page), f"{iso_z(page[-1].time)}~{page[-1].order_id}")
        page.append(order)
    return OrderPage(tuple(page), None)


def _newest_first(ctx: Context, merchant: Merchant, position: tuple[datetime, str] | None) -> Iterator[Order]:
    last = merchant.day_of(position[0]) if position else date.max
    for day in ctx.store.orders.days(merchant.merchant_id, last=last, newest_first=True):
        for order in ctx.store.orders.orders_of_day(merchant, day, newest_first=True):
            if position is None or (order.time, order.order_id) < position:
                yield order


def _read_token(token: str) -> tuple[datetime, str]:
    moment, _, order_id = token.partition("~")
    try:
        position = datetime.fromisoformat(moment)
    except ValueError:
        position = None
    if position is None or position.tzinfo is None or not in_calendar(position):
        raise InvalidInput("nextToken is not one that this service gave; start without it.")
    return position, order_id


def _place(ctx: Context, merchant: Merchant, orders: dict[int, Order]) -> dict[int, OrderReceipt]:
    """Create what is new; what is not, or comes again in this batch, is an event of a stored order."""
    firsts = {order.order_id: place for place, order in reversed(orders.items())}
    taken = ctx.store.orders.create_orders(merchant, [orders[place] for place in firsts.values()])
    receipts = {
        place: _receipt(orders[place], "created") for order_id, place in firsts.items() if order_id not in taken
    }
    events: defaultdict[str, dict[int, Order]] = defaultdict(dict)
    for place, order in orders.items():
        if place not in receipts:
            events[order.order_id][place] = order

    def joined(stored: Order) -> Order:
        return _join(stored, events[stored.order_id])[0]

    for order_id, stored in ctx.store.orders.change_orders(merchant.merchant_id, events, joined).items():
        receipts |= _join(stored, events[order_id])[1]
    return receipts


def _join(stored: Order, events: Mapping[int, Order]) -> tuple[Order, dict[int, OrderReceipt]]:
    """The order after these events of it, and what became of each."""
    receipts = {}
    for place, event in events.items():
        try:
            joined = stored.joined(event)
        except Conflict as problem:
            receipts[place] = _refusal(event, problem)
            continue
        receipts[place] = _receipt(event, "unchanged" if joined.state == stored.state else "updated")
        stored = joined
    return stored, receipts


def _accepted(ctx: Context, sent: Sent, merchants: dict[str, Merchant]) -> Order:
    """The order, if its merchant could have taken it; `merchants` remembers those already looked up."""
    order = sent if isinstance(sent, Order) else _read(sent)
    if order.merchant_id not in merchants:
        merchants[order.merchant_id] = require_merchant(ctx, order.merchant_id)
    currency = merchants[order.merchant_id].currency
    if order.currency != currency:
        raise InvalidInput(f"Merchant {order.merchant_id} sells in {currency}; the order is in {order.currency}.")
    if order.time > ctx.clock() + CLOCK_TOLERANCE:
        raise InvalidInput(f"The order's time {iso_z(order.time)} lies in the future; check its clock and zone.")
    if not in_calendar(order.time):
        raise InvalidInput(f"The order's time {iso_z(order.time)} lies before {FIRST_YEAR}; check its clock.")
    return order


def _read(sent: Mapping[str, Any]) -> Order:
    try:
        return Order.from_json(sent)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, each['loc'])) or 'order'}: {each['msg']}" for each in error.errors())
        raise InvalidInput("Not an order: " + "; ".join(problems)) from None


def _receipt(order: Order, outcome: Outcome) -> OrderReceipt:
    return OrderReceipt(merchant_id=order.merchant_id, order_id=order.order_id, outcome=outcome)


def _refusal(sent: Sent, problem: RallyError) -> OrderReceipt:
    named = sent.to_json() if isinstance(sent, Order) else sent
    merchant_id, order_id = (str(named[name]) if name in named else None for name in ("merchantId", "orderId"))
    return OrderReceipt(merchant_id=merchant_id, order_id=order_id, outcome="refused", reason=problem.message)
