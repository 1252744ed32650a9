"""Texts to UTC times. Each distinct text is read once, so a year of hours costs 8,760 parses."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from zoneinfo import ZoneInfo

import numpy as np

from rallyuxr.ingest.cells import Labels
from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.ingest.table import Table
from rallyuxr.models.columns import Hours, utc64

YEAR = re.compile(r"(?P<year>(?:19|20)\d\d)")
MONTH = re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)")
QUARTER = re.compile(
    r"(?P<year>\d{4})[-\s]?Q(?P<quarter>[1-4])|Q(?P<quarter_first>[1-4])[-\s]?(?P<year_last>\d{4})", re.I
)
ISO_REMEDY = "Write ISO 8601 with a zone, such as 2025-01-15T14:00:00Z, or a date such as 2025-01-15."


@dataclass(frozen=True, slots=True)
class Times:
    """A column of times.

    Attributes:
        values: `datetime64[s]` UTC, NaT where unreadable, shape (N,).
        zone: what the texts said of their zone, for the reader to check.
        offsets: the distinct offsets written.
    """

    values: Hours
    zone: str
    offsets: tuple[str, ...]


def read_times(table: Table, column: str, labels: Labels, time_zone: str | None, log: ProblemLog) -> Times:
    """Read every distinct text; what cannot be placed in time is reported, once for each text."""
    zone = ZoneInfo(time_zone) if time_zone else None
    parsed = _midnights_as_dates([_parse(text) for text in labels.names])
    times = [moment for moment in parsed if isinstance(moment, datetime)]
    offsets = tuple(sorted({f"{moment:%z}" for moment in times if moment.tzinfo}))
    naive = {code for code, moment in enumerate(parsed) if isinstance(moment, datetime) and not moment.tzinfo}
    refused = naive if offsets or zone is None else set()
    if refused:
        _refuse_naive(table, column, labels, refused, log, mixed=bool(offsets))

    rows = table.rows[labels.firsts()]
    moments = np.full(len(parsed), np.datetime64("NaT"), "datetime64[s]")
    for code, moment in enumerate(parsed):
        placed = None if code in refused else _placed(moment, zone or UTC)
        if isinstance(placed, datetime):
            moments[code] = utc64(placed)
        elif placed:
            log.add(*placed, row=int(rows[code]), column=column, value=labels.names[code])
    written = ", ".join("UTC" if offset == "+0000" else offset for offset in offsets)
    return Times(moments[labels.codes], written or time_zone or "UTC", offsets)


def _parse(text: str) -> date | datetime | None:
    """A date, a time (aware or naive), or None."""
    if match := QUARTER.fullmatch(text):
        year, quarter = match["year"] or match["year_last"], match["quarter"] or match["quarter_first"]
        return date(int(year), 3 * int(quarter) - 2, 1)
    if match := YEAR.fullmatch(text):
        return date(int(match["year"]), 1, 1)
    try:
        if match := MONTH.fullmatch(text):
            return date(int(match["year"]), int(match["month"]), 1)
        if len(text) <= 10:
            return date.fromisoformat(text)
        return datetime.fromisoformat(text.removesuffix(" UTC") + "Z" * text.endswith(" UTC"))
    except ValueError:
        return None


def _midnights_as_dates(parsed: list[date | datetime | None]) -> list[date | datetime | None]:
    """Data frames write dates as midnights without a zone: where all times are such, they are dates."""
    times = [moment for moment in parsed if isinstance(moment, datetime)]
    if any(moment.tzinfo or moment.time() != time() for moment in times):
        return parsed
    return [moment.date() if isinstance(moment, datetime) else moment for moment in parsed]


def _placed(moment: date | datetime | None, zone: tzinfo) -> datetime | tuple[str, str]:
    """The instant, or what is wrong and what to do. A date is its midnight in the zone."""
    if moment is None:
        return "The cell is not a time.", ISO_REMEDY
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time(), tzinfo=zone)
    if moment.tzinfo:
        return moment
    earlier, later = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if earlier.utcoffset() != later.utcoffset():
        return (
            f"The clocks change: this time happens twice or never in {zone}.",
            "Write times with their offset, such as 2025-10-26T02:30:00+01:00.",
        )
    return earlier


def _refuse_naive(
    table: Table, column: str, labels: Labels, naive: set[int], log: ProblemLog, *, mixed: bool
) -> None:
    affected = np.isin(labels.codes, list(naive))
    position = int(np.argmax(affected))
    log.add(
        f"Without a time zone: {affected.sum():,} of {affected.size:,} times"
        + ("; the others have one." if mixed else "."),
        "End every time with Z or an offset such as +01:00"
        + ("." if mixed else ", or say which time zone the file is in, for instance UTC."),
        row=int(table.rows[position]),
        column=column,
        value=labels.names[labels.codes[position]],
    )
