"""What a caller may say about an upload; everything else is recognised."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from rallyuxr.errors import InvalidInput
from rallyuxr.models import ExperimentPlan
from rallyuxr.models.metric_value import ValueType

Arm = Literal["treatment", "control"]
MAX_BYTES = 64 * 2**20
MAX_ROWS = 5_000_000
TOO_LARGE = "Aggregate to hours or days, or keep only the experiment's metrics and window."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How to read results; every field may be left out.

    Attributes:
        experiment: the plan the data is for: its metrics, window and baseline are checked.
        mapping: field → column of the file, where the names do not tell, such as ``{"sample_size": "Besucher"}``.
        metric: the metric, when the file holds one and has no column for it.
        arms: further names of the arms, such as ``{"new": "treatment", "old": "control"}``.
        time_zone: the IANA zone of times written without one. Without it such times are refused.
        period_starts: when each period of unit-level rows begins, for periods that are no dates.
        value_types: by metric; proportions must lie between 0 and 1.
        delimiter, decimal: of a CSV file; the delimiter is recognised, the decimal sign is a point.
        now: times after it are refused.
        max_bytes, max_rows: larger sources are refused before they are parsed.
    """

    experiment: ExperimentPlan | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    metric: str | None = None
    arms: Mapping[str, Arm] = field(default_factory=dict)
    time_zone: str | None = None
    period_starts: Mapping[str, date | datetime] = field(default_factory=dict)
    value_types: Mapping[str, ValueType] = field(default_factory=dict)
    delimiter: str | None = None
    decimal: Literal[".", ","] = "."
    now: datetime | None = None
    max_bytes: int = MAX_BYTES
    max_rows: int = MAX_ROWS

    def __post_init__(self) -> None:
        if self.time_zone is not None:
            try:
                ZoneInfo(self.time_zone)
            except (KeyError, ValueError, OSError):
                raise InvalidInput(
                    f"{self.time_zone!r} is not an IANA time zone; give one such as Europe/Berlin or UTC."
                ) from None

    @property
    def only_metric(self) -> str | None:
        """The metric of rows that do not name one: the option's, or the experiment's when it has just one."""
        if self.metric is None and self.experiment is not None and len(self.experiment.metrics) == 1:
            return self.experiment.metrics[0]
        return self.metric
