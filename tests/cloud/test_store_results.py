"""Data versions: cheap, exact, visible all at once or not at all."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from benchmarks.dynamodb_units import item_bytes, read_units, write_units
from rallyuxr.errors import Conflict, InvalidInput, NotFound, Unavailable, VersionConflict
from rallyuxr.local import Endpoint
from rallyuxr.models import ExperimentData, MetricSeries
from rallyuxr.services.context import Context
from rallyuxr.services.experiments import create_experiment, move_status
from rallyuxr.services.results import load_results, publish_results
from rallyuxr.store.dynamo import Dynamo
from tests.cloud.spine_samples import METRICS, bare_tables, hourly, plan, raw_items


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    return bare_tables(cloud, "results")


@pytest.fixture
def experiment_id(ctx: Context) -> str:
    return create_experiment(ctx, plan(metrics=METRICS)).id


def items_of(ctx: Context, experiment_id: str) -> list[dict[str, Any]]:
    return [item for item in raw_items(ctx, "experimentResults") if item["experimentId"]["S"] == experiment_id]


def assert_equal(one: ExperimentData, other: ExperimentData) -> None:
    assert list(one.series) == list(other.series)
    for name, series in one.series.items():
        for column in ("timestamps", "treatment", "control", "treatment_n", "control_n"):
            assert getattr(series, column).tobytes() == getattr(other.series[name], column).tobytes()


def test_ten_metrics_of_four_weeks_cost_few_units(ctx: Context, experiment_id: str) -> None:
    data = hourly(METRICS)
    publish_results(ctx, experiment_id, data)
    items = items_of(ctx, experiment_id)
    chunks = [item for item in items if "columns" in item]
    assert len(chunks) == 10
    audit = 2
    manifest = 2 * write_units(item for item in items if "columns" not in item)  # a transaction costs twice
    assert write_units(chunks) + manifest + audit <= 130
    assert read_units(chunks) + 0.5 <= 15
    assert_equal(load_results(ctx, experiment_id).data, data)


def test_ten_metrics_of_a_year_store_and_load(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan(metrics=METRICS, start_date="2025-01-15", end_date="2026-01-01"))
    data = hourly(METRICS, "2025-01-01", "2026-01-01")
    publish_results(ctx, experiment.id, data)
    items = items_of(ctx, experiment.id)
    assert len(items) == 10 * 12 + 1
    assert max(map(item_bytes, items)) < 400_000
    assert_equal(load_results(ctx, experiment.id).data, data)


def test_the_same_content_again_makes_no_version(ctx: Context, experiment_id: str) -> None:
    first = publish_results(ctx, experiment_id, hourly())
    again = publish_results(ctx, experiment_id, hourly())
    assert (first.data_version, first.created) == (1, True)
    assert (again.data_version, again.created, again.published_at) == (1, False, first.published_at)
    assert publish_results(ctx, experiment_id, hourly(seed=2)).data_version == 2


def test_data_computed_after_another_version_than_the_newest_are_refused(ctx: Context, experiment_id: str) -> None:
    assert publish_results(ctx, experiment_id, hourly(seed=1), after=0).data_version == 1
    assert publish_results(ctx, experiment_id, hourly(seed=2), after=1).data_version == 2
    stored = items_of(ctx, experiment_id)
    with pytest.raises(VersionConflict, match="published since data version 1; read its sources again"):
        publish_results(ctx, experiment_id, hourly(seed=3), after=1)
    assert items_of(ctx, experiment_id) == stored
    assert not publish_results(ctx, experiment_id, hourly(seed=2), after=1).created


def test_of_data_computed_after_the_same_version_one_is_stored(ctx: Context, experiment_id: str) -> None:
    def upload(seed: int) -> int | None:
        try:
            return publish_results(ctx, experiment_id, hourly(seed=seed), after=0).data_version
        except VersionConflict:
            return None

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(upload, range(8)))
    assert sorted(versions, key=bool) == [None] * 7 + [1]
    assert_equal(load_results(ctx, experiment_id).data, hourly(seed=versions.index(1)))
    assert len({item["metricTimepoint"]["S"].split("#")[1] for item in items_of(ctx, experiment_id)}) == 2


@pytest.mark.parametrize("after", [None, 0])
def test_a_version_whose_answer_was_lost_is_kept(
    ctx: Context, experiment_id: str, monkeypatch: pytest.MonkeyPatch, after: int | None
) -> None:
    """The change was made, the cloud answered with a fault, and the same change again meets its own manifest."""
    transact = Dynamo.transact

    def twice(self: Dynamo, changes: Any) -> None:
        transact(self, changes)
        transact(self, changes)

    with monkeypatch.context() as broken:
        broken.setattr(Dynamo, "transact", twice)
        published = publish_results(ctx, experiment_id, hourly(), after=after)
    assert (published.data_version, published.created) == (1, True)
    assert_equal(load_results(ctx, experiment_id).data, hourly())


def test_every_version_is_read_by_its_number_and_the_newest_without(ctx: Context, experiment_id: str) -> None:
    versions = [hourly(seed=seed) for seed in (1, 2, 3)]
    for data in versions:
        publish_results(ctx, experiment_id, data)
    assert_equal(load_results(ctx, experiment_id, 1).data, versions[0])
    assert_equal(load_results(ctx, experiment_id).data, versions[2])
    with pytest.raises(NotFound, match="no data version 4"):
        load_results(ctx, experiment_id, 4)


def test_superseded_chunks_expire_and_the_current_ones_stay(ctx: Context, experiment_id: str) -> None:
    for seed in (1, 2):
        publish_results(ctx, experiment_id, hourly(seed=seed))
    expiring = {"000001": True, "000002": False}
    for item in items_of(ctx, experiment_id):
        place = item["metricTimepoint"]["S"]
        if place.startswith("data#"):
            assert ("expiresAt" in item) is expiring[place[5:11]]


def test_a_version_whose_chunks_expired_says_so(ctx: Context, experiment_id: str) -> None:
    for seed in (1, 2):
        publish_results(ctx, experiment_id, hourly(seed=seed))
    client = ctx.store.cloud.client("dynamodb")
    for item in items_of(ctx, experiment_id):
        if "expiresAt" in item:
            key = {name: item[name] for name in ("experimentId", "metricTimepoint")}
            client.delete_item(TableName=ctx.store.settings.resource("experimentResults"), Key=key)
    with pytest.raises(NotFound, match="replaced by a newer one and has expired"):
        load_results(ctx, experiment_id, 1)


def test_an_upload_that_dies_between_chunks_is_never_seen_and_can_be_repeated(
    ctx: Context, experiment_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_results(ctx, experiment_id, hourly())

    def half(self: Dynamo, table: Any, changes: Any) -> None:
        for change in list(changes)[:1]:
            self.write(change)
        raise Unavailable("the machine stopped")

    with monkeypatch.context() as broken:
        broken.setattr(Dynamo, "write_many", half)
        with pytest.raises(Unavailable):
            publish_results(ctx, experiment_id, hourly(seed=2))
    assert_equal(load_results(ctx, experiment_id).data, hourly())
    assert publish_results(ctx, experiment_id, hourly(seed=2)).data_version == 2
    assert_equal(load_results(ctx, experiment_id).data, hourly(seed=2))


def test_chunks_of_a_dead_upload_are_removed_after_a_day_and_no_others(
    ctx: Context, experiment_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dynamo, "transact", lambda self, changes: (_ for _ in ()).throw(Unavailable("stopped")))
    with pytest.raises(Unavailable):
        publish_results(ctx, experiment_id, hourly())
    monkeypatch.undo()
    publish_results(ctx, experiment_id, hourly(seed=2))
    now = datetime.now(UTC)
    assert ctx.store.results.tidy(experiment_id, now + timedelta(hours=23)) == 0
    assert ctx.store.results.tidy(experiment_id, now + timedelta(hours=25)) == 2
    assert ctx.store.results.tidy(experiment_id, now + timedelta(days=300)) == 0
    assert_equal(load_results(ctx, experiment_id).data, hourly(seed=2))


def test_chunks_whose_superseding_was_interrupted_expire_later(
    ctx: Context, experiment_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_results(ctx, experiment_id, hourly())
    with monkeypatch.context() as broken:
        broken.setattr(type(ctx.store.results), "_supersede", lambda *_: None)
        publish_results(ctx, experiment_id, hourly(seed=2))
    assert ctx.store.results.tidy(experiment_id, datetime.now(UTC)) == 2
    assert ctx.store.results.tidy(experiment_id, datetime.now(UTC)) == 0


def test_many_at_once_publish_each_its_own_version(ctx: Context, experiment_id: str) -> None:
    contents = [hourly(seed=seed) for seed in range(12)]
    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(lambda data: publish_results(ctx, experiment_id, data), contents))
    assert sorted(version.data_version for version in made) == list(range(1, 13))
    assert len({version.published_at for version in made}) == 12
    for version, data in zip(made, contents, strict=True):
        assert_equal(load_results(ctx, experiment_id, version.data_version).data, data)


def test_many_at_once_with_the_same_content_publish_it_once(ctx: Context, experiment_id: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: publish_results(ctx, experiment_id, hourly()), range(8)))
    assert {version.data_version for version in made} == {1}
    assert sum(version.created for version in made) == 1
    chunks = [item for item in items_of(ctx, experiment_id) if "columns" in item]
    assert len(chunks) == 2


def test_readers_during_a_storm_of_uploads_see_whole_versions_only(ctx: Context, experiment_id: str) -> None:
    contents = {seed: hourly(seed=seed) for seed in range(6)}
    publish_results(ctx, experiment_id, contents[0])
    first_values = {data.series[METRICS[0]].treatment[0]: seed for seed, data in contents.items()}
    with ThreadPoolExecutor(4) as pool:
        uploads = [pool.submit(publish_results, ctx, experiment_id, contents[seed]) for seed in range(1, 6)]
        while not all(upload.done() for upload in uploads):
            seen = load_results(ctx, experiment_id).data
            assert_equal(seen, contents[first_values[seen.series[METRICS[0]].treatment[0]]])


def broken_series(**changes: Any) -> ExperimentData:
    return ExperimentData(series={METRICS[0]: replace(hourly().series[METRICS[0]], **changes)})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (ExperimentData(), "hold no metric"),
        (hourly(["surprise"]), "does not track"),
        (broken_series(treatment=np.full(672, np.inf)), "infinite"),
        (broken_series(control_n=np.full(672, -1.0)), "negative"),
        (broken_series(treatment_n=np.full(672, np.nan)), "missing"),
        (broken_series(control=np.zeros(5)), "5 and 672 rows"),
        (broken_series(timestamps=np.zeros(672, "datetime64[s]")), "timestamps must grow"),
    ],
)
def test_columns_that_do_not_fit_are_refused_and_nothing_is_stored(
    ctx: Context, experiment_id: str, data: ExperimentData, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        publish_results(ctx, experiment_id, data)
    assert items_of(ctx, experiment_id) == []


def test_an_archived_experiment_takes_no_more_data(ctx: Context, experiment_id: str) -> None:
    move_status(ctx, experiment_id, "archived")
    with pytest.raises(Conflict, match="archived"):
        publish_results(ctx, experiment_id, hourly())


def test_infinite_and_missing_values_differ_a_missing_hour_is_kept_missing(
    ctx: Context, experiment_id: str
) -> None:
    data = hourly()
    data.series[METRICS[0]].treatment[5] = np.nan
    publish_results(ctx, experiment_id, data)
    back = load_results(ctx, experiment_id).data.series[METRICS[0]]
    assert isinstance(back, MetricSeries)
    assert np.isnan(back.treatment[5])
    assert np.isnan(back.treatment).sum() == 1
