"""An experiment's results as the contract's records, for the wire; `columns` holds them for computing."""

import numpy as np
from pydantic import Field

from rallyuxr.models.base import Record, Timestamp
from rallyuxr.models.columns import Floats, Granularity, MetricSeries
from rallyuxr.models.experiment import DataSource
from rallyuxr.models.metric_value import MetricId


class TimePoint(Record):
    """Both arms in one hour (or day, or period of a panel)."""

    timestamp: Timestamp
    treatment_value: float
    control_value: float
    treatment_sample_size: float = Field(ge=0)
    control_sample_size: float = Field(ge=0)
    treatment_denominator: float | None = Field(default=None, ge=0)
    control_denominator: float | None = Field(default=None, ge=0)


class SeriesSummary(Record):
    """The experiment window in four numbers; means are weighted by sample size, absent without data."""

    treatment_mean: float | None = None
    control_mean: float | None = None
    total_treatment_samples: float = Field(ge=0)
    total_control_samples: float = Field(ge=0)

    @classmethod
    def of(cls, series: MetricSeries) -> "SeriesSummary":
        """The means Σ n·y / Σ n of both arms and their participants; an absent period counts for nothing."""
        return cls(
            treatment_mean=_weighted_mean(series.treatment, series.treatment_weight),
            control_mean=_weighted_mean(series.control, series.control_weight),
            total_treatment_samples=float(series.treatment_n.sum()),
            total_control_samples=float(series.control_n.sum()),
        )


class MetricResult(Record):
    """One metric's time series, baseline included, and the summary of its experiment window."""

    time_series: tuple[TimePoint, ...]
    summary: SeriesSummary


class ResultPeriod(Record):
    """The experiment window; `total_hours` counts its data points."""

    start_date: Timestamp
    end_date: Timestamp
    total_hours: int = Field(ge=0)


class ExperimentResult(Record):
    """The contract's record of an experiment's data.

    `truth` is there only for simulated data: the effect that was planted, by metric, in stored values.
    """

    experiment_id: str
    metrics: dict[MetricId, MetricResult]
    generated_at: Timestamp
    experiment_period: ResultPeriod
    data_version: int = Field(ge=1)
    data_source: DataSource
    granularity: Granularity = "hourly"
    truth: dict[MetricId, float] | None = None


def _weighted_mean(values: Floats, weights: Floats) -> float | None:
    there = ~np.isnan(values) & (weights > 0)
    return float(np.average(values[there], weights=weights[there])) if there.any() else None
