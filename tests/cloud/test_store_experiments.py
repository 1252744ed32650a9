"""Experiments: created once, changed under a version, listed at bounded cost, counted without drift."""

import base64
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from rallyuxr.errors import Conflict, InvalidInput, NotFound, VersionConflict
from rallyuxr.local import Endpoint
from rallyuxr.models import ExperimentDefinition
from rallyuxr.services.audit import audit_trail
from rallyuxr.services.context import Context
from rallyuxr.services.experiments import (
    create_experiment,
    get_experiment,
    move_status,
    set_cost,
)
from rallyuxr.services.listing import ExperimentPage, list_experiments
from rallyuxr.store.experiments import READ_BOUND
from tests.cloud.spine_samples import at, bare_tables, plan, store_drafts

NAMES = ("Red button", "Blue button", "Shorter form", "Free shipping")
HOURS_BETWEEN = 100


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    return bare_tables(cloud, "experiments")


@pytest.fixture(scope="module")
def library(cloud: Endpoint) -> tuple[Context, list[ExperimentDefinition]]:
    """48 experiments over seven months, newest first; every third is running."""
    ctx = bare_tables(cloud, "library")
    made = []
    for number in range(48):
        moment = at("2025-01-01T00:00") + timedelta(hours=HOURS_BETWEEN * number)
        then = replace(ctx, clock=lambda moment=moment: moment)
        made.append(create_experiment(then, plan(name=f"{NAMES[number % 4]} {number}")))
        if number % 3 == 0:
            made[-1] = move_status(then, made[-1].id, "running")
    return ctx, made[::-1]


def pages(ctx: Context, **filters: Any) -> Iterator[ExperimentPage]:
    page = list_experiments(ctx, **filters)
    yield page
    while page.next_token:
        filters.pop("offset", None)
        page = list_experiments(ctx, **filters, next_token=page.next_token)
        yield page


def ids(experiments: Any) -> list[str]:
    return [experiment.id for experiment in experiments]


@pytest.mark.parametrize("limit", [1, 7, 48, 100])
def test_following_tokens_lists_every_experiment_once_newest_first(library: Any, limit: int) -> None:
    ctx, made = library
    found = [page.experiments for page in pages(ctx, limit=limit)]
    assert [one for page in found for one in ids(page)] == ids(made)
    assert all(len(page) == limit for page in found[:-1])


@pytest.mark.parametrize("offset", [0, 1, 6, 7, 8, 20, 47, 48, 500])
def test_an_offset_begins_where_it_says(library: Any, offset: int) -> None:
    ctx, made = library
    page = list_experiments(ctx, limit=5, offset=offset)
    assert ids(page.experiments) == ids(made[offset : offset + 5])
    assert page.total == 48
    assert page.has_more is (offset + 5 < 48)


@pytest.mark.parametrize("status", ["draft", "running", "complete"])
@pytest.mark.parametrize("offset", [0, 4])
def test_a_status_lists_its_experiments_only(library: Any, status: Any, offset: int) -> None:
    ctx, made = library
    expected = [one.id for one in made if one.status == status]
    found = list(pages(ctx, limit=3, offset=offset, status=status))
    assert [one for page in found for one in ids(page.experiments)] == expected[offset:]
    assert {page.total for page in found} == {len(expected)}


@pytest.mark.parametrize("search", ["button", "BLUE", "form 1", "nothing like it", "red against"])
def test_a_search_finds_names_and_descriptions_whatever_their_case(library: Any, search: str) -> None:
    ctx, made = library
    expected = [one.id for one in made if search.lower() in f"{one.name} {one.description}".lower()]
    found = [one for page in pages(ctx, limit=4, search=search) for one in ids(page.experiments)]
    assert found == expected
    skipped = [one for page in pages(ctx, limit=4, offset=2, search=search) for one in ids(page.experiments)]
    assert skipped == expected[2:]


