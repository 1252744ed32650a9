"""Readings to the two series of each metric: duplicates refused, finer rows averaged into their hour."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from rallyuxr.ingest.cells import Flags
from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.ingest.readings import Readings
from rallyuxr.models import Caution, MetricSeries
from rallyuxr.models.columns import Floats, Hours

HOUR, DAY = np.timedelta64(3600, "s"), np.timedelta64(86400, "s")
SHORTEST_DAY, LONGEST_DAY = np.timedelta64(23 * 3600, "s"), np.timedelta64(25 * 3600, "s")


def ordered(readings: Readings) -> Readings:
    """The readings by metric, arm and time; rows of one cell keep the file's order."""
    return readings.take(np.lexsort((readings.time, readings.treated, readings.metric)))


def refuse_duplicates(readings: Readings, log: ProblemLog) -> None:
    """Report every second reading of one metric, arm and time; `readings` are ordered."""
    for position in np.flatnonzero(_same_cell(readings)) + 1:
        arm = "treatment" if readings.treated[position] else "control"
        log.add(
            f"{readings.metrics[readings.metric[position]]} already has a {arm} value for this time, "
            f"in row {readings.row[position - 1]}.",
            "Keep one row for each metric, arm and time.",
            row=int(readings.row[position]),
            value=f"{readings.time[position]}Z",
        )


def into_hours(readings: Readings) -> Readings:
    """Move every time to the start of its hour and average what falls together, weighted as the analysis weights.

    An hour's value is Σ w·y / Σ w with the participants (or the denominator) as w; participants and denominators
    add up. `readings` are ordered.
    """
    hourly = replace(readings, time=_floor(readings.time))
    starts = np.concatenate([[0], np.flatnonzero(~_same_cell(hourly)) + 1])
    if starts.size >= hourly.row.size:
        return hourly
    value = np.add.reduceat(hourly.weight * hourly.value, starts) / np.add.reduceat(hourly.weight, starts)
    denominator = None if hourly.denominator is None else np.add.reduceat(hourly.denominator, starts)
    return replace(
        hourly.take(starts),
        value=value,
        participants=np.add.reduceat(hourly.participants, starts),
        denominator=denominator,
    )


def cautions(readings: Readings, hourly: Readings) -> Iterator[Caution]:
    """What `into_hours` did to the readings, if anything."""
    if off := int(np.count_nonzero(readings.time != _floor(readings.time))):
        yield Caution(
            code="not_on_the_hour",
            message=f"{off:,} of {readings.row.size:,} values do not begin on a full hour; each counts in the hour "
            f"it lies in. Values of one hour were averaged, weighted by sample size: {hourly.row.size:,} are left.",
        )


def granularity(times: Hours, log: ProblemLog) -> Literal["hourly", "daily"]:
    """Hours, or days where no two times are nearer than a day (23 hours when clocks change).

    Anything coarser goes to `log`.
    """
    steps = np.diff(np.unique(times))
    if not steps.size or steps.min() < SHORTEST_DAY:
        return "hourly"
    if np.median(steps) > LONGEST_DAY:
        log.add(
            f"The rows are {float(np.median(steps) / DAY):g} days apart.",
            "Give hourly or daily values, or unit-level rows (unit, period, treated, outcome).",
        )
    return "daily"


def to_series(readings: Readings) -> dict[str, MetricSeries]:
    """Each metric's arms side by side over the hours that either has."""
    return {
        metric_id: _pair(readings.take(readings.metric == code))
        for code, metric_id in enumerate(readings.metrics)
        if (readings.metric == code).any()
    }


def refuse_one_arm(series: Mapping[str, MetricSeries], log: ProblemLog) -> None:
    """Report every metric without a single value in one of its arms."""
    for metric_id, columns in series.items():
        for arm, n in (("treatment", columns.treatment_n), ("control", columns.control_n)):
            if not n.any():
                log.add(
                    f"{metric_id} has no {arm} values, so there is nothing to compare.",
                    "Upload both arms: rows of treatment and rows of control.",
                    value=metric_id,
                )


def _pair(readings: Readings) -> MetricSeries:
    times = np.unique(readings.time)

    def column(values: Floats, arm: Flags, absent: float) -> Floats:
        full = np.full(times.size, absent)
        full[np.searchsorted(times, readings.time[arm])] = values[arm]
        return full

    treated, control = readings.treated, ~readings.treated
    denominator = readings.denominator
    if denominator is not None and np.isnan(denominator).all():
        denominator = None
    return MetricSeries(
        timestamps=times,
        treatment=column(readings.value, treated, np.nan),
        control=column(readings.value, control, np.nan),
        treatment_n=column(readings.participants, treated, 0.0),
        control_n=column(readings.participants, control, 0.0),
        treatment_denominator=None if denominator is None else column(denominator, treated, 0.0),
        control_denominator=None if denominator is None else column(denominator, control, 0.0),
    )


def _same_cell(readings: Readings) -> Flags:
    """Whether each reading but the first is of the same metric, arm and time as the one before; shape (N − 1,)."""
    keys = (readings.metric, readings.treated, readings.time)
    same: Flags = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    return same


def _floor(times: Hours) -> Hours:
    return times.astype("datetime64[h]").astype("datetime64[s]")
