"""Routes that give files: one experiment, or all of them in a line each."""

from collections.abc import Callable
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic.json_schema import SkipJsonSchema

from rallyuxr.api.delivery import NOT_MODIFIED, deliver_bytes
from rallyuxr.api.dependencies import Deployment
from rallyuxr.api.experiments import ExperimentId
from rallyuxr.api.failures import documented
from rallyuxr.api.security import Viewer
from rallyuxr.services import exports
from rallyuxr.services.context import Context

router = APIRouter(tags=["exports"])
Format = Annotated[Literal["csv", "json"], Query()]
MEDIA_TYPES = {"csv": "text/csv", "json": "application/json"}
WRITERS: dict[str, Callable[[Context, str], bytes]] = {
    "csv": exports.experiment_csv,
    "json": exports.experiment_json,
}
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/csv": {"schema": {"type": "string"}}, "application/json": {"schema": {}}},
        "description": "The file, or a link to it where it is too large.",
    },
    **NOT_MODIFIED,
}


@router.get(
    "/experiments/{experiment_id}/export",
    responses=FILE | documented(404),
    response_class=Response,
    tags=["experiments"],
)
def export_experiment(
    experiment_id: ExperimentId, context: Deployment, caller: Viewer, request: Request, format: Format = "csv"
) -> Response:
    """Export one experiment: its results as CSV, or everything about it as JSON."""
    payload = WRITERS[format](context, experiment_id)
    return deliver_bytes(
        request, context, payload, MEDIA_TYPES[format], f"{experiment_id}.{format}", attachment=True
    )


@router.get("/exports/experiments", responses=FILE | documented(), response_class=Response)
def export_portfolio(
    context: Deployment,
    caller: Viewer,
    request: Request,
    format: Format = "csv",
    limit: Annotated[int, Query(ge=1, le=exports.MOST_LINES)] = exports.MOST_LINES,
    next_token: Annotated[str | SkipJsonSchema[None], Query(alias="nextToken", max_length=500)] = None,
) -> Response:
    """Export experiments in a line each, newest first: plan, status, effect in money with its interval, verdict.

    Where there are more than `limit`, the header Link (rel="next") leads on, in JSON `nextToken` too.
    """
    page = exports.portfolio_page(context, format, limit=limit, next_token=next_token)
    answer = deliver_bytes(
        request, context, page.content, MEDIA_TYPES[format], f"experiments.{format}", attachment=True
    )
    if page.next_token:
        following = urlencode({"format": format, "limit": limit, "nextToken": page.next_token})
        answer.headers["Link"] = f'<?{following}>; rel="next"'
    return answer
