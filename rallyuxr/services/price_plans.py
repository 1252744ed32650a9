"""Prices as a file wants them: what would change, and change it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from rallyuxr.errors import InvalidInput
from rallyuxr.models import CreateMetricValue, MetricValue, Record, UpdateMetricValue
from rallyuxr.services.context import Context
from rallyuxr.services.metric_values import (
    changed_value,
    create_metric_value,
    list_metric_values,
    update_metric_value,
)

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PriceStep:
    """What a file's entry does to a metric; `differences` maps a field to (there, wanted)."""

    metric_id: str
    action: Literal["create", "change", "unchanged"]
    request: CreateMetricValue | UpdateMetricValue
    differences: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PricePlan:
    """A step for each entry, in the file's order; `unlisted` metrics are stored, not in the file, and stay."""

    steps: tuple[PriceStep, ...]
    unlisted: tuple[str, ...]

    @property
    def changes(self) -> tuple[PriceStep, ...]:
        """The steps that do something."""
        return tuple(step for step in self.steps if step.action != "unchanged")


def plan_prices(ctx: Context, entries: Mapping[str, Entry]) -> PricePlan:
    """Compare a file's entries with what is stored; what an entry leaves out stays as it is.

    Raises:
        InvalidInput: entries that cannot be stored, all of them at once.
    """
    stored = {value.metric_id: value for value in list_metric_values(ctx)}
    steps, problems = [], []
    for metric_id, entry in entries.items():
        try:
            steps.append(_step(metric_id, entry, stored.get(metric_id)))
        except ValidationError as error:
            problems += [f"{metric_id}: {_place(each['loc'])}{_plain(each['msg'])}" for each in error.errors()]
        except InvalidInput as error:
            problems.append(f"{metric_id}: {error.message}")
    if problems:
        raise InvalidInput("\n".join(problems))
    return PricePlan(tuple(steps), tuple(sorted(stored.keys() - entries.keys())))


def apply_prices(
    ctx: Context,
    steps: Sequence[PriceStep],
    *,
    reason: str | None = None,
    tell: Callable[[PriceStep], None] = lambda _: None,
) -> None:
    """Make the changes, each under the version that was planned on; `tell` hears of each one that is made.

    Applying the same file again goes on where this stopped.

    Raises:
        Conflict: someone else created or changed one of the metrics meanwhile; those before it are changed.
        pydantic.ValidationError: the reason is no text that can be kept; nothing is changed.
    """
    told = UpdateMetricValue(change_reason=reason).change_reason
    for step in steps:
        if isinstance(step.request, CreateMetricValue):
            create_metric_value(ctx, step.request)
        elif step.action == "change":
            update_metric_value(ctx, step.metric_id, step.request.model_copy(update={"change_reason": told}))
        else:
            continue
        tell(step)


def _step(metric_id: str, entry: Entry, before: MetricValue | None) -> PriceStep:
    if before is None:
        return PriceStep(metric_id, "create", CreateMetricValue.from_json(entry))
    currency = entry.get("currency", before.currency)
    if currency != before.currency:
        raise InvalidInput(
            f"it is priced in {before.currency} and cannot change to {currency}: experiments that were analysed "
            "count in it. Price a new metric."
        )
    fields = {name: value for name, value in entry.items() if name not in ("metricId", "currency")}
    request = UpdateMetricValue.from_json({**fields, "expectedVersion": before.version})
    after = changed_value(before, request) if fields else before
    differences = _differences(before, after)
    return PriceStep(metric_id, "change" if differences else "unchanged", request, differences)


def _differences(before: Record, after: Record) -> dict[str, tuple[Any, Any]]:
    """Fields under the contract's names, from value to value."""
    there, wanted = before.model_dump(by_alias=True), after.model_dump(by_alias=True)
    return {name: (there[name], wanted[name]) for name in wanted if there[name] != wanted[name]}


def _place(loc: Sequence[object]) -> str:
    return ".".join(map(str, loc)) + ": " if loc else ""


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")
