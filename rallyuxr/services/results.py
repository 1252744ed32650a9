"""Publish an experiment's results as a new data version, and read them back."""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from rallyuxr.errors import Conflict, InvalidInput
from rallyuxr.models import (
    ExperimentData,
    ExperimentDefinition,
    ExperimentResult,
    MetricResult,
    MetricSeries,
    PublishedData,
    Record,
    ResultPeriod,
    SeriesSummary,
    TimePoint,
    Timestamp,
    UnitPanel,
)
from rallyuxr.models.columns import Floats
from rallyuxr.services.context import Context


class PublishedVersion(Record):
    """A published data version; `created` is False where the newest one held the same content already."""

    data_version: int
    published_at: Timestamp
    created: bool


def publish_results(
    ctx: Context, experiment_id: str, data: ExperimentData, *, after: int | None = None
) -> PublishedVersion:
    """Store a new data version; its analysis follows by itself. The same content again makes no new version.

    Whoever computed the data from sources that change says which version was the newest `after` which these were
    read, 0 for none: older sources then never replace newer ones.

    Raises:
        NotFound: no such experiment.
        VersionConflict: something else was published since version `after`; nothing was stored.
        Conflict: the experiment is archived.
        InvalidInput: metrics the experiment does not track, none at all, or columns that do not fit together.
    """
    experiment = ctx.store.experiments.get(experiment_id)
    if experiment.status == "archived":
        raise Conflict(f"Experiment {experiment_id} is archived; its results stay as they are.")
    _check(experiment, data)
    manifest, created = ctx.store.results.publish(experiment_id, data, ctx.change(), after=after)
    return PublishedVersion(data_version=manifest.data_version, published_at=manifest.published_at, created=created)


def has_results(ctx: Context, experiment: ExperimentDefinition) -> bool:
    """Whether data was published, analysed already or not: one small read where it was not."""
    return experiment.finding is not None or ctx.store.results.newest(experiment.id) is not None


def load_results(ctx: Context, experiment_id: str, data_version: int | None = None) -> PublishedData:
    """A data version, the newest by default; raises `NotFound` where there is none."""
    return ctx.store.results.load(experiment_id, data_version)


def result_record(experiment: ExperimentDefinition, published: PublishedData) -> ExperimentResult:
    """The contract's record of a data version; a period that one arm has no data for is left out."""
    data = published.data
    metrics = {metric_id: _series_record(experiment, series) for metric_id, series in data.series.items()}
    metrics |= {
        metric_id: _series_record(experiment, period_means(panel)) for metric_id, panel in data.panels.items()
    }
    window = [series.window(experiment.start_date, experiment.end_date) for series in data.series.values()]
    return ExperimentResult(
        experiment_id=published.experiment_id,
        metrics=metrics,
        generated_at=published.published_at,
        experiment_period=ResultPeriod(
            start_date=experiment.start_date,
            end_date=experiment.end_date,
            total_hours=max((len(series.timestamps) for series in window), default=0),
        ),
        data_version=published.data_version,
        data_source=data.source,
        granularity=data.granularity,
        truth=dict(data.truth) if data.truth is not None else None,
    )


