"""From creation to dollars through the deployed functions: real data, simulated data, failures and their repair."""

import csv
import io
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import pytest
from causaldata import organ_donations

from rallyuxr.analysis import analyze
from rallyuxr.errors import NotFound
from rallyuxr.ingest import read_results
from rallyuxr.local import Deployment
from rallyuxr.models import (
    ExperimentAnalysis,
    ExperimentData,
    ExperimentDefinition,
    SimulatedMetric,
    SimulationPlan,
    iso_z,
)
from rallyuxr.services.analyses import current_analysis, list_analyses
from rallyuxr.services.context import Context, connect
from rallyuxr.services.experiments import create_experiment, get_experiment
from rallyuxr.services.metric_values import create_metric_value
from rallyuxr.services.operations import health, list_failures, redrive, stored_size
from rallyuxr.services.progress import pipeline_progress
from rallyuxr.services.results import load_results, publish_results
from tests.cloud.spine_samples import METRICS, hourly, plan, price, raw_items

PATIENCE_SECONDS = 180
PROMISED_SECONDS = 30
PREFIX = "data#000002-0000000000-copy"
QUARTERS = {
    "Q42010": date(2010, 10, 1),
    "Q12011": date(2011, 1, 1),
    "Q22011": date(2011, 4, 1),
    "Q32011": date(2011, 7, 1),
    "Q42011": date(2011, 10, 1),
    "Q12012": date(2012, 1, 1),
}
Found = TypeVar("Found")


@pytest.fixture(scope="module")
def ctx(deployed: Deployment) -> Context:
    ctx = connect(actor="ann")
    for metric_id in (*METRICS, "donation_rate"):
        create_metric_value(ctx, price(metric_id))
    return ctx


def wait_for(look: Callable[[], Found | None]) -> Found:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    pytest.fail(f"nothing came within {PATIENCE_SECONDS} seconds")


def analysed(ctx: Context, experiment: ExperimentDefinition) -> ExperimentAnalysis:
    """The analysis that the stream started, checked against what the library computes from the same data."""
    stored = wait_for(lambda: current_analysis(ctx, experiment.id))
    prices = {value.metric_id: value for value in ctx.store.metric_values.get_many(experiment.metrics)}
    computed = analyze(load_results(ctx, experiment.id), prices, experiment=experiment)
    assert stored.did_results == computed.did_results
    assert stored.economic_impact == computed.economic_impact
    for metric_id, snapshot in stored.metric_values_snapshot.items():
        assert snapshot.dollars_per_unit == prices[metric_id].dollars_per_unit
        assert snapshot.version == prices[metric_id].version
    assert pipeline_progress(ctx, experiment.id).done
    return stored


def as_csv(data: ExperimentData) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("timestamp", "metric", "arm", "value", "sample_size"))
    for metric_id, series in data.series.items():
        for place, moment in enumerate(series.timestamps):
            for arm, values, sizes in (
                ("treatment", series.treatment, series.treatment_n),
                ("control", series.control, series.control_n),
            ):
                writer.writerow((f"{moment}Z", metric_id, arm, repr(float(values[place])), sizes[place]))
    return text.getvalue().encode()


def test_an_uploaded_hourly_file_becomes_an_effect_in_dollars(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan(metrics=METRICS[:2]))
    publish_results(ctx, experiment.id, read_results(as_csv(hourly()), experiment=experiment))
    analysis = analysed(ctx, experiment)
    effect = analysis.did_results[METRICS[0]].estimate
    assert effect.ci_lower is not None
    assert effect.ci_upper is not None
    assert effect.ci_lower < 0.006 < effect.ci_upper
    total = analysis.economic_impact.total_interval
    assert total
    assert total.lower > 0
    finished = get_experiment(ctx, experiment.id)
    assert finished.status == "complete"
    assert finished.finding
    assert finished.finding.total_impact == analysis.economic_impact.total_impact


def test_real_people_by_state_and_quarter_become_an_effect(ctx: Context) -> None:
    donations = organ_donations.load_pandas().data
    frame = donations.assign(
        unit=donations["State"],
        period=donations["Quarter"].map(QUARTERS),
        treated=(donations["State"] == "California").astype(int),
        outcome=donations["Rate"],
    )[["unit", "period", "treated", "outcome"]]
    experiment = create_experiment(
        ctx,
        plan(
            name="Active choice on the driving licence",
            metrics=("donation_rate",),
            start_date="2011-07-01",
            end_date="2012-04-01",
            baseline_days=273,
        ),
    )
    publish_results(ctx, experiment.id, read_results(frame, experiment=experiment))
    result = analysed(ctx, experiment).did_results["donation_rate"]
    assert result.estimate.n_units == 27
    assert result.estimate.estimate == pytest.approx(-0.0224590, abs=5e-8)  # the published two-way estimate


