"""What merchants' dashboards read: always one merchant, at a cost of the days asked for."""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rallyuxr.aggregation.measures import MEASURES, measure_range, measure_row
from rallyuxr.errors import InvalidInput
from rallyuxr.models.aggregate import (
    Aggregate,
    AggregateBook,
    Analytics,
    AnalyticsGranularity,
    AnalyticsRange,
    Comparison,
)
from rallyuxr.models.base import iso_z
from rallyuxr.models.order import FIRST_YEAR, LAST_YEAR, Merchant, in_calendar
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import freshness, require_merchant
from rallyuxr.store import StoredObject

MOST_DAYS = {"daily": 1_100, "hourly": 93}
MOST_ROWS = 1_000
YEAR_OF_WHOLE_WEEKS = timedelta(days=364)
_READERS = 8


@dataclass(frozen=True, slots=True)
class AnalyticsQuery:
    """What is asked: days `[first, last)` of the merchant's calendar, by hour or day.

    `compare` adds the range just before, of equal length, or the one 52 weeks earlier, so that weekdays match.
    `measures` empty means all of them.
    """

    granularity: AnalyticsGranularity
    first: date
    last: date
    measures: tuple[str, ...] = ()
    compare: Comparison | None = None
    limit: int = MOST_ROWS
    next_token: str | None = None

    def __post_init__(self) -> None:
        days, most = (self.last - self.first).days, MOST_DAYS[self.granularity]
        if not 0 < days <= most:
            raise InvalidInput(
                f"The range from {self.first} to {self.last} has {days} days; {self.granularity} rows "
                f"are read for 1 to {most} days at once. `to` is the day after the last one."
            )
        if not (in_calendar(self.first) and in_calendar(self.last)):
            raise InvalidInput(f"Days are read from {FIRST_YEAR} to {LAST_YEAR}, not {self.first} to {self.last}.")
        if not 1 <= self.limit <= MOST_ROWS:
            raise InvalidInput(f"limit is {self.limit}; it goes from 1 to {MOST_ROWS}.")
        if strangers := sorted(set(self.measures) - set(MEASURES)):
            raise InvalidInput(f"No such metrics: {', '.join(strangers)}. There are {', '.join(MEASURES)}.")

    @property
    def shift(self) -> timedelta:
        """How far back the comparison lies."""
        return YEAR_OF_WHOLE_WEEKS if self.compare == "last_year" else self.last - self.first


@dataclass(frozen=True, slots=True)
class VersionedAnalytics:
    """Analytics and their version; `analytics` is None where the caller has this version already."""

    version: str
    analytics: Analytics | None


def read_analytics(
    ctx: Context, merchant_id: str, query: AnalyticsQuery, *, known_version: str | None = None
) -> VersionedAnalytics:
    """Read a merchant's aggregates.

    The version is a hash of the question and of the stored objects' versions, which a listing tells
    without reading them.

    Raises:
        NotFound: no such merchant.
    """
    merchant = require_merchant(ctx, merchant_id)
    stored = _listing(ctx, merchant, query.granularity, query.first, query.last)
    earlier = (
        _listing(ctx, merchant, query.granularity, query.first - query.shift, query.last - query.shift)
        if query.compare
        else ()
    )
    version = _version(merchant, query, [*stored, *earlier])
    if version == known_version:
        return VersionedAnalytics(version, None)
    return VersionedAnalytics(version, _analytics(ctx, merchant, query, stored, earlier))


def read_rows(
    ctx: Context, merchant: Merchant, granularity: AnalyticsGranularity, first: date, last: date
) -> tuple[Aggregate, ...]:
    """Every row of the days `[first, last)`, oldest first."""
    return _rows(ctx, merchant, first, last, _listing(ctx, merchant, granularity, first, last))


def read_books(
    ctx: Context, merchant: Merchant, granularity: AnalyticsGranularity, first: date, last: date
) -> tuple[AggregateBook, ...]:
    """The stored objects with rows of the days `[first, last)`, oldest first, each whole."""
    return _books(ctx, _listing(ctx, merchant, granularity, first, last))


def _analytics(
    ctx: Context,
    merchant: Merchant,
    query: AnalyticsQuery,
    stored: Sequence[StoredObject],
    earlier: Sequence[StoredObject],
) -> Analytics:
    rows = _rows(ctx, merchant, query.first, query.last, stored)
    start = _read_token(query.next_token) if query.next_token else merchant.midnight(query.first)
    page = [row for row in rows if row.start >= start]
    next_start = page[query.limit].start if len(page) > query.limit else None
    end = next_start or merchant.midnight(query.last)
    comparison = None
    if query.compare:
        first, last = query.first - query.shift, query.last - query.shift
        before = _rows(ctx, merchant, first, last, earlier)
        comparison = _range(
            merchant, query, first, before, _earlier(merchant, start, query), _earlier(merchant, end, query)
        )
    return Analytics(
        merchant=merchant,
        granularity=query.granularity,
        range=_range(merchant, query, query.first, rows, start, end),
        comparison=comparison,
        freshness=freshness(ctx, merchant),
        next_token=iso_z(next_start) if next_start else None,
    )


def _range(
    merchant: Merchant,
    query: AnalyticsQuery,
    first: date,
    rows: Sequence[Aggregate],
    start: datetime,
    end: datetime,
) -> AnalyticsRange:
    """The range from `first` on, with those of its rows that start within `[start, end)`."""
    measures = query.measures or MEASURES
    last = first + (query.last - query.first)
    return AnalyticsRange(
        first=first,
        last=last,
        totals=measure_range(rows, merchant.midnight(first), merchant.midnight(last), measures),
        rows=tuple(measure_row(row, measures) for row in rows if start <= row.start < end),
    )


def _earlier(merchant: Merchant, moment: datetime, query: AnalyticsQuery) -> datetime:
    """The same time on the merchant's clock, the comparison's days before."""
    return (moment.astimezone(ZoneInfo(merchant.time_zone)) - query.shift).astimezone(UTC)


def _listing(
    ctx: Context, merchant: Merchant, granularity: AnalyticsGranularity, first: date, last: date
) -> tuple[StoredObject, ...]:
    return tuple(ctx.store.aggregates.listing(granularity, merchant.merchant_id, first, last - timedelta(days=1)))


def _rows(
    ctx: Context, merchant: Merchant, first: date, last: date, stored: Sequence[StoredObject]
) -> tuple[Aggregate, ...]:
    start, end = merchant.midnight(first), merchant.midnight(last)
    return tuple(row for book in _books(ctx, stored) for row in book.rows if start <= row.start < end)


def _books(ctx: Context, stored: Sequence[StoredObject]) -> tuple[AggregateBook, ...]:
    with ThreadPoolExecutor(_READERS) as readers:
        return tuple(book for book in readers.map(ctx.store.aggregates.rows, stored) if book)


def _version(merchant: Merchant, query: AnalyticsQuery, stored: Sequence[StoredObject]) -> str:
    question: list[Any] = [merchant.model_dump_json(), repr(query), *(f"{each.key} {each.etag}" for each in stored)]
    return hashlib.sha256(json.dumps(question).encode()).hexdigest()[:32]


def _read_token(token: str) -> datetime:
    try:
        moment = datetime.fromisoformat(token)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not in_calendar(moment):
        raise InvalidInput("nextToken is not one that this service gave; start without it.")
    return moment
