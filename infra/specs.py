"""What exists beside the tables: functions with their policies, what starts them, the queue, the alarms.

The tables are `rallyuxr.store.tables.TABLES`; the resources that put all this into an account are in
`infra.resources`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra import access
from infra.access import DESCRIBE, READ, REMOVE, WRITE, Statement
from rallyuxr.store.tables import (
    AUDIT,
    EXPERIMENT_ANALYSIS,
    EXPERIMENT_DEFINITION,
    EXPERIMENT_RESULTS,
    IDEMPOTENCY,
    METRIC_USAGE,
    METRIC_VALUE_HISTORY,
    METRIC_VALUES,
    ORDER_INDEX,
    ORDERS,
    TABLES,
    VISITS,
    Table,
)

FAILURES = "failures"
LOG_RETENTION_DAYS = 30
FAILURE_RETENTION_DAYS = 14


@dataclass(frozen=True, slots=True)
class Layer:
    """Packages of the lock that functions import, with all that these need."""

    name: str
    packages: tuple[str, ...]


COMPUTING = Layer(
    "dependencies", ("numpy", "scipy", "pydantic", "aws-lambda-powertools", "fastapi", "mangum", "tzdata")
)
PARQUET = Layer("parquet", ("duckdb",))
LAYERS = (COMPUTING, PARQUET)


@dataclass(frozen=True, slots=True)
class Function:
    """A function, what it may do, and what happens when an asynchronous invocation of it fails."""

    name: str
    handler: str
    may: tuple[Statement, ...]
    memory_mb: int
    timeout_seconds: int
    retries: int | None = None
    layers: tuple[Layer, ...] = (COMPUTING,)


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """Change records of a table that start a function.

    The batch boundary of the handler sends a poison record to the failures queue itself; retries,
    bisecting and the record age are the second net, for a function that cannot even start.
    """

    table: Table
    function: str
    batch_size: int
    pattern: Mapping[str, Any] = field(default_factory=dict)
    retries: int = 5
    record_age_seconds: int = 3600


@dataclass(frozen=True, slots=True)
class Schedule:
    """A function started by the clock."""

    function: str
    expression: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a person must look at."""

    name: str
    namespace: str
    metric: str
    dimension: tuple[str, str]
    above: float
    meaning: str


PRICES = (METRIC_VALUES, METRIC_VALUE_HISTORY, METRIC_USAGE)
ASYNCHRONOUS = ("resultsGenerator", "analysisProcessor", "orderAggregator", "reconciler")

# What several functions may do, named by the use case.
_REPORT_FAILURES = access.queue(FAILURES, "SendMessage", "GetQueueUrl")
_READ_PRICES = access.tables(READ, *PRICES)
_PUBLISH_RESULTS = (
    access.tables((*READ, *WRITE), EXPERIMENT_DEFINITION),
    access.tables((*READ, *WRITE, *REMOVE), EXPERIMENT_RESULTS, METRIC_USAGE),
    access.tables(WRITE, AUDIT),
)
_ANALYSE = (
    _READ_PRICES,
    access.tables(READ, EXPERIMENT_RESULTS),
    access.tables((*READ, *WRITE), EXPERIMENT_DEFINITION, EXPERIMENT_ANALYSIS),
    access.tables((*WRITE, *REMOVE), METRIC_USAGE),
    access.tables(WRITE, AUDIT),
)
_AGGREGATE = (
    access.tables(READ, ORDERS, VISITS),
    access.tables((*READ, *WRITE, *REMOVE), ORDER_INDEX),
    access.objects(("GetObject", "PutObject"), "aggregates/"),
    access.listing(),
)

FUNCTIONS: tuple[Function, ...] = (
    Function(
        "api",
        "rallyuxr.handlers.api.handler",
        may=(
            access.tables((*READ, *WRITE, *DESCRIBE), *TABLES),
            access.tables(REMOVE, EXPERIMENT_RESULTS, METRIC_USAGE, ORDER_INDEX, IDEMPOTENCY),
            access.objects(("GetObject", "PutObject"), "aggregates/", "exports/"),
            access.listing(),
            access.queue(
                FAILURES,
                "GetQueueUrl",
                "GetQueueAttributes",
                "ReceiveMessage",
                "ChangeMessageVisibility",
                "DeleteMessage",
            ),
            access.functions(("InvokeFunction", "GetFunctionConfiguration"), *ASYNCHRONOUS),
        ),
        memory_mb=1024,
        timeout_seconds=29,
    ),
    Function(
        "resultsGenerator",
        "rallyuxr.handlers.results_generator.handler",
        may=(*_PUBLISH_RESULTS, _READ_PRICES, _REPORT_FAILURES),
        memory_mb=1024,
        timeout_seconds=120,
        retries=2,
    ),
    Function(
        "analysisProcessor",
        "rallyuxr.handlers.analysis_processor.handler",
        may=(*_ANALYSE, access.stream(EXPERIMENT_RESULTS), _REPORT_FAILURES),
        memory_mb=1769,  # one whole processor
        timeout_seconds=300,
    ),
    Function(
        "orderAggregator",
        "rallyuxr.handlers.order_aggregator.handler",
        may=(
            *_AGGREGATE,
            *_PUBLISH_RESULTS,
            _READ_PRICES,
            access.stream(ORDERS),
            access.stream(VISITS),
            _REPORT_FAILURES,
        ),
        memory_mb=1024,
        timeout_seconds=300,
    ),
    Function(
        "reconciler",
        "rallyuxr.handlers.reconciler.handler",
        may=(
            *_PUBLISH_RESULTS,
            *_ANALYSE,
            *_AGGREGATE,
            access.functions(("InvokeFunction",), "resultsGenerator"),
            _REPORT_FAILURES,
        ),
        memory_mb=1769,
        timeout_seconds=300,
        retries=0,
    ),
    Function(
        "parquetWriter",
        "rallyuxr.handlers.parquet_writer.handler",
        may=(
            access.tables((*READ, *REMOVE), ORDER_INDEX),
            access.objects(("GetObject", "PutObject"), "aggregates/"),
            access.listing(),
        ),
        memory_mb=1024,
        timeout_seconds=300,
        retries=0,
        layers=(COMPUTING, PARQUET),
    ),
)

MAPPINGS: tuple[StreamMapping, ...] = (
    StreamMapping(
        EXPERIMENT_RESULTS,
        "analysisProcessor",
        batch_size=10,
        pattern={
            "eventName": ["INSERT"],
            "dynamodb": {"Keys": {"metricTimepoint": {"S": [{"prefix": "manifest#"}]}}},
        },
    ),
    StreamMapping(ORDERS, "orderAggregator", batch_size=1000),
    StreamMapping(VISITS, "orderAggregator", batch_size=1000),
)

SCHEDULES: tuple[Schedule, ...] = (
    Schedule("reconciler", "rate(5 minutes)"),
    Schedule("orderAggregator", "rate(1 minute)"),
    Schedule("parquetWriter", "rate(1 minute)"),
)

ALARMS: tuple[Alarm, ...] = (
    Alarm(
        "failures-waiting",
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        ("QueueName", FAILURES),
        above=0,
        meaning="A record could not be processed; read the failures queue.",
    ),
    *(
        Alarm(
            f"{function}-late",
            "AWS/Lambda",
            "IteratorAge",
            ("FunctionName", function),
            above=600_000,
            meaning="Change records wait longer than ten minutes.",
        )
        for function in dict.fromkeys(mapping.function for mapping in MAPPINGS)
    ),
)
