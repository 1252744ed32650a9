"""Routes of experiments: create, list, read, results, status, analyses."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic.json_schema import SkipJsonSchema
from starlette.concurrency import run_in_threadpool

from rallyuxr.api import answers
from rallyuxr.api.answers import Answer
from rallyuxr.api.delivery import NOT_MODIFIED, deliver
from rallyuxr.api.dependencies import Deployment, RequestId
from rallyuxr.api.failures import UnsupportedMediaType, documented
from rallyuxr.api.idempotency import idempotency_key
from rallyuxr.api.links import leads_to
from rallyuxr.api.security import Analyst, Viewer
from rallyuxr.errors import NotFound
from rallyuxr.models import CreateExperiment, Status
from rallyuxr.publishing import publish_results
from rallyuxr.services import analyses, experiments, listing, results
from rallyuxr.services.results import PublishedVersion

router = APIRouter(prefix="/experiments", tags=["experiments"])
ExperimentId = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", examples=["0197a3c2-5d1e-7c40-9a51-3f1c2b7d9e10"])
]
SIMULATION_TAKES = timedelta(seconds=30)
RESULTS_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/ExperimentResult"}},
        "text/csv": {"schema": {"type": "string"}},
    },
}
CREATED = leads_to(
    "get_experiment",
    "get_results",
    "upload_results",
    "change_status",
    "archive",
    "rerun",
    "list_analyses",
    "export_experiment",
    experiment_id="/data/experimentId",
)
ANALYSED = leads_to(
    "get_analysis", experiment_id="/data/analysis/experimentId", analysis_id="/data/analysis/analysisId"
)


@router.post("", status_code=201, responses=CREATED | documented(409, 413))
def create_experiment(
    body: CreateExperiment, context: Deployment, caller: Analyst, request: Request, request_id: RequestId
) -> Answer[answers.ExperimentCreatedData]:
    """Create an experiment; a simulated one gets its results at once, every other one waits for data."""
    made = experiments.create_experiment(context, body, request_id=idempotency_key(request) or request_id)
    ready = made.created_at + SIMULATION_TAKES if made.data_source == "simulator" else made.end_date
    return Answer(
        data=answers.ExperimentCreatedData(
            experiment_id=made.id,
            message="Experiment created successfully",
            estimated_completion_time=max(ready, made.created_at),
        )
    )


@router.get("", responses=documented())
def list_experiments(
    context: Deployment,
    caller: Viewer,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    next_token: Annotated[str | SkipJsonSchema[None], Query(alias="nextToken", max_length=2000)] = None,
    status: Annotated[Status | SkipJsonSchema[None], Query()] = None,
    search: Annotated[str | SkipJsonSchema[None], Query(max_length=200)] = None,
) -> Answer[answers.ExperimentListData]:
    """List experiments, newest first; follow `nextToken` for the next page at constant cost."""
    page = listing.list_experiments(
        context, limit=limit, offset=offset, next_token=next_token, status=status, search=search
    )
    return Answer(
        data=answers.ExperimentListData(
            experiments=page.experiments,
            pagination=answers.Pagination(
                total=page.total, limit=limit, offset=offset, has_more=page.has_more, next_token=page.next_token
            ),
            summary=page.summary,
        )
    )


@router.get("/{experiment_id}", responses=documented(404))
def get_experiment(
    experiment_id: ExperimentId, context: Deployment, caller: Viewer
) -> Answer[answers.ExperimentDetailData]:
    """Read one experiment."""
    found = experiments.get_experiment(context, experiment_id)
    return Answer(
        data=answers.ExperimentDetailData(
            experiment=found,
            has_results=results.has_results(context, found),
            has_analysis=found.finding is not None,
            participant_count=found.participant_count,
        )
    )


@router.get(
    "/{experiment_id}/results",
    responses=NOT_MODIFIED | documented(404),
    response_model=Answer[answers.ExperimentResultsData | answers.LinkData],
)
def get_results(experiment_id: ExperimentId, context: Deployment, caller: Viewer, request: Request) -> Response:
    """Read an experiment's time series and newest analysis.

    The answer is gzip-compressed for callers that accept it. One too large for a Lambda's answer is
    stored for a day and its signed link sent instead. With its ETag in If-None-Match an unchanged answer is a 304.
    """
    experiment = experiments.get_experiment(context, experiment_id)
    try:
        record = results.result_record(experiment, results.load_results(context, experiment_id))
    except NotFound:
        record = None
    found = answers.ExperimentResultsData(
        experiment=experiment, results=record, analysis=analyses.current_analysis(context, experiment_id)
    )
    return deliver(request, context, Answer(data=found), f"{experiment_id}-results.json")


@router.post(
    "/{experiment_id}/results",
    status_code=201,
    responses=documented(404, 409, 413, 415),
    openapi_extra={"requestBody": RESULTS_BODY},
)
async def upload_results(
    experiment_id: ExperimentId,
    context: Deployment,
    caller: Analyst,
    request: Request,
    metric: Annotated[str | SkipJsonSchema[None], Query(pattern=r"^[a-z_]{1,64}$")] = None,
    time_zone: Annotated[str | SkipJsonSchema[None], Query(alias="timeZone", max_length=64)] = None,
) -> Answer[PublishedVersion]:
    """Upload results, as the contract's record or as CSV; they become the newest data version and are analysed.

    `metric` names the metric of a CSV that has no column for it, `timeZone` the zone of times without one.
    """
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type not in RESULTS_BODY["content"]:
        raise UnsupportedMediaType(
            f"Content-Type {media_type!r} is not read; send {', '.join(RESULTS_BODY['content'])}."
        )
    body = await request.body()
    published = await run_in_threadpool(
        publish_results, experiment_id, body, context=context, metric=metric, time_zone=time_zone
    )
    return Answer(data=published)


@router.put("/{experiment_id}/status", responses=documented(404, 409))
def change_status(
    experiment_id: ExperimentId, body: answers.StatusChange, context: Deployment, caller: Analyst
) -> Answer[answers.ExperimentBody]:
    """Move an experiment on: draft, running, complete, archived; an illegal move is a 409."""
    moved = experiments.move_status(context, experiment_id, body.status, expected_version=body.expected_version)
    return Answer(data=answers.ExperimentBody(experiment=moved))


@router.post("/{experiment_id}/archive", responses=documented(404, 409))
def archive(experiment_id: ExperimentId, context: Deployment, caller: Analyst) -> Answer[answers.ExperimentBody]:
    """Archive an experiment; nothing of it is deleted."""
    moved = experiments.move_status(context, experiment_id, "archived")
    return Answer(data=answers.ExperimentBody(experiment=moved))


@router.post("/{experiment_id}/analyses", status_code=201, responses=ANALYSED | documented(404, 409))
def rerun(experiment_id: ExperimentId, context: Deployment, caller: Analyst) -> Answer[answers.AnalysisData]:
    """Analyse the newest data with today's prices; the analyses before stay as they are."""
    return Answer(data=answers.AnalysisData(analysis=analyses.rerun_analysis(context, experiment_id)))


@router.get("/{experiment_id}/analyses", responses=documented(404))
def list_analyses(
    experiment_id: ExperimentId,
    context: Deployment,
    caller: Viewer,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    next_token: Annotated[str | SkipJsonSchema[None], Query(alias="nextToken", max_length=64)] = None,
) -> Answer[answers.AnalysisListData]:
    """List the analyses of an experiment, newest first; `nextToken` leads on to older ones."""
    lines = analyses.list_analyses(context, experiment_id, limit=limit + 1, before=next_token)
    shown = lines[:limit]
    following = shown[-1].analysis_id if len(lines) > limit else None
    return Answer(data=answers.AnalysisListData(analyses=shown, next_token=following))


@router.get("/{experiment_id}/analyses/{analysis_id}", responses=documented(404))
def get_analysis(
    experiment_id: ExperimentId,
    analysis_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")],
    context: Deployment,
    caller: Viewer,
) -> Answer[answers.AnalysisData]:
    """Read one analysis as it was stored."""
    return Answer(data=answers.AnalysisData(analysis=analyses.get_analysis(context, experiment_id, analysis_id)))
