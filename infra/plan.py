"""Compare what is wanted with what is there, and close the gap.

`plan` and `apply` share one comparison, so what the first prints is what the second does.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from infra import bundle, specs
from infra.cloud import Cloud
from infra.resources.alarms import Alarm
from infra.resources.api import FUNCTION, HttpApi, Tokens
from infra.resources.base import Properties, Resource
from infra.resources.functions import Function, Layer
from infra.resources.roles import LogGroup, Role
from infra.resources.storage import Bucket, Queue
from infra.resources.tables import DynamoTable
from infra.resources.triggers import Mapping, Schedule
from rallyuxr.store.tables import TABLES


@dataclass(frozen=True, slots=True)
class Change:
    """One resource that is not as wanted; `differences` maps a property to (there, wanted)."""

    action: Literal["create", "update", "delete"]
    title: str
    differences: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def __str__(self) -> str:
        details = (line for key, (old, new) in self.differences.items() for line in _lines(key, old, new))
        return "\n    ".join([f"{self.action} {self.title}", *details])


def stack(cloud: Cloud, tokens: Tokens | None = None) -> list[Resource]:
    """Every resource of a stage, each after those it needs."""
    layers, code = {layer: Layer(cloud, layer) for layer in specs.LAYERS}, bundle.build_code()
    environments = {FUNCTION: {"RALLYUXR_API_AUTH": "open" if tokens is None else "jwt"}}
    resources: list[Resource] = [DynamoTable(cloud, table) for table in TABLES]
    resources += [Bucket(cloud), Queue(cloud, specs.FAILURES), *layers.values()]
    for function in specs.FUNCTIONS:
        resources += [Role(cloud, function), LogGroup(cloud, function)]
        own = [layers[layer] for layer in function.layers]
        resources.append(Function(cloud, function, own, code, environments.get(function.name, {})))
    resources += [Mapping(cloud, mapping) for mapping in specs.MAPPINGS]
    resources += [Schedule(cloud, schedule) for schedule in specs.SCHEDULES]
    resources.append(HttpApi(cloud, tokens))
    resources += [Alarm(cloud, alarm) for alarm in specs.ALARMS]
    return resources


def plan(resources: Sequence[Resource]) -> list[Change]:
    """What `apply` would do; empty when everything is as wanted."""
    return [change for _, change in _planned(resources)]


def apply(resources: Sequence[Resource], tell: Callable[[Change], None] = lambda _: None) -> list[Change]:
    """Make everything as wanted; `tell` hears of each change, as `plan` names it, before it is made."""
    planned = _planned(resources)
    for resource, change in planned:
        tell(change)
        differing = change.differences
        if change.action == "create":
            resource.create()
            differing = _differences(resource.read() or {}, resource.wanted())
        if differing:
            resource.update({key: wanted for key, (_, wanted) in differing.items()})
    return [change for _, change in planned]


def deletions(resources: Sequence[Resource], *, delete_data: bool = False) -> list[Change]:
    """What `destroy` would delete."""
    return [Change("delete", resource.title) for resource in _existing(resources, delete_data)]


def destroy(
    resources: Sequence[Resource],
    *,
    delete_data: bool = False,
    tell: Callable[[Change], None] = lambda _: None,
) -> None:
    """Delete what `apply` made, last things first; what holds data stays unless `delete_data`."""
    for resource in _existing(resources, delete_data):
        tell(Change("delete", resource.title))
        resource.delete()


def _existing(resources: Sequence[Resource], delete_data: bool) -> Iterator[Resource]:
    for resource in reversed(resources):
        if (delete_data or not resource.keeps_data) and resource.read() is not None:
            yield resource


def _planned(resources: Sequence[Resource]) -> list[tuple[Resource, Change]]:
    """All is compared before anything is changed, so that no change shows in the comparison of another."""
    return [(resource, change) for resource in resources if (change := _change(resource))]


def _change(resource: Resource) -> Change | None:
    there = resource.read()
    if there is None:
        return Change("create", resource.title)
    differing = _differences(there, resource.wanted())
    return Change("update", resource.title, differing) if differing else None


def _differences(there: Properties, wanted: Properties) -> dict[str, tuple[Any, Any]]:
    return {key: (there.get(key), value) for key, value in wanted.items() if there.get(key) != value}


def _lines(key: str, there: Any, wanted: Any) -> Iterator[str]:
    """One line for each value that differs, however deep it lies."""
    if isinstance(there, dict) and isinstance(wanted, dict):
        for name in sorted(there.keys() | wanted.keys()):
            if there.get(name) != wanted.get(name):
                yield from _lines(f"{key}.{name}", there.get(name), wanted.get(name))
    else:
        yield f"{key}: {there!r} -> {wanted!r}"
