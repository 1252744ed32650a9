"""Keep the pipeline healthy: probe it, look at failures, send them through again."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from rallyuxr.errors import NotFound, RallyError
from rallyuxr.models import Record, Timestamp
from rallyuxr.services.context import Context
from rallyuxr.store import ANALYSIS_PROCESSOR, RECONCILER, RESULTS_GENERATOR, TABLES, Waiting

Condition = Literal["healthy", "degraded", "down"]


class ServicesHealth(Record):
    """The parts and how they are."""

    database: Condition
    analysis_engine: Condition
    results_generator: Condition


class HealthReport(Record):
    """The system's health; `explanations` says why a part is not healthy."""

    status: Condition
    timestamp: Timestamp
    services: ServicesHealth
    failures: int | None = None
    last_analysis_at: Timestamp | None = None
    explanations: dict[str, str] = Field(default_factory=dict)


class FailureLine(Record):
    """A failure that waits: which function could not process what, and why."""

    id: str
    function: str
    reason: str
    at: Timestamp
    experiment_id: str | None = None


class StoredSize(Record):
    """One table's items and bytes, as the cloud counted them some hours ago."""

    table: str
    items: int
    size_bytes: int


def health(ctx: Context) -> HealthReport:
    """Probe the database, the functions, the last analysis and the queue of failures."""
    explanations: dict[str, str] = {}
    last_analysis_at: datetime | None = None
    failures: int | None = None
    try:
        last_analysis_at = ctx.store.experiments.portfolio().last_analysis_at
    except RallyError as error:
        explanations["database"] = error.message
    for part, function in (("analysisEngine", ANALYSIS_PROCESSOR), ("resultsGenerator", RESULTS_GENERATOR)):
        if problem := ctx.store.functions.problem(function):
            explanations[part] = problem
    down = set(explanations)
    try:
        failures = ctx.store.failures.depth()
    except RallyError as error:
        explanations.setdefault("analysisEngine", f"The queue of failures cannot be read: {error.message}")
    if failures:
        explanations.setdefault("analysisEngine", f"{failures} records wait in the queue of failures.")

    def condition(part: str) -> Condition:
        return "down" if part in down else "degraded" if part in explanations else "healthy"

    return HealthReport(
        status="down" if "database" in down else "degraded" if explanations else "healthy",
        timestamp=ctx.clock(),
        services=ServicesHealth(
            database=condition("database"),
            analysis_engine=condition("analysisEngine"),
            results_generator=condition("resultsGenerator"),
        ),
        failures=failures,
        last_analysis_at=last_analysis_at,
        explanations=explanations,
    )


def list_failures(ctx: Context) -> tuple[FailureLine, ...]:
    """The failures that wait, oldest first."""
    waiting = _waiting(ctx)
    for one in waiting:
        ctx.store.failures.give_back(one)
    return tuple(sorted((_line(one) for one in waiting), key=lambda line: line.at))


def redrive(ctx: Context, failure_id: str | None) -> int:
    """Send one failure, or all of them, through its function again; how many were sent.

    Where the cloud kept only the place of the records and not the records, the reconciler finds what is undone.

    Raises:
        NotFound: no failure of that id waits.
    """
    waiting = {one.id: one for one in _waiting(ctx)}
    chosen = [one for one in waiting.values() if failure_id in (None, one.id)]
    try:
        if failure_id is not None and not chosen:
            raise NotFound(f"No failure {failure_id!r} waits; it may have been sent again already.")
        for one in chosen:
            function = one.failure.function if one.failure.event else RECONCILER
            ctx.store.functions.start(function, one.failure.event)
            ctx.store.failures.remove(waiting.pop(one.id))
    finally:
        for one in waiting.values():
            ctx.store.failures.give_back(one)
    return len(chosen)


def stored_size(ctx: Context) -> tuple[StoredSize, ...]:
    """Every table's size."""
    sizes = ((table.name, ctx.store.dynamo.describe(table)) for table in TABLES)
    return tuple(
        StoredSize(table=name, items=size.get("ItemCount", 0), size_bytes=size.get("TableSizeBytes", 0))
        for name, size in sizes
    )


def _waiting(ctx: Context) -> list[Waiting]:
    """Every waiting failure once, held back from others meanwhile."""
    return list({one.id: one for one in ctx.store.failures.waiting()}.values())


def _line(waiting: Waiting) -> FailureLine:
    failure = waiting.failure
    return FailureLine(
        id=waiting.id,
        function=failure.function,
        reason=failure.reason,
        at=failure.at,
        experiment_id=failure.experiment_id,
    )