def test_ten_simulated_metrics_arrive_and_are_analysed_within_seconds(ctx: Context) -> None:
    truth = {metric_id: 0.002 * number for number, metric_id in enumerate(METRICS)}
    metrics = {
        name: SimulatedMetric(baseline=0.03, effect=effect, kind="proportion") for name, effect in truth.items()
    }
    began = time.monotonic()
    experiment = create_experiment(
        ctx, plan(metrics=METRICS, data_source="simulator", simulation=SimulationPlan(seed=3, metrics=metrics))
    )
    wait_for(lambda: current_analysis(ctx, experiment.id))
    took = time.monotonic() - began
    analysis = analysed(ctx, experiment)
    assert {name: result.true_effect for name, result in analysis.did_results.items()} == pytest.approx(truth)
    assert analysis.data_source == "simulator"
    assert took < PROMISED_SECONDS
    assert [step.name for step in pipeline_progress(ctx, experiment.id).steps if step.at] == [
        "saved",
        "data",
        "analysis",
        "done",
    ]


def test_a_year_of_hours_passes_through(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan(metrics=METRICS, start_date="2025-01-15", end_date="2026-01-01"))
    publish_results(ctx, experiment.id, hourly(METRICS, "2025-01-01", "2026-01-01"))
    analysis = analysed(ctx, experiment)
    assert len(analysis.did_results) == 10


def put_second_version(ctx: Context, experiment: ExperimentDefinition, *, readable: bool) -> None:
    """Copy version 1 to version 2, with columns of a format that this version of the program reads or does not."""
    manifest_last = sorted(items_of(ctx, experiment), key=lambda item: "columns" not in item)
    for item in manifest_last:
        copy = {**item, "dataVersion": {"N": "2"}, "chunks": {"S": PREFIX}}
        if "columns" in item:
            place = item["metricTimepoint"]["S"].split("#", 2)[2]
            copy |= {"metricTimepoint": {"S": f"{PREFIX}#{place}"}}
            copy |= {} if readable else {"columns": {"B": b"\x09"}}
        else:
            later = datetime.fromisoformat(item["publishedAt"]["S"]) + timedelta(seconds=1)
            copy |= {"metricTimepoint": {"S": "manifest#000002"}, "publishedAt": {"S": iso_z(later)}}
        ctx.store.cloud.client("dynamodb").put_item(
            TableName=ctx.store.settings.resource("experimentResults"), Item=copy
        )


def items_of(ctx: Context, experiment: ExperimentDefinition) -> list[dict[str, Any]]:
    """The items of an experiment's first data version."""
    found = raw_items(ctx, "experimentResults")
    own = (item for item in found if item["experimentId"]["S"] == experiment.id)
    return [item for item in own if "000002" not in item["metricTimepoint"]["S"]]


def test_a_failure_is_shown_and_kept_and_passes_when_its_cause_is_gone(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan())
    publish_results(ctx, experiment.id, hourly())
    wait_for(lambda: pipeline_progress(ctx, experiment.id).done)
    put_second_version(ctx, experiment, readable=False)
    reason = wait_for(lambda: pipeline_progress(ctx, experiment.id).failed)
    assert "format 09" in reason
    (failure,) = wait_for(lambda: [line for line in list_failures(ctx) if line.experiment_id == experiment.id])
    assert failure.reason == reason
    assert "wait in the queue" in health(ctx).explanations["analysisEngine"]
    put_second_version(ctx, experiment, readable=True)
    assert redrive(ctx, failure.id) == 1
    wait_for(lambda: pipeline_progress(ctx, experiment.id).done)
    assert [line.data_version for line in list_analyses(ctx, experiment.id)] == [2, 1]
    with pytest.raises(NotFound, match="sent again already"):
        redrive(ctx, failure.id)


def test_a_healthy_system_says_so(ctx: Context) -> None:
    report = health(ctx)
    assert report.services.database == "healthy"
    assert report.services.results_generator == "healthy"
    assert report.last_analysis_at
    assert (datetime.now(UTC) - report.last_analysis_at).total_seconds() < 600
    assert {size.table for size in stored_size(ctx)} >= {"experimentResults", "orders"}
