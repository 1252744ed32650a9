"""Experiment definitions: created once, replaced under their version, listed newest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rallyuxr.errors import Conflict, NotFound, VersionConflict
from rallyuxr.models import ExperimentDefinition, Record, Status, Timestamp
from rallyuxr.store import usage
from rallyuxr.store.attributes import Item, read_record, record_item
from rallyuxr.store.audit import Change, audit_write
from rallyuxr.store.dynamo import Dynamo, Write, create, put, replace
from rallyuxr.store.faults import ConditionFailed
from rallyuxr.store.portfolio import KEY, Portfolio, month_of, portfolio_write, read_portfolio
from rallyuxr.store.tables import EXPERIMENT_DEFINITION

INDEX = "byMonth"
FAILURE = "#failure#"
BEYOND = "~"
"""Sorts after every time, so that a month is read from its newest experiment on."""
READ_BOUND = 500
"""How many definitions one page of a filtered listing looks through at most."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a listing goes on: below `after` in `month`, and how many matches to pass over first."""

    month: str | None = None
    after: str | None = None
    skip: int = 0

    def valid(self) -> bool:
        """Whether a listing can have stopped here."""
        whole = isinstance(self.skip, int) and 0 <= self.skip <= 10**9
        names = (self.month, self.after)
        return whole and (names == (None, None) or all(isinstance(name, str) and name for name in names))


