"""Price metrics: create, change under a version, look back."""

from collections.abc import Mapping
from decimal import Decimal

from pydantic import ValidationError

from rallyuxr.errors import InvalidInput, NotFound, VersionConflict
from rallyuxr.models import (
    CreateMetricValue,
    MetricValue,
    MetricValueVersion,
    Money,
    Record,
    UpdateMetricValue,
)
from rallyuxr.services.context import Context
from rallyuxr.store import pause

ATTEMPTS = 60
NOT_TERMS = {"change_reason", "expected_version"}
CLEARABLE = {"validation_rules", "family"}


class MetricValueUpdate(Record):
    """A changed price, what it was, and how many active experiments use the metric."""

    metric: MetricValue
    previous_value: Money
    impacted_experiments: int


def list_metric_values(ctx: Context) -> tuple[MetricValue, ...]:
    """Every metric's current price, by id."""
    return ctx.store.metric_values.all()


def get_metric_value(ctx: Context, metric_id: str) -> MetricValue:
    """A metric's current price; raises `NotFound`."""
    return ctx.store.metric_values.get(metric_id)


def create_metric_value(ctx: Context, request: CreateMetricValue) -> MetricValue:
    """Price a new metric; raises `Conflict` where it has a price."""
    change = ctx.change()
    terms = {name: getattr(request, name) for name in CreateMetricValue.model_fields}
    value = MetricValue(**terms, last_updated=change.at, updated_by=change.actor, version=1)
    ctx.store.metric_values.create(value, change)
    return value


def update_metric_value(ctx: Context, metric_id: str, request: UpdateMetricValue) -> MetricValueUpdate:
    """Change a price; what the request leaves out stays. Every accepted change is a version in the history.

    Without `expected_version` the change is applied to whatever is there, as often as others are faster.

    Raises:
        NotFound: no such metric.
        InvalidInput: the change breaks the metric's validation rules, or changes nothing.
        VersionConflict: the price is not at `expected_version` any more.
    """
    for attempt in range(ATTEMPTS):
        before = ctx.store.metric_values.get(metric_id)
        if request.expected_version not in (None, before.version):
            raise VersionConflict(
                f"{metric_id} is at version {before.version}, not {request.expected_version}: someone changed it. "
                "Read it again and repeat the change.",
                details={"version": before.version},
            )
        change = ctx.change()
        after = changed_value(before, request).model_copy(
            update={
                "version": before.version + 1,
                "last_updated": max(change.at, before.last_updated),
                "updated_by": change.actor,
            }
        )
        try:
            ctx.store.metric_values.replace(before, after, change, request.change_reason)
        except VersionConflict:
            if request.expected_version is not None:
                raise
            pause(attempt)
        else:
            return MetricValueUpdate(
                metric=after,
                previous_value=before.dollars_per_unit,
                impacted_experiments=impacted_experiments(ctx, metric_id),
            )
    raise VersionConflict(f"{metric_id} is being changed by too many at once; try again.")


def metric_history(ctx: Context, metric_id: str) -> tuple[MetricValueVersion, ...]:
    """Every version of a price, newest first; raises `NotFound`."""
    history = ctx.store.metric_values.history(metric_id)
    if not history:
        raise NotFound(f"There is no metric value {metric_id!r}; create it first.")
    return history


def impacted_experiments(ctx: Context, metric_id: str) -> int:
    """How many active experiments use the metric."""
    return ctx.store.usage.active_count(metric_id)


def repriced(value: MetricValue, dollars_per_unit: Decimal) -> MetricValue:
    """The value at another price; raises `InvalidInput` where that breaks its rules."""
    return _with_terms(value, {"dollars_per_unit": dollars_per_unit})


def changed_value(value: MetricValue, request: UpdateMetricValue) -> MetricValue:
    """The value with the terms that the request names; raises `InvalidInput` where that cannot be."""
    terms = {name: getattr(request, name) for name in request.model_fields_set - NOT_TERMS}
    given = {name: term for name, term in terms.items() if term is not None or name in CLEARABLE}
    if not given:
        raise InvalidInput("The change names no field; send at least dollarsPerUnit.")
    return _with_terms(value, given)


def _with_terms(value: MetricValue, terms: Mapping[str, object]) -> MetricValue:
    kept = {name: getattr(value, name) for name in MetricValue.model_fields}
    try:
        return MetricValue.model_validate({**kept, **terms})
    except ValidationError as error:
        problems = "; ".join(str(each["msg"]).removeprefix("Value error, ") for each in error.errors())
        raise InvalidInput(f"The change does not fit {value.metric_id}: {problems}") from None
