"""What the Lambdas say to each other."""

from typing import Literal

from pydantic import Field

from rallyuxr.models.base import Record, Timestamp
from rallyuxr.models.experiment import ExperimentDefinition


class ExperimentCreated(Record):
    """Main API to results generator, sent asynchronously after an experiment was created."""

    event_type: Literal["EXPERIMENT_CREATED"] = "EXPERIMENT_CREATED"
    experiment_id: str
    experiment: ExperimentDefinition
    timestamp: Timestamp
    request_id: str


class GeneratedRange(Record):
    """What span of data was made."""

    start_date: Timestamp
    end_date: Timestamp
    granularity: Literal["hourly"] = "hourly"


class ResultsGenerated(Record):
    """The results generator's answer."""

    success: bool
    experiment_id: str
    results_generated: int = Field(ge=0, description="data points created")
    metrics_processed: tuple[str, ...]
    time_range: GeneratedRange
    error: str | None = None
