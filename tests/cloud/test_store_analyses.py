"""Analyses of any size are stored and read back equal, and lists show them without opening them."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from benchmarks.dynamodb_units import item_bytes
from rallyuxr.errors import Conflict, NotFound
from rallyuxr.local import Endpoint
from rallyuxr.models import EventStudy, ExperimentAnalysis
from rallyuxr.services.analyses import (
    analyze_version,
    current_analysis,
    get_analysis,
    list_analyses,
    rerun_analysis,
)
from rallyuxr.services.context import Context
from rallyuxr.services.experiments import create_experiment
from rallyuxr.services.metric_values import create_metric_value
from rallyuxr.services.results import publish_results
from rallyuxr.store import analysis_writes
from tests.cloud.spine_samples import METRICS, bare_tables, hourly, plan, price, raw_items


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    ctx = bare_tables(cloud, "analyses")
    for metric_id in METRICS:
        create_metric_value(ctx, price(metric_id))
    return ctx


def test_ten_metrics_over_a_year_fit_one_item_below_the_limit(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan(metrics=METRICS, start_date="2025-01-15", end_date="2026-01-15"))
    publish_results(ctx, experiment.id, hourly(METRICS, "2025-01-01", "2026-01-15"))
    stored = analyze_version(ctx, experiment.id, 1)
    assert len(stored.did_results[METRICS[0]].event_study.days) == 379
    items = [item for item in raw_items(ctx, "experimentAnalysis") if experiment.id in item["experimentId"]["S"]]
    assert len(items) == 1
    assert item_bytes(items[0]) < 400_000
    assert current_analysis(ctx, experiment.id) == stored
    assert items[0]["totalImpact"]["N"]
    assert items[0]["verdict"]["M"]["sentence"]["S"] == stored.verdict.sentence


def grown(analysis: ExperimentAnalysis, days: int) -> ExperimentAnalysis:
    """The analysis with event studies of that many days of noise, which no compression makes small."""
    rng = np.random.default_rng(5)
    start = analysis.experiment_period.start_date

    def study() -> EventStudy:
        columns = rng.standard_normal((4, days)).tolist()
        names = ("estimate", "std_error", "band_lower", "band_upper")
        moments = tuple(start + timedelta(days=day) for day in range(days))
        return EventStudy(days=moments, **dict(zip(names, map(tuple, columns), strict=True)))

    results = {
        name: result.model_copy(update={"event_study": study()}) for name, result in analysis.did_results.items()
    }
    return analysis.model_copy(update={"did_results": results})


def test_an_analysis_too_large_for_one_item_takes_several_and_comes_back_equal(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan())
    publish_results(ctx, experiment.id, hourly())
    small = analyze_version(ctx, experiment.id, 1)
    large = grown(small, days=8000).model_copy(update={"analysis_id": "f" + small.analysis_id[1:]})
    assert len(analysis_writes(large)) > 1
    ctx.store.analyses.add(large)
    ctx.store.analyses.add(large)
    assert get_analysis(ctx, experiment.id, large.analysis_id) == large
    assert current_analysis(ctx, experiment.id) == large
    assert [line.analysis_id for line in list_analyses(ctx, experiment.id)] == [
        large.analysis_id,
        small.analysis_id,
    ]


def test_a_list_shows_impact_verdict_and_prices_of_every_analysis(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan())
    publish_results(ctx, experiment.id, hourly())
    first = analyze_version(ctx, experiment.id, 1)
    publish_results(ctx, experiment.id, hourly(seed=2))
    second = rerun_analysis(replace(ctx, actor="bob"), experiment.id)
    newest, oldest = list_analyses(ctx, experiment.id)
    assert (newest.analysis_id, oldest.analysis_id) == (second.analysis_id, first.analysis_id)
    assert newest.total_impact == second.economic_impact.total_impact
    assert newest.total_interval == second.economic_impact.total_interval
    assert newest.verdict == second.verdict
    assert newest.price_versions == dict.fromkeys(METRICS[:2], 1)
    assert (newest.data_version, oldest.data_version) == (2, 1)


def test_what_is_not_there_is_said_to_be_missing(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan())
    assert current_analysis(ctx, experiment.id) is None
    assert list_analyses(ctx, experiment.id) == ()
    with pytest.raises(NotFound, match="no analysis 'x'"):
        get_analysis(ctx, experiment.id, "x")
    with pytest.raises(Conflict, match="no results yet"):
        rerun_analysis(ctx, experiment.id)
    with pytest.raises(NotFound, match="no experiment 'nobody'"):
        list_analyses(ctx, "nobody")
