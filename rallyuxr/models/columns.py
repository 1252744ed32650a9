"""An experiment's results as columns, for computing; loaded without what reads records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rallyuxr.models.experiment import DataSource

Floats = NDArray[np.float64]
Hours = NDArray[np.datetime64]
Granularity = Literal["hourly", "daily", "units"]


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
    source: "DataSource" = "upload"
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


def utc64(moment: datetime) -> np.datetime64:
    """An aware time as `datetime64[s]` in UTC."""
    return np.datetime64(int(moment.timestamp()), "s")
