"""A page of experiments, listed or exported, costs the same at 100 and at 100,000 of them, first page or later."""

import gzip
import json
from collections import Counter
from typing import Any

import pytest

from benchmarks.dynamodb_units import read_units
from rallyuxr.api.delivery import LARGEST_BODY
from rallyuxr.local import Endpoint
from rallyuxr.services.context import Context
from rallyuxr.services.exports import MOST_LINES, portfolio_page
from rallyuxr.services.listing import list_experiments
from tests.cloud.spine_samples import at, bare_tables, store_drafts

PAGE = 20
NEWEST = at("2025-01-02T00:00")
"""One every ten minutes before it: a hundred lie in a day, a hundred thousand in two years."""
OF_TWO_MONTHS = 0.5
"""Read units more for a page that begins in one month and ends in the next: a second query, read ahead."""


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


@pytest.fixture(scope="module")
def few(cloud: Endpoint) -> Context:
    ctx = bare_tables(cloud, "few")
    store_drafts(ctx, 100, newest=NEWEST)
    return ctx


@pytest.fixture(scope="module")
def many(cloud: Endpoint) -> Context:
    ctx = bare_tables(cloud, "many")
    store_drafts(ctx, 100_000, newest=NEWEST)
    return ctx


@pytest.mark.slow
def test_a_page_costs_the_same_at_100_and_at_100_000_experiments(few: Context, many: Context) -> None:
    of_few, of_many = page_costs(few, 4), page_costs(many, 20)
    assert of_many[0] == of_few[0]
    assert Counter(of_many).most_common(1)[0][0] == of_few[1]
    assert max(of_many) <= of_few[0] + OF_TWO_MONTHS


@pytest.mark.slow
def test_a_part_of_an_export_costs_the_same_wherever_it_begins_among_100_000(many: Context) -> None:
    """And stays far below the gateway's 10 MB."""
    meter, costs, token = Meter(many), [], None
    for _ in range(4):
        meter.units = 0.0
        part = portfolio_page(many, "json", next_token=token)
        costs.append(meter.units)
        assert len(json.loads(part.content)["experiments"]) == MOST_LINES
        assert len(gzip.compress(part.content, 5)) < LARGEST_BODY
        token = part.next_token
    assert max(costs) <= 1.05 * min(costs)
