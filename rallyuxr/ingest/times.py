"""Texts to UTC times. Each distinct text is read once, so a year of hours costs 8,760 parses."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np

from rallyuxr.ingest.cells import Labels
from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.ingest.table import Table
from rallyuxr.models.results import Hours, utc64

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
    parsed = [_parse(text) for text in labels.names]
    naive = {code for code, moment in enumerate(parsed) if isinstance(moment, datetime) and moment.tzinfo is None}
    offsets = tuple(sorted({f"{moment:%z}" for moment in parsed if isinstance(moment, datetime) and moment.tzinfo}))
    if naive and all(parsed[code].time() == time() for code in naive):  # type: ignore[union-attr]
        parsed = [moment.date() if code in naive else moment for code, moment in enumerate(parsed)]  # type: ignore[union-attr]
        naive = set()
    if naive and (offsets or zone is None):
        _refuse_naive(table, column, labels, naive, log, mixed=bool(offsets))
        parsed = [None if code in naive else moment for code, moment in enumerate(parsed)]

    moments = np.full(len(parsed), np.datetime64("NaT"), "datetime64[s]")
    for code, moment in enumerate(parsed):
        if isinstance(moment, datetime):
            placed = moment if moment.tzinfo else _local(moment, zone or UTC)
            if placed is None:
                _report(
                    table,
                    column,
                    labels,
                    code,
                    log,
                    f"The clocks change: this time happens twice or never in {time_zone}.",
                    "Write times with their offset, such as 2025-10-26T02:30:00+01:00.",
                )
                continue
            moments[code] = utc64(placed)
        elif moment is not None:
            moments[code] = utc64(datetime.combine(moment, time(), tzinfo=zone or UTC))
        elif code not in naive:
            _report(table, column, labels, code, log, "The cell is not a time.", ISO_REMEDY)
    shown = ", ".join("UTC" if offset == "+0000" else offset for offset in offsets) or time_zone or "UTC"
    return Times(moments[labels.codes], shown, offsets)


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


def _local(moment: datetime, zone: ZoneInfo | object) -> datetime | None:
    """The instant of a wall clock's time; None where the clock shows it twice or never."""
    earlier, later = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))  # type: ignore[arg-type]
    return earlier if earlier.utcoffset() == later.utcoffset() else None


def _refuse_naive(
    table: Table, column: str, labels: Labels, naive: set[int], log: ProblemLog, *, mixed: bool
) -> None:
    affected = np.isin(labels.codes, list(naive))
    position = int(np.argmax(affected))
    log.add(
        f"{affected.sum():,} times have no time zone" + (", others in the same column have one." if mixed else "."),
        "End every time with Z or an offset such as +01:00"
        + ("." if mixed else ", or say which time zone the file is in, for instance UTC."),
        row=int(table.rows[position]),
        column=column,
        value=labels.names[labels.codes[position]],
    )


def _report(
    table: Table, column: str, labels: Labels, code: int, log: ProblemLog, message: str, remedy: str
) -> None:
    log.add(
        message,
        remedy,
        row=int(table.rows[labels.first(code)]),
        column=column,
        value=labels.names[code],
    )
