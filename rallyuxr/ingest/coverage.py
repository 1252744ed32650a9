"""What an upload covers: gaps, and how it lies to the experiment's baseline and window."""

from collections.abc import Iterator, Mapping
from datetime import datetime

import numpy as np

from rallyuxr.ingest.options import ReadOptions
from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.models import Caution, ExperimentData, ExperimentPlan, MetricSeries, iso_z
from rallyuxr.models.columns import Granularity, Hours, utc64
from rallyuxr.models.metric_value import ValueType

STEP = {"hourly": np.timedelta64(3600, "s"), "daily": np.timedelta64(86400, "s")}


def periods_of(data: ExperimentData) -> dict[str, Hours]:
    """Each metric's periods in order."""
    series = {metric_id: columns.timestamps for metric_id, columns in data.series.items()}
    return series | {metric_id: panel.periods for metric_id, panel in data.panels.items()}


def refuse_uncovered(data: ExperimentData, plan: ExperimentPlan, log: ProblemLog) -> None:
    """Report metrics of the plan without rows, and metrics without data in the experiment's window."""
    periods = periods_of(data)
    for metric_id in plan.metrics:
        if metric_id not in periods:
            log.add(
                f"The file has no usable rows of {metric_id}, which the experiment watches.",
                "Add its rows, or take the metric out of the experiment.",
                value=metric_id,
            )
    for metric_id, times in periods.items():
        inside = (times >= utc64(plan.start_date)) & (times < utc64(plan.end_date))
        if not inside.any():
            log.add(
                f"{metric_id} has no data between the experiment's start {iso_z(plan.start_date)} and end "
                f"{iso_z(plan.end_date)}; it covers {times[0]}Z to {times[-1]}Z.",
                "Upload the experiment's own period, or correct its dates.",
                value=metric_id,
            )


def refuse_future(data: ExperimentData, now: datetime, log: ProblemLog) -> None:
    """Report metrics whose data begins later than now."""
    for metric_id, times in periods_of(data).items():
        if later := int((times > utc64(now)).sum()):
            log.add(
                f"{metric_id} has data from the future: {later:,} of {times.size:,} periods, the last "
                f"{times[-1]}Z; it is {iso_z(now)} now.",
                "Check the dates and the time zone; only what was measured can be analysed.",
                value=metric_id,
            )


def cautions(data: ExperimentData, options: ReadOptions) -> Iterator[Caution]:
    """What the reader should know about an upload that can be used."""
    plan = options.experiment
    yield from _gaps(data.series, data.granularity)
    yield from _ratios(data.series, options.value_types)
    if plan is not None:
        for metric_id, times in periods_of(data).items():
            yield from _baseline(metric_id, times, plan)
            yield from _outside(metric_id, times, plan)


def _gaps(series: Mapping[str, MetricSeries], granularity: Granularity) -> Iterator[Caution]:
    name = {"hourly": "hours", "daily": "days"}.get(granularity, "periods")
    for metric_id, columns in series.items():
        missing, expected, first = missing_periods(columns.timestamps, granularity)
        if first is not None:
            yield Caution(
                code="gap",
                message=f"{metric_id}: {missing:,} of {expected:,} {name} have no data, the first {first}Z. "
                "They are left out, not read as zero.",
            )
        if alone := int((np.isnan(columns.treatment) | np.isnan(columns.control)).sum()):
            yield Caution(
                code="one_arm",
                message=f"{metric_id}: in {alone:,} {name} only one arm has data; they cannot be compared.",
            )


def _ratios(series: Mapping[str, MetricSeries], value_types: Mapping[str, ValueType]) -> Iterator[Caution]:
    for metric_id, columns in series.items():
        if value_types.get(metric_id) == "ratio" and columns.treatment_denominator is None:
            yield Caution(
                code="no_denominator",
                message=f"{metric_id} is a ratio, but the file has no denominator for it; its hours are weighted "
                "by participants instead.",
            )


def missing_periods(times: Hours, granularity: Granularity) -> tuple[int, int, np.datetime64 | None]:
    """How many periods are missing between the first and the last, of how many, and the first missing one."""
    step = STEP[granularity]
    skipped = np.rint(np.diff(times) / step).astype(np.int64) - 1
    missing = int(skipped.sum())
    first = times[int(np.argmax(skipped > 0))] + step if missing else None
    return missing, times.size + missing, first


def _baseline(metric_id: str, times: Hours, plan: ExperimentPlan) -> Iterator[Caution]:
    before = times[times < utc64(plan.start_date)]
    if not plan.baseline_days or not before.size:
        yield Caution(
            code="no_baseline",
            message=f"{metric_id}: there is no data before the start {iso_z(plan.start_date)}, so the result will "
            "be a difference in means, not a difference-in-differences.",
        )
    elif before[0] - np.timedelta64(1, "D") >= utc64(plan.baseline_start):
        days = float((utc64(plan.start_date) - before[0]) / np.timedelta64(1, "D"))
        yield Caution(
            code="short_baseline",
            message=f"{metric_id}: the baseline has {days:g} of the planned {plan.baseline_days} days.",
        )


def _outside(metric_id: str, times: Hours, plan: ExperimentPlan) -> Iterator[Caution]:
    outside = (times < utc64(plan.baseline_start)) | (times >= utc64(plan.end_date))
    if outside.any():
        yield Caution(
            code="outside_window",
            message=f"{metric_id}: {int(outside.sum()):,} of {times.size:,} periods lie before the baseline or "
            "after the end; they are kept but not analysed.",
        )
