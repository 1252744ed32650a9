"""The cloud dies in the middle of an upload: the old version stays whole, and the upload can be repeated."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rallyuxr.errors import Unavailable
from rallyuxr.local import ensure_running, release
from rallyuxr.services.context import Context
from rallyuxr.services.experiments import create_experiment
from rallyuxr.services.results import load_results, publish_results
from rallyuxr.store.dynamo import Dynamo, Write
from rallyuxr.store.tables import Table
from tests.cloud.spine_samples import METRICS, bare_tables, hourly, plan, raw_items

SNAPSHOT_SECONDS = 0.5


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    release(tmp_path / "state")


def test_a_kill_between_two_chunks_leaves_the_old_version_and_the_upload_can_be_repeated(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = ensure_running(data_dir, port=0, snapshot_seconds=SNAPSHOT_SECONDS)
    ctx = bare_tables(endpoint, "crash")
    experiment = create_experiment(ctx, plan(metrics=METRICS))
    old, new = hourly(METRICS), hourly(METRICS, seed=2)
    publish_results(ctx, experiment.id, old)

    def die_half_way(self: Dynamo, table: Table, changes: Iterable[Write]) -> None:
        waiting = list(changes)
        for change in waiting[:5]:
            self.write(change)
        time.sleep(3 * SNAPSHOT_SECONDS)  # the first chunks are on disk
        os.kill(endpoint.pid, signal.SIGKILL)
        self.write(waiting[5])

    with monkeypatch.context() as dying:
        dying.setattr(Dynamo, "write_many", die_half_way)
        with pytest.raises(Unavailable):
            publish_results(ctx, experiment.id, new)

    again = Context(bare_tables(ensure_running(data_dir, port=0), "crash").store)
    assert chunks(again) == 10 + 5
    assert load_results(again, experiment.id).data_version == 1
    assert first_value(again, experiment.id) == old.series[METRICS[0]].treatment[0]
    assert publish_results(again, experiment.id, new).data_version == 2
    assert first_value(again, experiment.id) == new.series[METRICS[0]].treatment[0]
    assert again.store.results.tidy(experiment.id, again.clock() + timedelta(days=2)) == 5
    assert chunks(again) == 10 + 10


def chunks(ctx: Context) -> int:
    return sum("columns" in item for item in raw_items(ctx, "experimentResults"))


def first_value(ctx: Context, experiment_id: str) -> float:
    return float(load_results(ctx, experiment_id).data.series[METRICS[0]].treatment[0])
