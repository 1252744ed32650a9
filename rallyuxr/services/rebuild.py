"""Compute a merchant's aggregates anew from orders and visits, and say what was different: normally nothing."""

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
    days = known_days(ctx, merchant_id, first, last)
    orders = 0
    differences: list[datetime] = []
    for day in days:
        count, different = _rebuild_day(ctx, merchant, day)
        orders += count
        differences += different
        if progress:
            progress(day, orders)
    return Rebuilt(len(days), orders, tuple(differences))


def known_days(ctx: Context, merchant_id: str, first: date, last: date) -> tuple[date, ...]:
    """The days from `first` to `last` that may have orders or visits, oldest first."""
    orders, visits = (
        ctx.store.orders.days(merchant_id, first, last),
        ctx.store.visits.days(merchant_id, first, last),
    )
    return tuple(sorted({*orders, *visits}))


def _rebuild_day(ctx: Context, merchant: Merchant, day: date) -> tuple[int, list[datetime]]:
    orders = tuple(ctx.store.orders.orders_of_day(merchant, day))
    times = {order.time for order in orders} | note_first_orders(ctx, merchant, orders)
    times |= {count.hour for count in ctx.store.visits.counts_of_day(merchant, day)}
    before = ctx.store.aggregates.tallies(merchant.merchant_id, day)
    known = dict(before.hours) if before else {}
    refresh_hours(ctx, merchant, {merchant.hour_of(time) for time in times} | known.keys())
    after = ctx.store.aggregates.tallies(merchant.merchant_id, day)
    found = dict(after.hours) if after else {}
    return len(orders), sorted(hour for hour in known.keys() | found.keys() if known.get(hour) != found.get(hour))
