"""Metric values: the current price replaced under its version, every version kept beside it."""

from collections.abc import Sequence
from datetime import datetime

from rallyuxr.errors import Conflict, NotFound, VersionConflict
from rallyuxr.models import MetricValue, MetricValueVersion
from rallyuxr.store.attributes import Item, read_record, record_item
from rallyuxr.store.audit import Change, audit_write
from rallyuxr.store.dynamo import Dynamo, Write, create, replace
from rallyuxr.store.faults import ConditionFailed
from rallyuxr.store.tables import METRIC_USAGE, METRIC_VALUE_HISTORY, METRIC_VALUES

CATALOGUE = "#catalogue"
"""The partition of metricUsage that names every metric, so that listing them needs no scan."""


class MetricValueRepository:
    """The tables metricValues and metricValueHistory, always in step."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    def all(self) -> tuple[MetricValue, ...]:
        """Every metric's current value, by id."""
        entries = self._dynamo.query(METRIC_USAGE, "metricId = :catalogue", catalogue=CATALOGUE, consistent=True)
        return self.get_many([entry["experimentKey"] for entry in entries])

    def get_many(self, metric_ids: Sequence[str]) -> tuple[MetricValue, ...]:
        """The current values of those metrics that have one, by id."""
        items = self._dynamo.get_many(METRIC_VALUES, [{"metricId": name} for name in metric_ids])
        return tuple(sorted((read_record(MetricValue, item) for item in items), key=lambda value: value.metric_id))

    def get(self, metric_id: str) -> MetricValue:
        """A metric's current value; raises `NotFound`."""
        item = self._dynamo.get(METRIC_VALUES, {"metricId": metric_id})
        if item is None:
            raise NotFound(f"There is no metric value {metric_id!r}; create it first.")
        return read_record(MetricValue, item)

    def create(self, value: MetricValue, change: Change) -> None:
        """Store a new metric's value as version 1; raises `Conflict` where there is one."""
        writes = [
            create(METRIC_VALUES, record_item(value)),
            create(METRIC_USAGE, {"metricId": CATALOGUE, "experimentKey": value.metric_id}),
            _history_write(value, None),
            audit_write(change, "metric_value.created", value.metric_id, after=record_item(value)),
        ]
        try:
            self._dynamo.transact(writes)
        except ConditionFailed:
            raise Conflict(
                f"The metric value {value.metric_id!r} exists already; change it instead of creating it."
            ) from None

    def replace(self, before: MetricValue, after: MetricValue, change: Change, reason: str | None) -> None:
        """Store the next version over `before`; raises `VersionConflict`."""
        writes = [
            replace(METRIC_VALUES, record_item(after), expected_version=before.version),
            _history_write(after, reason),
            audit_write(change, "metric_value.changed", after.metric_id, record_item(before), record_item(after)),
        ]
        try:
            self._dynamo.transact(writes)
        except ConditionFailed:
            raise VersionConflict(
                f"{after.metric_id} was changed by someone else after version {before.version} was read. "
                "Read it again and repeat the change.",
                details={"expectedVersion": before.version},
            ) from None

    def history(self, metric_id: str) -> tuple[MetricValueVersion, ...]:
        """Every version, newest first; empty for an unknown metric."""
        items = self._dynamo.query(
            METRIC_VALUE_HISTORY, "metricId = :metric", metric=metric_id, newest_first=True, consistent=True
        )
        return tuple(read_record(MetricValueVersion, item) for item in items)

    def in_force(self, metric_ids: Sequence[str], at: datetime) -> dict[str, MetricValue]:
        """The values of those metrics that had one at that time."""
        values = {value.metric_id: value for value in self.get_many(metric_ids)}
        found = {
            name: value if value.last_updated <= at else self._before(name, at) for name, value in values.items()
        }
        return {name: value for name, value in found.items() if value}

    def _before(self, metric_id: str, at: datetime) -> MetricValue | None:
        return next((line.value for line in self.history(metric_id) if line.updated_at <= at), None)


def _history_write(value: MetricValue, reason: str | None) -> Write:
    line = MetricValueVersion(
        version=value.version,
        dollars_per_unit=value.dollars_per_unit,
        updated_at=value.last_updated,
        updated_by=value.updated_by,
        change_reason=reason,
        value=value,
    )
    item: Item = {"metricId": value.metric_id, **record_item(line)}
    return create(METRIC_VALUE_HISTORY, item)
