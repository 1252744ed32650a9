"""Route of planning: what can a design detect, in units and in money?"""

from typing import Annotated, Self

from fastapi import APIRouter
from pydantic import Field, model_validator

from rallyuxr.api.answers import Answer
from rallyuxr.api.dependencies import Deployment
from rallyuxr.api.failures import documented
from rallyuxr.api.security import Viewer
from rallyuxr.models import Record
from rallyuxr.models.metric_value import MetricId
from rallyuxr.planning import DURATIONS
from rallyuxr.services.planning import PlanCurve, PlanQuestion, plan_from_history, plan_from_noise
from rallyuxr.stats.planning import stated_noise

router = APIRouter(tags=["planning"])
Days = Annotated[int, Field(ge=1, le=731)]


class StatedNoise(Record):
    """Noise as a person states it: the hourly difference between the arms' means, in stored values."""

    standard_deviation: float = Field(ge=1e-12, le=1e12)
    autocorrelation: float = Field(default=0.0, ge=0, le=0.98, description="from one hour to the next")


class PlanRequest(Record):
    """What to plan: a metric, with the noise of an earlier experiment or with stated noise."""

    metric: MetricId
    experiment_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    noise: StatedNoise | None = None
    durations: tuple[Days, ...] = Field(default=DURATIONS, min_length=1, max_length=20)
    baseline_days: int = Field(default=14, ge=0, le=365)
    confidence_level: float = Field(default=0.95, ge=0.5, le=0.999)
    power: float = Field(default=0.8, ge=0.1, le=0.99)
    effect: float | None = Field(default=None, ge=-1e12, le=1e12)
    level: float | None = Field(default=None, ge=-1e12, le=1e12)
    participants_per_day: float | None = Field(default=None, ge=1, le=1e12)

    @model_validator(mode="after")
    def _one_source_of_noise(self) -> Self:
        if (self.experiment_id is None) == (self.noise is None):
            raise ValueError("give either experimentId, whose history shows the noise, or noise")
        return self

    def question(self) -> PlanQuestion:
        """The part that says what is asked, whatever the noise."""
        return PlanQuestion(**{name: getattr(self, name) for name in PlanQuestion.model_fields})


@router.post("/planning", responses=documented(404))
def plan(body: PlanRequest, context: Deployment, caller: Viewer) -> Answer[PlanCurve]:
    """Say for each duration what effect would be found, and what it is worth at today's price."""
    if body.noise is not None:
        noise = stated_noise(body.noise.standard_deviation, autocorrelation=body.noise.autocorrelation)
        return Answer(data=plan_from_noise(context, body.metric, noise, body.question()))
    return Answer(data=plan_from_history(context, str(body.experiment_id), body.metric, body.question()))
