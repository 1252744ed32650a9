"""A page of GET /experiments costs the same read units at 100 and at 100,000 experiments, first page or later."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmarks.dynamodb_units import read_units
from rallyuxr.local import Endpoint
from rallyuxr.models import ExperimentDefinition
from rallyuxr.services.context import Context
from rallyuxr.services.listing import list_experiments
from rallyuxr.store.dynamo import put, update
from rallyuxr.store.experiments import definition_item
from rallyuxr.store.portfolio import KEY, month_of
from rallyuxr.store.tables import EXPERIMENT_DEFINITION
from tests.cloud.api.exchange import EXPERIMENT
from tests.cloud.spine_samples import bare_tables

LAST = datetime(2025, 1, 2, tzinfo=UTC)
APART = timedelta(minutes=10)
PAGE = 20
OF_TWO_MONTHS = 0.5
"""Read units more for a page that begins in one month and ends in the next: a second query, read ahead."""


def experiments(number: int) -> Iterator[ExperimentDefinition]:
    """So many experiments, one every ten minutes: a hundred in a day, a hundred thousand in two years."""
    stored = {**EXPERIMENT, "id": "0", "createdAt": LAST, "updatedAt": LAST, "dataSource": "upload"}
    base = ExperimentDefinition.from_json(stored)
    for place in range(number):
        at = LAST - place * APART
        yield base.model_copy(update={"id": f"e-{place:06d}", "created_at": at, "updated_at": at})


def seed(ctx: Context, number: int) -> None:
    """Store them in batches, and count them as their creation would have."""
    counts: dict[str, int] = {}

    def counted() -> Iterator[Any]:
        for experiment in experiments(number):
            counts[month_of(experiment)] = counts.get(month_of(experiment), 0) + 1
            yield put(EXPERIMENT_DEFINITION, definition_item(experiment))

    ctx.store.dynamo.write_many(EXPERIMENT_DEFINITION, counted())
    for month, count in counts.items():
        names = {"#count": f"count|{month}|draft"}
        ctx.store.dynamo.write(update(EXPERIMENT_DEFINITION, KEY, "ADD #count :n", names=names, n=count))


class Meter:
    """Counts the read units of what the tables give."""

    def __init__(self, ctx: Context) -> None:
        self.units = 0.0
        ctx.store.cloud.client("dynamodb").meta.events.register("after-call.dynamodb", self._count)

    def _count(self, parsed: dict[str, Any], **_: Any) -> None:
        if "Items" in parsed or "Item" in parsed:
            self.units += read_units(parsed.get("Items") or [parsed.get("Item", {})])


def page_costs(ctx: Context, pages: int) -> list[float]:
    """Read units of so many pages, one following the other by its token."""
    meter, costs, token = Meter(ctx), [], None
    for _ in range(pages):
        meter.units = 0.0
        page = list_experiments(ctx, limit=PAGE, next_token=token)
        assert len(page.experiments) == PAGE
        costs.append(meter.units)
        token = page.next_token
    return costs


@pytest.mark.slow
def test_a_page_costs_the_same_at_100_and_at_100_000_experiments(cloud: Endpoint) -> None:
    few, many = bare_tables(cloud, "few"), bare_tables(cloud, "many")
    seed(few, 100)
    seed(many, 100_000)
    of_few, of_many = page_costs(few, 4), page_costs(many, 20)
    assert of_many[0] == of_few[0]
    assert Counter(of_many).most_common(1)[0][0] == of_few[1]
    assert max(of_many) <= of_few[0] + OF_TWO_MONTHS
