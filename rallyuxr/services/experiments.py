"""Create, read and move experiments."""

import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

from rallyuxr.errors import Conflict, InvalidInput, NotFound, RallyError, VersionConflict
from rallyuxr.models import (
    CreateExperiment,
    ExperimentCreated,
    ExperimentDefinition,
    ExperimentPlan,
    Status,
)
from rallyuxr.models.experiment import ALLOWED_MOVES
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import watch_orders
from rallyuxr.services.progress import report_failure
from rallyuxr.store import ORDER_AGGREGATOR, RESULTS_GENERATOR, pause

ATTEMPTS = 40
ID_NAMESPACE = uuid.UUID("6f0d9a4e-52c1-4b0a-9f4d-6a3c1f1f5a10")


def create_experiment(
    ctx: Context, plan: CreateExperiment, *, request_id: str | None = None
) -> ExperimentDefinition:
    """Store a new experiment and start what makes its data: the simulator, or the gathering of orders that exist.

    The same `request_id` and plan give the same experiment however often they come.

    Raises:
        Conflict: the request id was used for another plan.
        NotFound, InvalidInput: a merchant of the orders plan does not exist, or sells in another currency.
    """
    change = ctx.change()
    experiment = ExperimentDefinition(
        **_fields(plan),
        id=_experiment_id(ctx.actor, request_id),
        created_at=change.at,
        updated_at=change.at,
        created_by=ctx.actor,
    )
    along = []
    if experiment.data_source == "orders":
        watch_orders(ctx, experiment)
        along.append(ctx.store.experiments_behind.marking(experiment.id))
    try:
        ctx.store.experiments.create(experiment, change, along=along)
    except Conflict:
        return _created_before(ctx, experiment)
    if experiment.data_source == "simulator":
        start_generation(ctx, experiment, request_id or experiment.id)
    if experiment.data_source == "orders":
        with suppress(RallyError):  # else the next order or the schedule does: the experiment is marked
            ctx.store.functions.start(ORDER_AGGREGATOR, {})
    return experiment


def start_generation(ctx: Context, experiment: ExperimentDefinition, request_id: str) -> None:
    """Ask the results generator for data; if it cannot be reached, the experiment's progress says so."""
    message = ExperimentCreated(
        experiment_id=experiment.id, experiment=experiment, timestamp=ctx.clock(), request_id=request_id
    )
    try:
        ctx.store.functions.start(RESULTS_GENERATOR, message.to_json())
    except RallyError as fault:
        report_failure(ctx, experiment.id, "data", fault.message)


def get_experiment(ctx: Context, experiment_id: str) -> ExperimentDefinition:
    """The experiment; raises `NotFound`."""
    return ctx.store.experiments.get(experiment_id)


def move_status(
    ctx: Context, experiment_id: str, status: Status, *, expected_version: int | None = None
) -> ExperimentDefinition:
    """Move an experiment on: draft, running, complete, archived.

    Raises:
        Conflict: the move is not allowed from where it stands.
        VersionConflict: it is not at `expected_version` any more.
    """

    def moved(experiment: ExperimentDefinition) -> ExperimentDefinition:
        allowed = ALLOWED_MOVES[experiment.status]
        if status not in allowed:
            raise Conflict(
                f"Experiment {experiment.id} is {experiment.status} and cannot become {status}; "
                f"it can become {' or '.join(allowed) or 'nothing else'}.",
                details={"status": experiment.status, "allowed": list(allowed)},
            )
        return experiment.model_copy(update={"status": status})

    return change_experiment(
        ctx, experiment_id, moved, action="experiment.moved", expected_version=expected_version
    )


def set_cost(
    ctx: Context, experiment_id: str, cost: Decimal | None, *, expected_version: int | None = None
) -> ExperimentDefinition:
    """Say what the experiment cost, or take that back; the next analysis uses it for the return on investment."""
    if cost is not None and not cost > 0:
        raise InvalidInput(f"cost must be above 0, or absent; got {cost}.")
    return change_experiment(
        ctx,
        experiment_id,
        lambda experiment: experiment.model_copy(update={"cost": cost}),
        action="experiment.cost_set",
        expected_version=expected_version,
    )


def change_experiment(
    ctx: Context,
    experiment_id: str,
    changed: Callable[[ExperimentDefinition], ExperimentDefinition],
    *,
    action: str,
    expected_version: int | None = None,
) -> ExperimentDefinition:
    """Replace an experiment by what `changed` makes of it, starting over when someone else was faster.

    With `expected_version` nothing is started over: the caller decides on what it saw.
    """
    for attempt in range(ATTEMPTS):
        before = ctx.store.experiments.get(experiment_id)
        if expected_version not in (None, before.version):
            raise VersionConflict(
                f"Experiment {experiment_id} is at version {before.version}, not {expected_version}. "
                "Read it again and repeat the change.",
                details={"version": before.version},
            )
        try:
            return ctx.store.experiments.replace(before, changed(before), ctx.change(), action=action)
        except VersionConflict:
            if expected_version is not None:
                raise
            pause(attempt)
    raise VersionConflict(f"Experiment {experiment_id} is being changed by too many at once; try again.")


def _fields(plan: ExperimentPlan) -> dict[str, object]:
    return {name: getattr(plan, name) for name in ExperimentPlan.model_fields}


def _experiment_id(actor: str | None, request_id: str | None) -> str:
    """A new id, or the one that belongs to this caller's request."""
    if request_id is None:
        return str(uuid.uuid4())
    return str(uuid.uuid5(ID_NAMESPACE, json.dumps([actor, request_id])))


def _created_before(ctx: Context, experiment: ExperimentDefinition) -> ExperimentDefinition:
    try:
        stored = ctx.store.experiments.get(experiment.id)
    except NotFound:
        raise Conflict("Another request is creating this experiment; try again.") from None
    if _fields(stored) != _fields(experiment):
        raise Conflict("This request id was used to create another experiment; use a new one.")
    return stored
