"""Rows laid out as people look at them: by hour of the week, and as a table."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from rallyuxr.models.aggregate import AnalyticsGranularity, AnalyticsRow
from rallyuxr.models.order import Merchant

TABLE_COLUMNS = (
    "start", "end", "orders", "items", "gross", "discounts", "refunds", "net", "shipping", "tax", "customers",
    "new_customers", "returning_customers", "visits", "visit_hours", "visit_orders",
)  # fmt: skip


def period_starts(
    merchant: Merchant, granularity: AnalyticsGranularity, first: date, last: date, until: datetime
) -> tuple[datetime, ...]:
    """When each hour or day of `[first, last)` begins that begins before `until`, in UTC."""
    days = (first + timedelta(days=offset) for offset in range((last - first).days))
    starts: Iterator[datetime] = map(merchant.midnight, days)
    if granularity == "hourly":
        hours = (merchant.midnight(last) - merchant.midnight(first)) // timedelta(hours=1)
        starts = (merchant.midnight(first) + timedelta(hours=hour) for hour in range(hours))
    return tuple(start for start in starts if start < until)


def running_start(merchant: Merchant, granularity: AnalyticsGranularity, now: datetime) -> datetime:
    """When the hour or day of the merchant begins, in UTC, that is not over yet."""
    return merchant.hour_of(now) if granularity == "hourly" else merchant.midnight(merchant.day_of(now))


def orders_by_hour_of_week(
    rows: Iterable[AnalyticsRow], merchant: Merchant, first: date, last: date, until: datetime
) -> NDArray[np.float64]:
    """Mean orders in each hour of the week on the merchant's clock, over the days `[first, last)`.

    The hour that runs at `until` counts neither as orders nor as an hour.

    Returns shape (7, 24), Monday first; NaN for hours of which the range holds none that is over.
    """
    orders, hours, zone = np.zeros((7, 24)), np.zeros((7, 24)), ZoneInfo(merchant.time_zone)
    running = merchant.hour_of(until)
    for row in rows:
        if row.start < running:
            local = row.start.astimezone(zone)
            orders[local.weekday(), local.hour] += row.orders or 0
    for start in period_starts(merchant, "daily", first, last, running):
        day = start.astimezone(zone)
        over = running.astimezone(zone).hour if day.date() == merchant.day_of(running) else 24
        hours[day.weekday(), :over] += 1
    return np.divide(orders, hours, out=np.full_like(orders, np.nan), where=hours > 0)


def table_csv(rows: Iterable[AnalyticsRow]) -> str:
    """The rows' sums as CSV: times in UTC, amounts in the merchant's currency.

    >>> table_csv([]).strip().split(",")[:8]
    ['start', 'end', 'orders', 'items', 'gross', 'discounts', 'refunds', 'net']
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(TABLE_COLUMNS)
    for row in rows:
        cells = row.model_dump(include=set(TABLE_COLUMNS), by_alias=False)
        cells |= {"start": row.start.isoformat(), "end": row.end.isoformat()}
        writer.writerow([cells[name] for name in TABLE_COLUMNS])
    return text.getvalue()
