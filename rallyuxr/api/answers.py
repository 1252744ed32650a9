"""The contract's envelopes and the bodies that no stored record already has."""

from typing import Generic, Literal, TypeVar

from pydantic import Field

from rallyuxr.models import (
    ExperimentAnalysis,
    ExperimentDefinition,
    ExperimentResult,
    MetricValue,
    Record,
    Status,
    Timestamp,
)
from rallyuxr.services.listing import PortfolioSummary
from rallyuxr.store import AnalysisSummary

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
    """Where this page lies; `next_token` leads on at constant cost; a search does not count its `total`."""

    total: int | None = None
    limit: int
    offset: int
    has_more: bool
    next_token: str | None = None


class ExperimentListData(Record):
    """One page of experiments."""

    experiments: tuple[ExperimentDefinition, ...]
    pagination: Pagination
    summary: PortfolioSummary


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


class MetricListData(Record):
    """Every priced metric."""

    metrics: tuple[MetricValue, ...]
    categories: tuple[str, ...]
    total_metrics: int


class MetricData(Record):
    """One priced metric."""

    metric: MetricValue


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


class AnalysisListData(Record):
    """Analyses of an experiment, newest first; `next_token` leads on to older ones."""

    analyses: tuple[AnalysisSummary, ...]
    next_token: str | None = None


class AnalysisData(Record):
    """One analysis."""

    analysis: ExperimentAnalysis


class StatusChange(Record):
    """The move asked for; under `expected_version` it is refused when someone moved first."""

    status: Status
    expected_version: int | None = Field(default=None, ge=1)


class ExperimentBody(Record):
    """One experiment."""

    experiment: ExperimentDefinition
