"""Which experiments use a metric, and how many of them are active, at a cost that does not grow."""

from collections.abc import Iterator
from itertools import chain, islice

from rallyuxr.models import ExperimentDefinition
from rallyuxr.store.dynamo import Dynamo, Write, create, delete, put, update
from rallyuxr.store.tables import METRIC_USAGE

ACTIVE, CLOSED, COUNT = "active#", "closed#", "count"


def is_active(experiment: ExperimentDefinition) -> bool:
    """Whether a price change still reaches the experiment's next analysis by itself."""
    return experiment.status in ("draft", "running")


def join_writes(experiment: ExperimentDefinition) -> Iterator[Write]:
    """Enter a new experiment under each of its metrics."""
    for metric_id in experiment.metrics:
        yield create(METRIC_USAGE, {"metricId": metric_id, "experimentKey": ACTIVE + experiment.id})
        yield _count(metric_id, 1)


def close_writes(experiment: ExperimentDefinition) -> Iterator[Write]:
    """Move an experiment that is no longer active to the closed ones."""
    for metric_id in experiment.metrics:
        yield delete(METRIC_USAGE, {"metricId": metric_id, "experimentKey": ACTIVE + experiment.id})
        yield put(METRIC_USAGE, {"metricId": metric_id, "experimentKey": CLOSED + experiment.id})
        yield _count(metric_id, -1)


def _count(metric_id: str, change: int) -> Write:
    key = {"metricId": metric_id, "experimentKey": COUNT}
    return update(METRIC_USAGE, key, "ADD activeCount :change", change=change)


class UsageRepository:
    """Reads the usage of metrics."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    def active_count(self, metric_id: str) -> int:
        """How many active experiments use the metric: one small read."""
        item = self._dynamo.get(METRIC_USAGE, {"metricId": metric_id, "experimentKey": COUNT})
        return int(item["activeCount"]) if item else 0

    def active(self, metric_id: str) -> tuple[str, ...]:
        """The ids of the active experiments that use the metric."""
        return tuple(self._members(metric_id, ACTIVE))

    def closed(self, metric_id: str) -> tuple[str, ...]:
        """The ids of the complete and archived ones."""
        return tuple(self._members(metric_id, CLOSED))

    def members(self, metric_id: str, most: int) -> tuple[tuple[str, ...], bool]:
        """At most so many of the experiments that use the metric, active ones first, and whether there are more."""
        every = chain(self._members(metric_id, ACTIVE), self._members(metric_id, CLOSED))
        found = tuple(islice(every, most + 1))
        return found[:most], len(found) > most

    def _members(self, metric_id: str, prefix: str) -> Iterator[str]:
        found = self._dynamo.query(
            METRIC_USAGE,
            "metricId = :metric AND begins_with(experimentKey, :prefix)",
            metric=metric_id,
            prefix=prefix,
            consistent=True,
        )
        return (item["experimentKey"].removeprefix(prefix) for item in found)