def period_means(panel: UnitPanel) -> MetricSeries:
    """Both arms of a panel as means over their units, period by period; NaN where an arm has no unit."""
    treated = panel.treated[panel.unit].astype(bool)

    def mean_and_count(arm: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        periods = len(panel.periods)
        count = np.bincount(panel.period[arm], minlength=periods).astype(np.float64)
        total = np.bincount(panel.period[arm], weights=panel.outcome[arm], minlength=periods)
        return np.divide(total, count, out=np.full(periods, np.nan), where=count > 0), count

    (treatment, treatment_n), (control, control_n) = mean_and_count(treated), mean_and_count(~treated)
    return MetricSeries(panel.periods, treatment, control, treatment_n, control_n)


def _series_record(experiment: ExperimentDefinition, series: MetricSeries) -> MetricResult:
    return MetricResult(
        time_series=_points(series),
        summary=SeriesSummary.of(series.window(experiment.start_date, experiment.end_date)),
    )


def _points(series: MetricSeries) -> tuple[TimePoint, ...]:
    there = ~(np.isnan(series.treatment) | np.isnan(series.control))
    absent = [None] * len(there)
    columns = (
        [f"{moment}Z" for moment in series.timestamps],
        series.treatment.tolist(),
        series.control.tolist(),
        series.treatment_n.tolist(),
        series.control_n.tolist(),
        absent if series.treatment_denominator is None else series.treatment_denominator.tolist(),
        absent if series.control_denominator is None else series.control_denominator.tolist(),
    )
    names = tuple(TimePoint.model_fields)
    rows = (row for row, keep in zip(zip(*columns, strict=True), there, strict=True) if keep)
    return tuple(TimePoint.model_validate(dict(zip(names, row, strict=True))) for row in rows)


def _check(experiment: ExperimentDefinition, data: ExperimentData) -> None:
    if not data.metric_ids:
        raise InvalidInput(
            "The results hold no metric; send at least one of " + ", ".join(experiment.metrics) + "."
        )
    if strangers := sorted(set(data.metric_ids) - set(experiment.metrics)):
        raise InvalidInput(
            f"The results hold {', '.join(strangers)}, which the experiment does not track; "
            f"it tracks {', '.join(experiment.metrics)}. Rename or drop those columns."
        )
    for metric_id, series in data.series.items():
        if problem := _series_problem(series):
            raise InvalidInput(f"{metric_id}: {problem}")
    for metric_id, panel in data.panels.items():
        if problem := _panel_problem(panel):
            raise InvalidInput(f"{metric_id}: {problem}")


def _series_problem(series: MetricSeries) -> str | None:
    columns = {
        "treatment": series.treatment,
        "control": series.control,
        "treatment_n": series.treatment_n,
        "control_n": series.control_n,
        "treatment_denominator": series.treatment_denominator,
        "control_denominator": series.control_denominator,
    }
    lengths = {len(column) for column in (series.timestamps, *columns.values()) if column is not None}
    if lengths == {0} or len(lengths) != 1:
        return f"columns have {' and '.join(map(str, sorted(lengths)))} rows; all need the same number, above 0."
    if (np.diff(series.timestamps.astype(np.int64)) <= 0).any():
        return "timestamps must grow from row to row; sort them and keep one row per period."
    for name, column in columns.items():
        if column is None:
            continue
        counts = name not in ("treatment", "control")
        if np.isinf(column).any() or (counts and (np.isnan(column).any() or (column < 0).any())):
            return f"{name} holds {'a missing, infinite or negative' if counts else 'an infinite'} number."
    return None


def _panel_problem(panel: UnitPanel) -> str | None:
    rows = {len(panel.unit), len(panel.period), len(panel.outcome)}
    if len(rows) != 1 or rows == {0}:
        return "unit, period and outcome need the same number of rows, above 0."
    if len(panel.treated) != len(panel.units):
        return "every unit needs to be treated or not."
    if not np.isfinite(panel.outcome).all():
        return "outcome holds a missing or infinite number; leave such rows out."
    if panel.unit.max() >= len(panel.units) or panel.period.max() >= len(panel.periods):
        return "a row names a unit or period that is not listed."
    return None


def last_period_end(data: ExperimentData) -> datetime:
    """The end of the last period there is data for."""
    step = {"hourly": np.timedelta64(1, "h"), "daily": np.timedelta64(1, "D"), "units": np.timedelta64(0, "s")}
    ends = [series.timestamps[-1] for series in data.series.values()]
    ends += [panel.periods[-1] for panel in data.panels.values()]
    moment = (max(ends) + step[data.granularity]).astype("datetime64[s]").astype(np.int64)
    return datetime.fromtimestamp(int(moment), UTC)
