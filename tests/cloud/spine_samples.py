"""Experiments, prices and data for the tests of storage and events."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from infra.cloud import Cloud
from infra.plan import apply
from infra.resources.tables import DynamoTable
from rallyuxr.local import Endpoint
from rallyuxr.models import CreateExperiment, CreateMetricValue, ExperimentData, ExperimentDefinition, MetricSeries
from rallyuxr.services.context import Context
from rallyuxr.settings import Settings
from rallyuxr.store import Store
from rallyuxr.store.dynamo import Write, put, update
from rallyuxr.store.experiments import definition_item
from rallyuxr.store.portfolio import KEY, month_of
from rallyuxr.store.tables import EXPERIMENT_DEFINITION, TABLES

METRICS = tuple(f"metric_{letter}" for letter in "abcdefghij")


def bare_tables(cloud: Endpoint, stage: str) -> Context:
    """A stage of tables alone: no stream starts anything, so a test decides when and how often."""
    settings = Settings(stage=stage, endpoint_url=cloud.url)
    infra = Cloud(settings, cloud.keys())
    apply([DynamoTable(infra, table) for table in TABLES])
    return Context(Store(settings), actor="ann")


def plan(**changes: Any) -> CreateExperiment:
    fields: dict[str, Any] = {
        "name": "Red button",
        "description": "Red against blue",
        "metrics": METRICS[:2],
        "start_date": "2025-01-15",
        "end_date": "2025-01-29",
        "expected_outcome": "positive",
        "data_source": "upload",
    }
    return CreateExperiment(**{**fields, **changes})


def store_drafts(ctx: Context, number: int, *, newest: datetime) -> None:
    """Store so many drafts in batches, one every ten minutes, and count them as their creation would have."""
    fields = {name: getattr(plan(), name) for name in CreateExperiment.model_fields}
    draft = ExperimentDefinition(**fields, id="0", created_at=newest, updated_at=newest)
    counts: Counter[str] = Counter()

    def counted() -> Iterator[Write]:
        for place in range(number):
            moment = newest - place * timedelta(minutes=10)
            changes = {"id": f"e-{place:06d}", "created_at": moment, "updated_at": moment}
            experiment = draft.model_copy(update=changes)
            counts[month_of(experiment)] += 1
            yield put(EXPERIMENT_DEFINITION, definition_item(experiment))

    ctx.store.dynamo.write_many(EXPERIMENT_DEFINITION, counted())
    for month, count in counts.items():
        names = {"#count": f"count|{month}|draft"}
        ctx.store.dynamo.write(update(EXPERIMENT_DEFINITION, KEY, "ADD #count :n", names=names, n=count))


def price(metric_id: str, dollars: str = "0.42") -> CreateMetricValue:
    return CreateMetricValue(
        metric_id=metric_id,
        name=metric_id.replace("_", " "),
        dollars_per_unit=Decimal(dollars),
        unit="%",
        description="What one percentage point is worth",
        category="conversion",
        exposure="participant",
    )


def hourly(
    metrics: Iterable[str] = METRICS[:2], first: str = "2025-01-01", last: str = "2025-01-29", *, seed: int = 1
) -> ExperimentData:
    """Conversion rates of about 1,000 people an hour and arm, with a daily cycle and a lift of .6 points."""
    rng = np.random.default_rng(seed)
    hours = np.arange(first, last, dtype="datetime64[h]").astype("datetime64[s]")
    cycle = 1 + 0.3 * np.sin(np.arange(hours.size) * 2 * math.pi / 24)
    lift = np.where(hours >= np.datetime64("2025-01-15"), 0.006, 0.0)

    def one() -> MetricSeries:
        people = rng.poisson(1000 * cycle, (2, hours.size))
        treated, control = rng.binomial(people[0], 0.024 + lift), rng.binomial(people[1], 0.024)
        sizes = people.astype(np.float64)
        return MetricSeries(hours, treated / sizes[0], control / sizes[1], sizes[0], sizes[1])

    return ExperimentData(series={name: one() for name in metrics})


def raw_items(ctx: Context, table: str) -> list[dict[str, Any]]:
    """Every item of a table as the cloud holds it, in the order of its keys."""
    client = ctx.store.cloud.client("dynamodb")
    pages = client.get_paginator("scan").paginate(TableName=ctx.store.settings.resource(table))
    return sorted((item for page in pages for item in page["Items"]), key=repr)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
