"""Routes about the system itself: health and failures."""

from fastapi import APIRouter
from pydantic import Field

from rallyuxr.api.answers import Answer
from rallyuxr.api.dependencies import Deployment
from rallyuxr.api.failures import documented
from rallyuxr.api.security import Admin, AnyCaller
from rallyuxr.models import Record
from rallyuxr.services import operations
from rallyuxr.services.operations import FailureLine, HealthReport
from rallyuxr.version import __version__

router = APIRouter(tags=["system"])


class HealthData(HealthReport):
    """The system's health, and which version answers."""

    version: str = __version__


class FailureListData(Record):
    """What waits in the queue of failures, oldest first."""

    failures: tuple[FailureLine, ...]


class RedriveData(Record):
    """How many failures were sent through again."""

    redriven: int = Field(ge=0)


@router.get("/health", responses=documented())
def health(context: Deployment, caller: AnyCaller) -> Answer[HealthData]:
    """Probe the database, the last analysis and the queue of failures; explanations are for admins."""
    report = dict(operations.health(context))
    if not caller.runs_the_service:
        report["explanations"] = {}
    return Answer(data=HealthData(**report))


@router.get("/failures", responses=documented())
def failures(context: Deployment, caller: Admin) -> Answer[FailureListData]:
    """List the records that could not be processed, with the reason."""
    return Answer(data=FailureListData(failures=operations.list_failures(context)))


@router.post("/failures/redrive", responses=documented())
def redrive(context: Deployment, caller: Admin) -> Answer[RedriveData]:
    """Send every waiting failure through the pipeline again."""
    return Answer(data=RedriveData(redriven=operations.redrive(context, None)))
