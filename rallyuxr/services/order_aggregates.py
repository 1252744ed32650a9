"""Keep aggregates equal to the orders: each touched hour is computed anew, never added to."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime

from rallyuxr.aggregation.rows import day_row, hour_rows, replace_row
from rallyuxr.aggregation.tallies import tally_orders
from rallyuxr.models.aggregate import AggregateBook, DayTallies, Tally
from rallyuxr.models.order import Merchant, Order
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import require_merchant


def aggregate_orders(ctx: Context, changed: Iterable[Order]) -> None:
    """Bring every aggregate up to date that these orders touch; safe to repeat, and to run at once with others."""
    by_merchant: defaultdict[str, list[Order]] = defaultdict(list)
    for order in changed:
        by_merchant[order.merchant_id].append(order)
    for merchant_id, orders in by_merchant.items():
        merchant = require_merchant(ctx, merchant_id)
        times = {order.time for order in orders} | note_first_orders(ctx, merchant, orders)
        refresh_hours(ctx, merchant, {merchant.hour_of(time) for time in times})
        mark_experiments(ctx, merchant, times)


def note_first_orders(ctx: Context, merchant: Merchant, orders: Iterable[Order]) -> set[datetime]:
    """Note who ordered first when; return the times that looked like first orders and no longer do."""
    firsts: dict[str, datetime] = {}
    for order in orders:
        firsts[order.customer_id] = min(order.time, firsts.get(order.customer_id, order.time))
    return ctx.store.orders.note_first_orders(merchant.merchant_id, firsts)


def refresh_hours(ctx: Context, merchant: Merchant, starts: Iterable[datetime]) -> None:
    """Compute these hours from the orders, then the days and months that hold them."""
    hours_by_day: defaultdict[date, set[datetime]] = defaultdict(set)
    for start in starts:
        hours_by_day[merchant.day_of(start)].add(start)
    days_by_month: defaultdict[str, set[date]] = defaultdict(set)
    for day, hours in hours_by_day.items():
        _refresh_day(ctx, merchant, day, hours)
        days_by_month[f"{day:%Y-%m}"].add(day)
    for month, days in days_by_month.items():
        _refresh_month(ctx, merchant, month, days)


def mark_experiments(ctx: Context, merchant: Merchant, times: Collection[datetime]) -> None:
    """Note which experiments measure orders of these times, so that their data follows."""
    for experiment_id, first, last in ctx.store.orders.watching(merchant.merchant_id):
        if any(first <= time < last for time in times):
            ctx.store.orders.mark_pending(experiment_id, ctx.clock())


def _refresh_day(ctx: Context, merchant: Merchant, day: date, hours: Collection[datetime]) -> None:
    def tallies(current: DayTallies | None) -> DayTallies:
        kept = dict(current.hours) if current else {}
        counted = {start: _tally_hour(ctx, merchant, start) for start in sorted(hours)}
        known = {start: tally for start, tally in (kept | counted).items() if tally.statuses}
        return DayTallies(**_owner(merchant), day=str(day), hours=dict(sorted(known.items())))

    def rows(_: AggregateBook | None) -> AggregateBook:
        return AggregateBook(
            **_owner(merchant),
            period=str(day),
            granularity="hourly",
            rows=hour_rows(merchant, _stored_hours(ctx, merchant, day)),
        )

    ctx.store.aggregates.replace_tallies(merchant.merchant_id, day, tallies)
    ctx.store.aggregates.replace_hours(merchant.merchant_id, day, rows)


def _refresh_month(ctx: Context, merchant: Merchant, month: str, days: Collection[date]) -> None:
    def rows(current: AggregateBook | None) -> AggregateBook:
        updated = current.rows if current else ()
        for day in days:
            updated = replace_row(updated, day_row(merchant, day, _stored_hours(ctx, merchant, day)))
        return AggregateBook(**_owner(merchant), period=month, granularity="daily", rows=updated)

    ctx.store.aggregates.replace_days(merchant.merchant_id, month, rows)


def _tally_hour(ctx: Context, merchant: Merchant, start: datetime) -> Tally:
    orders = ctx.store.orders.orders_of_hour(merchant, start)
    firsts = ctx.store.orders.first_orders(merchant.merchant_id, {order.customer_id for order in orders})
    return tally_orders(orders, {customer for customer, time in firsts.items() if merchant.hour_of(time) == start})


def _stored_hours(ctx: Context, merchant: Merchant, day: date) -> Mapping[datetime, Tally]:
    stored = ctx.store.aggregates.tallies(merchant.merchant_id, day)
    return stored.hours if stored else {}


def _owner(merchant: Merchant) -> dict[str, str]:
    return {
        "merchant_id": merchant.merchant_id,
        "currency": merchant.currency,
        "time_zone": merchant.time_zone,
    }
