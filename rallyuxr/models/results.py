"""An experiment's results: the contract's record for the wire, columns for computing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rallyuxr.models.base import Record, Timestamp
from rallyuxr.models.experiment import DataSource
from rallyuxr.models.metric_value import MetricId

Floats = NDArray[np.float64]
Hours = NDArray[np.datetime64]
Granularity = Literal["hourly", "daily", "units"]


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


@dataclass(frozen=True, slots=True, eq=False)
class MetricSeries:
    """One metric's two arms as columns, sorted by time, one row per period that has data.

    Attributes:
        timestamps: `datetime64[s]` UTC, shape (T,), strictly increasing: the start of each period.
        treatment, control: means over participants, shape (T,); NaN where that arm has no data.
        treatment_n, control_n: participants behind them, shape (T,).
        treatment_denominator, control_denominator: for ratio metrics, what the value is per; shape (T,)
            or None. They replace the participants as weights.
    """

    timestamps: Hours
    treatment: Floats
    control: Floats
    treatment_n: Floats
    control_n: Floats
    treatment_denominator: Floats | None = None
    control_denominator: Floats | None = None

    @property
    def treatment_weight(self) -> Floats:
        """What a treated period counts by in a window's mean."""
        return self.treatment_n if self.treatment_denominator is None else self.treatment_denominator

    @property
    def control_weight(self) -> Floats:
        """What a control period counts by in a window's mean."""
        return self.control_n if self.control_denominator is None else self.control_denominator

    def summary(self) -> SeriesSummary:
        """The means Σ n·y / Σ n of both arms and their participants; an absent period counts for nothing."""
        return SeriesSummary(
            treatment_mean=_weighted_mean(self.treatment, self.treatment_weight),
            control_mean=_weighted_mean(self.control, self.control_weight),
            total_treatment_samples=float(self.treatment_n.sum()),
            total_control_samples=float(self.control_n.sum()),
        )

    def window(self, start: datetime, end: datetime) -> "MetricSeries":
        """The rows with start <= timestamp < end."""
        keep = (self.timestamps >= utc64(start)) & (self.timestamps < utc64(end))
        return MetricSeries(
            *(
                None if column is None else column[keep]
                for column in (
                    self.timestamps,
                    self.treatment,
                    self.control,
                    self.treatment_n,
                    self.control_n,
                    self.treatment_denominator,
                    self.control_denominator,
                )
            )  # type: ignore[arg-type]
        )


@dataclass(frozen=True, slots=True, eq=False)
class UnitPanel:
    """One metric observed on units (people, stores, states) over periods, as dense codes.

    Attributes:
        units: names of the units, shape (U,).
        periods: `datetime64[s]` UTC starts of the periods, shape (P,), strictly increasing.
        unit, period: codes into them, shape (N,).
        treated: 1 where the unit belongs to the treated arm, shape (U,).
        outcome: shape (N,).
    """

    units: tuple[str, ...]
    periods: Hours
    unit: NDArray[np.int32]
    period: NDArray[np.int32]
    treated: NDArray[np.int8]
    outcome: Floats


@dataclass(frozen=True, slots=True, eq=False)
class ExperimentData:
    """Everything one data version holds, as columns: what is published, stored, loaded and analysed.

    A metric is in `series` or in `panels`. `truth` holds planted effects of simulated data, in stored values.
    """

    series: Mapping[str, MetricSeries] = field(default_factory=dict)
    panels: Mapping[str, UnitPanel] = field(default_factory=dict)
    granularity: Granularity = "hourly"
    source: DataSource = "upload"
    truth: Mapping[str, float] | None = None

    @property
    def metric_ids(self) -> tuple[str, ...]:
        """The metrics there are, series first."""
        return (*self.series, *self.panels)


@dataclass(frozen=True, slots=True, eq=False)
class PublishedData:
    """A stored data version: the data, when it was published and its number."""

    experiment_id: str
    data_version: int
    published_at: datetime
    data: ExperimentData


def _weighted_mean(values: Floats, weights: Floats) -> float | None:
    there = ~np.isnan(values) & (weights > 0)
    return float(np.average(values[there], weights=weights[there])) if there.any() else None


def utc64(moment: datetime) -> np.datetime64:
    """An aware time as `datetime64[s]` in UTC."""
    return np.datetime64(int(moment.timestamp()), "s")
