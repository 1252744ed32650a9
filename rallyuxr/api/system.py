"""Routes about the system itself: health and failures."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import Field

from rallyuxr.api.answers import Answer
from rallyuxr.api.dependencies import Deployment
from rallyuxr.api.failures import documented
from rallyuxr.api.security import Admin
from rallyuxr.models import Record, Timestamp
from rallyuxr.services import operations
from rallyuxr.version import __version__

router = APIRouter(tags=["system"])
Condition = Literal["healthy", "degraded", "down"]


class Services(Record):
    """The parts and how they are."""

    database: Condition
    analysis_engine: Condition
    results_generator: Condition


class HealthData(Record):
    """The system's health; `explanations` says why a part is not healthy."""

    status: Condition
    timestamp: Timestamp
    services: Services
    version: str
    failures: int | None = Field(default=None, ge=0, description="records waiting in the queue of failures")
    last_analysis_at: Timestamp | None = None
    explanations: dict[str, str] = Field(default_factory=dict)


class RedriveData(Record):
    """How many failures were sent through again."""

    redriven: int = Field(ge=0)


@router.get("/health", responses=documented())
def health(context: Deployment) -> Answer[HealthData]:
    """Probe the database, the last analysis and the queue of failures."""
    report = operations.health(context)
    data: dict[str, Any] = {**report.to_json(), "version": __version__}
    return Answer(data=HealthData.model_validate(data))


@router.post("/failures/redrive", responses=documented())
def redrive(context: Deployment, caller: Admin) -> Answer[RedriveData]:
    """Send every waiting failure through the pipeline again."""
    return Answer(data=RedriveData(redriven=operations.redrive(context, None)))
