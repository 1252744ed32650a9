"""The contract's envelopes and the bodies that no stored record already has."""

from typing import Generic, Literal, TypeVar

from pydantic import Field

from rallyuxr.models import (
    ExperimentAnalysis,
    ExperimentDefinition,
    ExperimentResult,
    Interval,
    MetricValue,
    Record,
    Timestamp,
    Verdict,
)

T = TypeVar("T")


class Answer(Record, Generic[T]):
    """The envelope of every request that succeeded."""

    success: Literal[True] = True
    data: T


class ExperimentCreatedData(Record):
    """Where the new experiment is and when its results should be ready."""

    experiment_id: str
    status: Literal["draft"] = "draft"
    message: str
    estimated_completion_time: Timestamp


class Pagination(Record):
    """Where this page lies; `next_token` leads on at constant cost."""

    total: int
    limit: int
    offset: int
    has_more: bool
    next_token: str | None = None


class PortfolioTotals(Record):
    """Totals over every experiment, whatever the page or filter."""

    total_experiments: int
    completed_experiments: int
    total_economic_impact: float


class ExperimentListData(Record):
    """One page of experiments."""

    experiments: tuple[ExperimentDefinition, ...]
    pagination: Pagination
    summary: PortfolioTotals


class ExperimentDetailData(Record):
    """One experiment and what there is of it."""

    experiment: ExperimentDefinition
    has_results: bool
    has_analysis: bool
    participant_count: int | None = None


class ExperimentResultsData(Record):
    """An experiment with its data and its newest analysis; what does not exist yet is absent."""

    experiment: ExperimentDefinition
    results: ExperimentResult | None = None
    analysis: ExperimentAnalysis | None = None


class LinkData(Record):
    """Where to fetch an answer that is too large to be sent directly."""

    link: str
    expires_at: Timestamp
    size_bytes: int


class PublishedData(Record):
    """The data version an upload became; `created` is False when it was there already."""

    experiment_id: str
    data_version: int
    published_at: Timestamp
    created: bool


class MetricListData(Record):
    """Every priced metric."""

    metrics: tuple[MetricValue, ...]
    categories: tuple[str, ...]
    total_metrics: int


class MetricData(Record):
    """One priced metric."""

    metric: MetricValue


class MetricUpdateData(Record):
    """A changed price, the one before, and how many active experiments use it."""

    metric: MetricValue
    previous_value: float
    impacted_experiments: int


class HistoryEntry(Record):
    """One version of a price."""

    version: int
    dollars_per_unit: float
    updated_at: Timestamp
    updated_by: str | None = None
    change_reason: str | None = None


class HistoryData(Record):
    """Every version of a price, newest first."""

    history: tuple[HistoryEntry, ...]


class AnalysisLine(Record):
    """One analysis in a line."""

    analysis_id: str
    analysis_timestamp: Timestamp
    data_version: int
    version: str
    total_impact: float | None = None
    total_interval: Interval | None = None
    verdict: Verdict
    price_versions: dict[str, int] = Field(default_factory=dict)


class AnalysisListData(Record):
    """Every analysis of an experiment, newest first."""

    analyses: tuple[AnalysisLine, ...]


class AnalysisData(Record):
    """One analysis."""

    analysis: ExperimentAnalysis


class StatusChange(Record):
    """The move asked for; under `expected_version` it is refused when someone moved first."""

    status: Literal["running", "complete", "archived"]
    expected_version: int | None = Field(default=None, ge=1)


class ExperimentData(Record):
    """One experiment."""

    experiment: ExperimentDefinition
