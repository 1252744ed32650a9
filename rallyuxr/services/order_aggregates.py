"""Keep aggregates equal to the orders: each touched hour is computed anew, never added to."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import pairwise

from rallyuxr.aggregation.rows import day_row, hour_rows, replace_row
from rallyuxr.aggregation.tallies import count_visits, tally_orders
from rallyuxr.models.aggregate import AggregateBook, DayTallies, Tally
from rallyuxr.models.order import Merchant, Order
from rallyuxr.models.visits import VisitCount
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import require_merchant
from rallyuxr.store import CountedHour

HOUR = timedelta(hours=1)
NOTHING = Tally()


def aggregate_changes(ctx: Context, changed: Iterable[Order | CountedHour]) -> None:
    """Bring up to date all that these orders and counts touch; safe to repeat, and to run at once with others."""
    by_merchant: defaultdict[str, list[Order | CountedHour]] = defaultdict(list)
    for change in changed:
        by_merchant[change.merchant_id].append(change)
    for merchant_id, changes in by_merchant.items():
        merchant = require_merchant(ctx, merchant_id)
        orders = [change for change in changes if isinstance(change, Order)]
        times = {change.time for change in changes} | note_first_orders(ctx, merchant, orders)
        refresh_hours(ctx, merchant, {merchant.hour_of(time) for time in times})
        mark_experiments(ctx, merchant, times)


def note_first_orders(ctx: Context, merchant: Merchant, orders: Iterable[Order]) -> set[datetime]:
    """Note who ordered first when; return the times that looked like first orders and no longer do."""
    firsts: dict[str, datetime] = {}
    for order in orders:
        firsts[order.customer_id] = min(order.time, firsts.get(order.customer_id, order.time))
    return ctx.store.first_orders.note(merchant.merchant_id, firsts)


def refresh_hours(ctx: Context, merchant: Merchant, starts: Iterable[datetime]) -> None:
    """Compute these hours from orders and visits, then the days and months that hold them."""
    hours_by_day: defaultdict[date, set[datetime]] = defaultdict(set)
    for start in starts:
        hours_by_day[merchant.day_of(start)].add(start)
    days_by_month: defaultdict[str, set[date]] = defaultdict(set)
    for day, hours in hours_by_day.items():
        _refresh_day(ctx, merchant, day, hours)
        days_by_month[f"{day:%Y-%m}"].add(day)
    for month, days in days_by_month.items():
        _refresh_month(ctx, merchant, month, days)
        ctx.store.files_behind.put(f"{merchant.merchant_id}#{month}")


def mark_experiments(ctx: Context, merchant: Merchant, times: Collection[datetime]) -> None:
    """Note which experiments measure these times, so that their data follows."""
    for experiment_id, first, last in ctx.store.merchants.watching(merchant.merchant_id):
        if any(first <= time < last for time in times):
            ctx.store.experiments_behind.put(experiment_id)


def _refresh_day(ctx: Context, merchant: Merchant, day: date, hours: Collection[datetime]) -> None:
    def tallies(current: DayTallies | None) -> DayTallies:
        kept = dict(current.hours) if current else {}
        known = kept | _tally_hours(ctx, merchant, day, hours)
        return DayTallies(
            **_owner(merchant),
            day=str(day),
            hours={start: known[start] for start in sorted(known) if known[start] != NOTHING},
        )

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


def _tally_hours(
    ctx: Context, merchant: Merchant, day: date, starts: Collection[datetime]
) -> dict[datetime, Tally]:
    """Count these hours of one day from their orders and visits."""
    orders: dict[datetime, list[Order]] = {start: [] for start in starts}
    for first, last in _runs(starts):
        for order in ctx.store.orders.orders_of_hours(merchant, first, last):
            orders.get(merchant.hour_of(order.time), []).append(order)
    customers = {order.customer_id for found in orders.values() for order in found}
    newcomers: defaultdict[datetime, set[str]] = defaultdict(set)
    for customer, time in ctx.store.first_orders.of(merchant.merchant_id, customers).items():
        newcomers[merchant.hour_of(time)].add(customer)
    visits: defaultdict[datetime, list[VisitCount]] = defaultdict(list)
    for count in ctx.store.visits.counts_of_day(merchant, day):
        visits[count.hour].append(count)
    return {
        start: count_visits(tally_orders(found, newcomers[start]), visits[start]) for start, found in orders.items()
    }


def _runs(starts: Iterable[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """The first and last of each run of hours that follow one another: one run is one query."""
    ranked = sorted(starts)
    begins = [place for place, start in enumerate(ranked) if place == 0 or start - ranked[place - 1] > HOUR]
    for begin, end in pairwise([*begins, len(ranked)]):
        yield ranked[begin], ranked[end - 1]


def _stored_hours(ctx: Context, merchant: Merchant, day: date) -> Mapping[datetime, Tally]:
    stored = ctx.store.aggregates.tallies(merchant.merchant_id, day)
    return stored.hours if stored else {}


def _owner(merchant: Merchant) -> dict[str, str]:
    return {
        "merchant_id": merchant.merchant_id,
        "currency": merchant.currency,
        "time_zone": merchant.time_zone,
    }
