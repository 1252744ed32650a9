"""Metrics' series on one regular grid of hours (or days): what every series statistic starts from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rallyuxr.errors import InvalidInput

if TYPE_CHECKING:
    from rallyuxr.models.columns import MetricSeries

Array = NDArray[np.float64]
Hours = NDArray[np.datetime64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RegularGrid:
    """M metrics over T periods without gaps: a period nobody reported is NaN, and nothing lies outside.

    Attributes
    ----------
    metric_ids
        The M metrics, in row order.
    times
        (T,) `datetime64[s]`, the start of each period.
    start
        Number of baseline periods; the period `start` is the experiment's first.
    periods_per_day
        24 for hours, 1 for days.
    treatment, control
        (M, T) means of the arms; NaN where there is no data.
    treatment_weight, control_weight
        (M, T) what a period counts by: participants, or a ratio's denominators.
    treatment_n, control_n
        (M, T) participants, 0 where there is no data.
    """

    metric_ids: tuple[str, ...]
    times: Hours
    start: int
    periods_per_day: int
    treatment: Array
    control: Array
    treatment_weight: Array
    control_weight: Array
    treatment_n: Array
    control_n: Array

    @cached_property
    def post(self) -> Mask:
        """(T,) true from the experiment's start on."""
        return np.arange(self.times.size) >= self.start

    @cached_property
    def used(self) -> Mask:
        """(M, T) periods in which both arms were seen."""
        seen = np.isfinite(self.treatment) & np.isfinite(self.control)
        return seen & (self.treatment_weight > 0) & (self.control_weight > 0)

    @cached_property
    def complete(self) -> bool:
        """Whether every period is used."""
        return bool(self.used.all())

    @property
    def end(self) -> datetime:
        """The end of the last period."""
        return self.moment(self.times.size - 1) + timedelta(days=1) / self.periods_per_day

    @property
    def observed_days(self) -> float:
        """Length of the part of the experiment window that the grid covers."""
        return (self.times.size - self.start) / self.periods_per_day

    def moment(self, row: int) -> datetime:
        """The beginning of a period as an aware datetime."""
        return moment_of(self.times[row])


@dataclass(frozen=True, slots=True)
class Span:
    """An experiment in time: baseline [baseline_start, start) and window [start, end).

    `seen_until` is when the data were looked at: periods before it without data are missing, later ones have
    not been yet. Left out, it is the end of the newest period with data.
    """

    baseline_start: datetime
    start: datetime
    end: datetime
    seen_until: datetime | None = None


def regular_grid(series: Mapping[str, "MetricSeries"], span: Span, *, periods_per_day: int = 24) -> RegularGrid:
    """Put series on the grid of a span's periods; what lies outside the span is ignored.

    The grid ends with the experiment, or with the newest data while the experiment runs.

    Raises
    ------
    InvalidInput
        No period of the experiment window has data, or two rows fall into one period.

    Examples
    --------
    >>> hours = np.array(["2025-01-01T22", "2025-01-01T23", "2025-01-02T01"], dtype="datetime64[s]")
    >>> one = np.ones(3)
    >>> span = Span(*(datetime(2025, 1, day, tzinfo=UTC) for day in (1, 2, 3)), datetime(2025, 1, 2, 2, tzinfo=UTC))
    >>> from rallyuxr.models import MetricSeries
    >>> grid = regular_grid({"clicks": MetricSeries(hours, 3 * one, one, one, one)}, span)
    >>> grid.treatment[0, -4:].tolist(), grid.start, grid.times.size
    ([3.0, 3.0, nan, 3.0], 24, 26)
    """
    step = 86_400 // periods_per_day
    phase = _phase(series, step)
    first = _ceil(_seconds(span.baseline_start), step, phase)
    start = _ceil(_seconds(span.start), step, phase)
    last = min(_ceil(_seconds(span.end), step, phase), _seen_until(series, span, step, phase))
    if last <= start:
        raise InvalidInput(
            f"no data lies in the experiment window, {span.start} to {span.end}; publish at least one period of it"
        )
    times = np.arange(first, last, step).astype("datetime64[s]")
    columns = [_columns(name, one, first, last, step) for name, one in series.items()]
    stacked = [np.stack(column) for column in zip(*columns, strict=True)]
    return RegularGrid(tuple(series), times, (start - first) // step, periods_per_day, *stacked)


def moment_of(time: np.datetime64) -> datetime:
    """A `datetime64` in UTC as an aware datetime."""
    return datetime.fromtimestamp(_seconds64(time), UTC)


def _columns(name: str, series: "MetricSeries", first: int, last: int, step: int) -> list[Array]:
    """The six columns of one metric on the grid, NaN (values) or 0 (weights) where there is no row."""
    seconds = series.timestamps.astype("datetime64[s]").astype(np.int64)
    keep = (seconds >= first) & (seconds < last)
    row = (seconds[keep] - first) // step
    if row.size > 1 and not (np.diff(row) > 0).all():
        raise InvalidInput(f"metric {name} has two rows in one period of {step} seconds, or rows out of time order")
    size = (last - first) // step
    sources = (
        (series.treatment, np.nan),
        (series.control, np.nan),
        (series.treatment_weight, 0.0),
        (series.control_weight, 0.0),
        (series.treatment_n, 0.0),
        (series.control_n, 0.0),
    )
    columns = []
    for source, absent in sources:
        column = np.full(size, absent)
        column[row] = source[keep]
        columns.append(column)
    return columns


def _phase(series: Mapping[str, "MetricSeries"], step: int) -> int:
    """Where in a step the periods begin: 0 for full hours, 82,800 for days that begin at 23:00 UTC."""
    firsts = [one.timestamps[0] for one in series.values() if one.timestamps.size]
    if not firsts:
        raise InvalidInput("no metric has any data; publish at least one period")
    return _seconds64(firsts[0]) % step


def _seen_until(series: Mapping[str, "MetricSeries"], span: Span, step: int, phase: int) -> int:
    """The end of the newest period with data, or the look at the data where that is later."""
    newest = max(_seconds64(one.timestamps[-1]) for one in series.values() if one.timestamps.size) + step
    if span.seen_until is None:
        return newest
    return max(newest, (_seconds(span.seen_until) - phase) // step * step + phase)


def _seconds64(moment: np.datetime64) -> int:
    return int(moment.astype("datetime64[s]").astype(np.int64))


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _ceil(seconds: int, step: int, phase: int) -> int:
    """The first period that begins at or after `seconds`."""
    return -((phase - seconds) // step) * step + phase