class PipelineFailure(Record):
    """Why an experiment's data could not be made or analysed."""

    step: Literal["data", "analysis"]
    reason: str
    at: Timestamp
    data_version: int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of definitions; `following` is None at the end."""

    experiments: tuple[ExperimentDefinition, ...]
    following: Position | None


class ExperimentRepository:
    """The table experimentDefinition, with the portfolio item and the usage of metrics in step."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    def create(self, experiment: ExperimentDefinition, change: Change, *, along: Sequence[Write] = ()) -> None:
        """Store a new experiment and the unconditional writes `along`; raises `Conflict` where the id is taken."""
        writes = [
            create(EXPERIMENT_DEFINITION, definition_item(experiment)),
            *_present(portfolio_write(None, experiment)),
            *usage.join_writes(experiment),
            audit_write(change, "experiment.created", experiment.id, after=record_item(experiment)),
            *along,
        ]
        try:
            self._dynamo.transact(writes)
        except ConditionFailed:
            raise Conflict(f"An experiment with the id {experiment.id} exists already.") from None

    def get(self, experiment_id: str) -> ExperimentDefinition:
        """The experiment; raises `NotFound`."""
        item = (
            None
            if experiment_id.startswith("#")
            else self._dynamo.get(EXPERIMENT_DEFINITION, {"id": experiment_id})
        )
        if item is None:
            raise NotFound(f"There is no experiment {experiment_id!r}.")
        return read_record(ExperimentDefinition, item)

    def get_many(self, experiment_ids: Sequence[str]) -> tuple[ExperimentDefinition, ...]:
        """Those experiments that exist, newest first."""
        items = self._dynamo.get_many(EXPERIMENT_DEFINITION, [{"id": name} for name in experiment_ids])
        items.sort(key=lambda item: str(item["createdAtId"]), reverse=True)
        return tuple(read_record(ExperimentDefinition, item) for item in items)

    def replace(
        self,
        before: ExperimentDefinition,
        after: ExperimentDefinition,
        change: Change,
        *,
        action: str,
        along: Sequence[Write] = (),
        analysed: bool = False,
    ) -> ExperimentDefinition:
        """Store `after` over `before`, with everything that must agree with it, or nothing at all.

        Raises:
            VersionConflict: someone replaced `before` first, or something in `along` is there already.
        """
        after = after.model_copy(update={"version": before.version + 1, "updated_at": change.at})
        writes = [
            replace(EXPERIMENT_DEFINITION, definition_item(after), expected_version=before.version),
            *_present(portfolio_write(before, after, analysed_at=change.at if analysed else None)),
            *(usage.close_writes(before) if usage.is_active(before) and not usage.is_active(after) else ()),
            audit_write(change, action, before.id, record_item(before), record_item(after)),
            *along,
        ]
        try:
            self._dynamo.transact(writes)
        except ConditionFailed:
            raise VersionConflict(
                f"Experiment {before.id} was changed by someone else after version {before.version} was read. "
                "Read it again and repeat the change."
            ) from None
        return after

    def record_failure(self, experiment_id: str, failure: PipelineFailure) -> None:
        """Remember why the experiment's pipeline stopped; a later success outdates it."""
        self._dynamo.write(put(EXPERIMENT_DEFINITION, {"id": FAILURE + experiment_id, **record_item(failure)}))

    def failure(self, experiment_id: str) -> PipelineFailure | None:
        """The last failure of the experiment's pipeline, or None."""
        item = self._dynamo.get(EXPERIMENT_DEFINITION, {"id": FAILURE + experiment_id})
        return read_record(PipelineFailure, item) if item else None

    def portfolio(self) -> Portfolio:
        """Counts and dollars of all experiments: one small read."""
        return read_portfolio(self._dynamo.get(EXPERIMENT_DEFINITION, KEY, consistent=False) or {})

    def page(
        self,
        portfolio: Portfolio,
        start: Position,
        *,
        limit: int,
        status: Status | None = None,
        search: str | None = None,
    ) -> Listing:
        """At most `limit` matching experiments, newest first, from `start`.

        Whole months are passed over by their counts, and what is left of an offset without reading it into
        memory. A filter reads at most `READ_BOUND` definitions and then says where to go on, so a page may
        hold fewer than `limit` and still not be the last.
        """
        found: list[ExperimentDefinition] = []
        words = search.casefold() if search else None
        bound = READ_BOUND if words or status else None
        position, skip, read = start, start.skip, 0
        for month, number in portfolio.months(status):
            if start.month is not None and month > start.month:
                continue
            resumed = start.after if month == start.month else None
            if not words and resumed is None and number <= skip:
                skip -= number
                continue
            if skip and not bound:
                resumed, skip = self._passed_over(month, resumed, skip)
                if skip:
                    continue
                position = Position(month, resumed)
            for item in self._month(month, resumed, limit + 1 - len(found)):
                if read == bound:
                    return Listing(tuple(found), position)
                read += 1
                if _matches(item, status, words):
                    if skip:
                        skip -= 1
                    elif len(found) == limit:
                        return Listing(tuple(found), position)
                    else:
                        found.append(read_record(ExperimentDefinition, item))
                position = Position(month, str(item["createdAtId"]), skip)
        return Listing(tuple(found), None)

    def walk(self) -> Iterator[ExperimentDefinition]:
        """Every experiment, newest first: for background work and exports."""
        for month, _ in self.portfolio().months():
            for item in self._month(month, None, None):
                yield read_record(ExperimentDefinition, item)

    def _passed_over(self, month: str, after: str | None, number: int) -> tuple[str | None, int]:
        """The place of the `number`-th experiment of a month, and how many it had too few."""
        condition, values = _within(month, after)
        key, counted = self._dynamo.key_at(
            EXPERIMENT_DEFINITION, condition, number, index=INDEX, newest_first=True, **values
        )
        return (str(key["createdAtId"]), 0) if key else (None, number - counted)

    def _month(self, month: str, after: str | None, page_size: int | None) -> Iterator[Item]:
        condition, values = _within(month, after)
        return self._dynamo.query(
            EXPERIMENT_DEFINITION, condition, index=INDEX, newest_first=True, page_size=page_size, **values
        )


def _within(month: str, after: str | None) -> tuple[str, dict[str, Any]]:
    """The condition that reads a month's experiments below a place in it."""
    return "createdMonth = :month AND createdAtId < :after", {"month": month, "after": after or BEYOND}


def definition_item(experiment: ExperimentDefinition) -> Item:
    """What the table holds of an experiment: the record, and its place in the listing."""
    moment = experiment.created_at.isoformat(timespec="microseconds")
    return {
        **record_item(experiment),
        "createdMonth": month_of(experiment),
        "createdAtId": f"{moment}#{experiment.id}",
    }


def _matches(item: Item, status: Status | None, words: str | None) -> bool:
    if status is not None and item["status"] != status:
        return False
    return words is None or words in f"{item['name']} {item['description']} {item['id']}".casefold()


def _present(write: Write | None) -> tuple[Write, ...]:
    return (write,) if write else ()
