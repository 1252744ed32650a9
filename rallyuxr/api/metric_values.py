"""Routes of metric values: list, create, change, history, reprice preview."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Response
from pydantic.json_schema import SkipJsonSchema

from rallyuxr.api import answers
from rallyuxr.api.answers import Answer
from rallyuxr.api.dependencies import Deployment
from rallyuxr.api.failures import documented
from rallyuxr.api.links import leads_to
from rallyuxr.api.security import Admin, Viewer
from rallyuxr.errors import InvalidInput
from rallyuxr.models import CreateMetricValue, MetricValue, Price, Record, UpdateMetricValue
from rallyuxr.models.metric_value import CATEGORIES
from rallyuxr.services import metric_values, repricing
from rallyuxr.services.metric_values import MetricValueUpdate
from rallyuxr.services.repricing import RepricePreview

router = APIRouter(prefix="/metric-values", tags=["metric values"])
MetricIdPath = Annotated[str, Path(alias="id", pattern=r"^[a-z_]{1,64}$", examples=["conversion_rate"])]

IfMatch = Annotated[str | SkipJsonSchema[None], Header(pattern=r'^(W/)?"?[0-9]{1,9}"?$', examples=['"3"'])]
PRICED = leads_to(
    "get_metric_value", "update_metric_value", "metric_history", "reprice_preview", id="/data/metric/metricId"
)


class RepriceRequest(Record):
    """The price to try out."""

    dollars_per_unit: Price


@router.get("", responses=documented())
def list_metric_values(context: Deployment, caller: Viewer) -> Answer[answers.MetricListData]:
    """List every priced metric."""
    found = metric_values.list_metric_values(context)
    return Answer(data=answers.MetricListData(metrics=found, categories=CATEGORIES, total_metrics=len(found)))


@router.post("", status_code=201, responses=PRICED | documented(409))
def create_metric_value(
    body: CreateMetricValue, context: Deployment, caller: Admin, response: Response
) -> Answer[answers.MetricData]:
    """Price a new metric."""
    metric = metric_values.create_metric_value(context, body)
    response.headers["ETag"] = _etag(metric)
    return Answer(data=answers.MetricData(metric=metric))


@router.get("/{id}", responses=documented(404))
def get_metric_value(
    metric_id: MetricIdPath, context: Deployment, caller: Viewer, response: Response
) -> Answer[answers.MetricData]:
    """Read one priced metric; its ETag is what `If-Match` of a change takes."""
    metric = metric_values.get_metric_value(context, metric_id)
    response.headers["ETag"] = _etag(metric)
    return Answer(data=answers.MetricData(metric=metric))


@router.put("/{id}", responses=documented(404, 409))
def update_metric_value(
    metric_id: MetricIdPath,
    body: UpdateMetricValue,
    context: Deployment,
    caller: Admin,
    response: Response,
    if_match: IfMatch = None,
) -> Answer[MetricValueUpdate]:
    """Change a price under the version the editor saw (`If-Match` or `expectedVersion`); else a 409."""
    updated = metric_values.update_metric_value(context, metric_id, _under_version(body, if_match))
    response.headers["ETag"] = _etag(updated.metric)
    return Answer(data=updated)


def _etag(metric: MetricValue) -> str:
    return f'"{metric.version}"'


def _under_version(body: UpdateMetricValue, if_match: str | None) -> UpdateMetricValue:
    """Take the expected version from either place; refuse two that differ."""
    if if_match is None:
        return body
    version = int(if_match.removeprefix("W/").strip('"'))
    if body.expected_version not in (None, version):
        raise InvalidInput(
            f"If-Match says version {version}, expectedVersion says {body.expected_version}; send one of them."
        )
    return body.model_copy(update={"expected_version": version})


@router.get("/{id}/history", responses=documented(404))
def metric_history(metric_id: MetricIdPath, context: Deployment, caller: Viewer) -> Answer[answers.HistoryData]:
    """Read every version of a price, newest first."""
    history = tuple(
        answers.HistoryEntry(
            version=entry.version,
            dollars_per_unit=float(entry.dollars_per_unit),
            updated_at=entry.updated_at,
            updated_by=entry.updated_by,
            change_reason=entry.change_reason,
        )
        for entry in metric_values.metric_history(context, metric_id)
    )
    return Answer(data=answers.HistoryData(history=history))


@router.post("/{id}/reprice-preview", responses=documented(404))
def reprice_preview(
    metric_id: MetricIdPath, body: RepriceRequest, context: Deployment, caller: Viewer
) -> Answer[RepricePreview]:
    """Show what a price change would do to every experiment; nothing is stored."""
    return Answer(data=repricing.preview_reprice(context, metric_id, body.dollars_per_unit))
