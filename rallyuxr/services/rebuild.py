"""Compute a merchant's aggregates anew from the orders, and say what was different: normally nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from rallyuxr.models.order import Merchant
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import require_merchant
from rallyuxr.services.order_aggregates import note_first_orders, refresh_hours

Progress = Callable[[date, int], None]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild read and found: `differences` are the hours whose stored tally was not what orders say.

    Hours of orders that are still on their way through the stream count as different.
    """

    days: int
    orders: int
    differences: tuple[datetime, ...]


def rebuild_aggregates(
    ctx: Context, merchant_id: str, first: date, last: date, *, progress: Progress | None = None
) -> Rebuilt:
    """Rebuild the days from `first` to `last`, both included; raises NotFound for an unknown merchant."""
    merchant = require_merchant(ctx, merchant_id)
    days = tuple(ctx.store.orders.days(merchant_id, first, last))
    orders = 0
    differences: list[datetime] = []
    for day in days:
        count, different = _rebuild_day(ctx, merchant, day)
        orders += count
        differences += different
        if progress:
            progress(day, orders)
    return Rebuilt(len(days), orders, tuple(differences))


def _rebuild_day(ctx: Context, merchant: Merchant, day: date) -> tuple[int, list[datetime]]:
    orders = tuple(ctx.store.orders.orders_of_day(merchant, day))
    times = {order.time for order in orders} | note_first_orders(ctx, merchant, orders)
    before = ctx.store.aggregates.tallies(merchant.merchant_id, day)
    known = dict(before.hours) if before else {}
    refresh_hours(ctx, merchant, {merchant.hour_of(time) for time in times} | known.keys())
    after = ctx.store.aggregates.tallies(merchant.merchant_id, day)
    found = dict(after.hours) if after else {}
    return len(orders), sorted(hour for hour in known.keys() | found.keys() if known.get(hour) != found.get(hour))