def test_a_search_reads_a_bounded_number_per_page_and_still_finds_everything(
    library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx, made = library
    assert READ_BOUND <= 500
    monkeypatch.setattr("rallyuxr.store.experiments.READ_BOUND", 10)
    found = list(pages(ctx, limit=3, search="shipping", offset=2))
    assert len(found) > 4
    expected = [one.id for one in made if "shipping" in one.name.lower()]
    assert [one for page in found for one in ids(page.experiments)] == expected[2:]


def test_a_page_reads_what_it_shows_and_no_more(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx, _ = library
    read = []
    query = ctx.store.dynamo.query

    def counted(*arguments: Any, **options: Any) -> Iterator[Any]:
        for item in query(*arguments, **options):
            read.append(options["page_size"])
            yield item

    monkeypatch.setattr(ctx.store.dynamo, "query", counted)
    list_experiments(ctx, limit=5)
    assert len(read) == 6
    assert max(read) == 6
    read.clear()
    list_experiments(ctx, limit=5, offset=40)
    assert len(read) < 20


@pytest.mark.slow
def test_an_offset_deep_within_one_month_begins_where_it_says(cloud: Endpoint) -> None:
    """Deeper than a search looks in one page: a client that knows no tokens gets there too."""
    ctx = bare_tables(cloud, "deep")
    store_drafts(ctx, 1_300, newest=at("2025-01-31T00:00"))
    newest = [f"e-{place:06d}" for place in range(1_300)]
    for offset in (0, 499, 500, 1_100, 1_295):
        page = list_experiments(ctx, limit=3, offset=offset)
        assert ids(page.experiments) == newest[offset : offset + 3]
        assert page.next_token
        following = list_experiments(ctx, limit=2, next_token=page.next_token)
        assert ids(following.experiments) == newest[offset + 3 : offset + 5]
    assert ids(list_experiments(ctx, limit=5, offset=1_299).experiments) == newest[1_299:]


def test_a_filtered_page_reads_about_what_it_shows(library: Any) -> None:
    ctx, made = library
    sizes: list[int] = []
    ctx.store.cloud.client("dynamodb").meta.events.register(
        "before-parameter-build.dynamodb.Query", lambda params, **_: sizes.append(params["Limit"])
    )
    list_experiments(ctx, limit=2, status=made[0].status)
    assert sizes
    assert sizes[0] == 3
    assert sum(sizes) < len(made)


DEEP = base64.urlsafe_b64encode(b"[" * 1400).decode()


@pytest.mark.parametrize(
    "token", ["x", "eyJhIjoxfQ==", "WzEsMiwzLDQsNV0=", "WyIyMDI1LTAxIixudWxsLDAsbnVsbCxudWxsXQ==", "é", DEEP]
)
def test_a_damaged_token_is_refused(library: Any, token: str) -> None:
    ctx, _ = library
    with pytest.raises(InvalidInput, match="nextToken is damaged"):
        list_experiments(ctx, next_token=token)


def test_a_token_of_another_filter_is_refused(library: Any) -> None:
    ctx, _ = library
    token = list_experiments(ctx, limit=2).next_token
    with pytest.raises(InvalidInput, match="another status or search"):
        list_experiments(ctx, limit=2, next_token=token, status="draft")


def test_a_request_repeated_creates_one_experiment(ctx: Context) -> None:
    first = create_experiment(ctx, plan(), request_id="r-1")
    assert create_experiment(ctx, plan(), request_id="r-1") == first
    with pytest.raises(Conflict, match="another experiment"):
        create_experiment(ctx, plan(name="Something else"), request_id="r-1")
    assert create_experiment(replace(ctx, actor="bob"), plan(), request_id="r-1").id != first.id


def test_only_allowed_moves_happen(ctx: Context) -> None:
    made = create_experiment(ctx, plan())
    with pytest.raises(Conflict, match="is draft and cannot become complete; it can become running or archived"):
        move_status(ctx, made.id, "complete")
    assert move_status(ctx, made.id, "running").version == 2
    with pytest.raises(VersionConflict, match="at version 2, not 1"):
        move_status(ctx, made.id, "complete", expected_version=1)
    assert move_status(ctx, made.id, "complete", expected_version=2).status == "complete"
    move_status(ctx, made.id, "archived")
    with pytest.raises(Conflict, match="nothing else"):
        move_status(ctx, made.id, "draft")


@pytest.mark.parametrize("name", ["nobody", "#portfolio", "#failure#x"])
def test_what_is_no_experiment_is_not_found(ctx: Context, name: str) -> None:
    with pytest.raises(NotFound, match="There is no experiment"):
        get_experiment(ctx, name)


def test_twenty_at_once_change_one_experiment_and_none_is_lost(ctx: Context) -> None:
    made = create_experiment(ctx, plan())
    costs = [Decimal(100 + number) for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(lambda cost: set_cost(ctx, made.id, cost), costs))
    assert sorted(result.version for result in results) == list(range(2, 22))
    today = ctx.clock().date()
    trail = audit_trail(ctx, today, today, subject=made.id)
    written = Counter(entry.after["cost"] for entry in trail if entry.after and "cost" in entry.after)
    assert written == Counter(costs)


def test_of_twenty_at_once_with_one_version_one_wins(ctx: Context) -> None:
    made = create_experiment(ctx, plan())

    def attempt(number: int) -> bool:
        try:
            set_cost(ctx, made.id, Decimal(number), expected_version=1)
        except VersionConflict:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(attempt, range(1, 21))) == 1


def test_counts_follow_every_move_even_of_many_at_once(cloud: Endpoint) -> None:
    ctx = bare_tables(cloud, "counted")
    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda number: create_experiment(ctx, plan(name=f"{number}")), range(20)))
        list(pool.map(lambda one: move_status(ctx, one.id, "running"), made[:12]))
        list(pool.map(lambda one: move_status(ctx, one.id, "complete"), made[:5]))
        list(pool.map(lambda one: move_status(ctx, one.id, "archived"), made[10:14]))
    portfolio = ctx.store.experiments.portfolio()
    counts = {status: portfolio.total(status) for status in ("draft", "running", "complete", "archived")}
    assert counts == {"draft": 6, "running": 5, "complete": 5, "archived": 4}
    page = list_experiments(ctx, limit=1)
    assert (page.summary.total_experiments, page.summary.completed_experiments) == (20, 5)
    for metric_id in plan().metrics:
        assert ctx.store.usage.active_count(metric_id) == 11
        assert set(ctx.store.usage.active(metric_id)) == {one.id for one in made[5:10] + made[14:]}
        assert len(ctx.store.usage.closed(metric_id)) == 9


def test_every_change_leaves_who_what_and_when(ctx: Context) -> None:
    made = create_experiment(ctx, plan())
    move_status(replace(ctx, actor="bob"), made.id, "running")
    today = ctx.clock().date()
    moved, created = audit_trail(ctx, today, today, subject=made.id)
    assert (created.actor, created.action) == ("ann", "experiment.created")
    assert created.after
    assert created.after["name"] == "Red button"
    assert (moved.actor, moved.action) == ("bob", "experiment.moved")
    assert (moved.before["status"], moved.after["status"]) == ("draft", "running")  # type: ignore[index]
    assert "name" not in moved.after  # type: ignore[operator]
    assert made.created_by == "ann"
