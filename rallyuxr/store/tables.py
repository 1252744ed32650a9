"""The one specification of every table: read by `infra`, the repositories and the tests."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index; both keys are strings."""

    name: str
    partition_key: str
    sort_key: str
    projection: str = "ALL"


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a string partition key, billed per request, encrypted, with point-in-time recovery.

    `stream` turns on a change stream with new and old images; `ttl_attribute` names the attribute of
    epoch seconds after which an item may disappear.
    """

    name: str
    partition_key: str
    sort_key: str | None = None
    sort_key_type: Literal["S", "N"] = "S"
    indexes: tuple[Index, ...] = field(default=())
    stream: bool = False
    ttl_attribute: str | None = None


EXPERIMENT_DEFINITION = Table(
    "experimentDefinition",
    "id",
    indexes=(Index("byMonth", "createdMonth", "createdAtId"),),
)
EXPERIMENT_RESULTS = Table(
    "experimentResults", "experimentId", "metricTimepoint", stream=True, ttl_attribute="expiresAt"
)
EXPERIMENT_ANALYSIS = Table("experimentAnalysis", "experimentId", "analysisId")
METRIC_VALUES = Table("metricValues", "metricId")
METRIC_VALUE_HISTORY = Table("metricValueHistory", "metricId", "version", sort_key_type="N")
METRIC_USAGE = Table("metricUsage", "metricId", "experimentKey")
ORDERS = Table("orders", "merchantDay", "orderKey", stream=True)
ORDER_INDEX = Table("orderIndex", "merchantId", "entry")
VISITS = Table("visits", "merchantDay", "visitKey", stream=True)
IDEMPOTENCY = Table("idempotency", "requestKey", ttl_attribute="expiresAt")
AUDIT = Table("audit", "day", "entry")

TABLES: tuple[Table, ...] = (
    EXPERIMENT_DEFINITION,
    EXPERIMENT_RESULTS,
    EXPERIMENT_ANALYSIS,
    METRIC_VALUES,
    METRIC_VALUE_HISTORY,
    METRIC_USAGE,
    ORDERS,
    ORDER_INDEX,
    VISITS,
    IDEMPOTENCY,
    AUDIT,
)
