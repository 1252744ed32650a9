"""Events may come twice, late, shuffled or broken: what is stored is the same, and nothing is lost."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from rallyuxr.analysis import analyze
from rallyuxr.errors import Unavailable
from rallyuxr.handlers import analysis_processor, results_generator
from rallyuxr.local import Endpoint
from rallyuxr.models import (
    ExperimentCreated,
    ExperimentData,
    ExperimentDefinition,
    OrdersPlan,
    UpdateMetricValue,
)
from rallyuxr.models.order import Merchant
from rallyuxr.services import generation
from rallyuxr.services.analyses import analyze_version, current_analysis, list_analyses, rerun_analysis
from rallyuxr.services.context import Context
from rallyuxr.services.experiments import create_experiment, get_experiment, move_status, set_cost
from rallyuxr.services.listing import list_experiments
from rallyuxr.services.merchants import add_merchant
from rallyuxr.services.metric_values import create_metric_value, update_metric_value
from rallyuxr.services.operations import list_failures
from rallyuxr.services.order_experiments import publish_pending
from rallyuxr.services.progress import pipeline_progress
from rallyuxr.services.reconciliation import reconcile
from rallyuxr.services.repricing import preview_reprice
from rallyuxr.services.results import load_results, publish_results
from rallyuxr.simulation import simulate
from rallyuxr.store.dynamo import update
from rallyuxr.store.experiments import ExperimentRepository
from rallyuxr.store.results import ResultsRepository
from rallyuxr.store.tables import EXPERIMENT_RESULTS
from tests.cloud.spine_samples import METRICS, bare_tables, hourly, plan, price, raw_items

TABLES_WITH_STATE = ("experimentDefinition", "experimentResults", "experimentAnalysis", "metricUsage", "audit")


@pytest.fixture
def ctx(cloud: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """A stage of its own for each test, whose functions are called by the test."""
    stage = f"events-{random.randrange(10**9)}"
    ctx = bare_tables(cloud, stage)
    ctx.store.cloud.client("sqs").create_queue(QueueName=ctx.store.settings.resource("failures"))
    monkeypatch.setenv("RALLYUXR_STAGE", stage)
    for metric_id in METRICS[:2]:
        create_metric_value(ctx, price(metric_id))
    for handler in (analysis_processor, results_generator):
        handler.deployment.cache_clear()
    yield ctx
    for handler in (analysis_processor, results_generator):
        handler.deployment.cache_clear()


def stream_records(ctx: Context) -> list[dict[str, Any]]:
    """Every change record of experimentResults, oldest first."""
    streams = ctx.store.cloud.client("dynamodbstreams")
    table = ctx.store.dynamo.describe(EXPERIMENT_RESULTS)
    description = streams.describe_stream(StreamArn=table["LatestStreamArn"])["StreamDescription"]
    records: list[dict[str, Any]] = []
    for shard in description["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=table["LatestStreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = streams.get_records(ShardIterator=iterator)
            records += [_as_lambda_gets_it(record) for record in answer["Records"]]
            iterator = answer.get("NextShardIterator") if answer["Records"] else None
    return records


def _as_lambda_gets_it(record: dict[str, Any]) -> dict[str, Any]:
    change = record["dynamodb"]
    return {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": change["Keys"],
            "SequenceNumber": change["SequenceNumber"],
            "ApproximateCreationDateTime": 1_700_000_000,
        },
    }


def deliver(records: list[dict[str, Any]], *, batch: int = 10) -> None:
    for start in range(0, len(records), batch):
        analysis_processor.handler({"Records": records[start : start + batch]}, None)


def state(ctx: Context) -> dict[str, list[dict[str, Any]]]:
    return {table: raw_items(ctx, table) for table in TABLES_WITH_STATE}


def three_experiments(ctx: Context) -> list[ExperimentDefinition]:
    made = [create_experiment(ctx, plan(name=f"experiment {number}")) for number in range(3)]
    for seed, experiment in enumerate(made):
        for version in range(2):
            publish_results(ctx, experiment.id, hourly(seed=10 * seed + version))
    return made


def test_records_delivered_twice_more_and_shuffled_leave_every_item_byte_identical(ctx: Context) -> None:
    made = three_experiments(ctx)
    records = stream_records(ctx)
    deliver(records)
    settled = state(ctx)
    assert len(settled["experimentAnalysis"]) == 6
    again = records * 2
    random.Random(7).shuffle(again)
    deliver(again, batch=3)
    assert state(ctx) == settled
    assert list_failures(ctx) == ()
    for experiment in made:
        finding = get_experiment(ctx, experiment.id).finding
        assert finding
        assert finding.data_version == 2


def test_records_that_come_shuffled_at_first_end_in_the_newest_finding(ctx: Context) -> None:
    made = three_experiments(ctx)
    records = stream_records(ctx)
    records.sort(key=lambda record: record["dynamodb"]["SequenceNumber"], reverse=True)
    deliver(records)
    for experiment in made:
        current = current_analysis(ctx, experiment.id)
        assert current
        assert current.data_version == 2
        assert [line.data_version for line in list_analyses(ctx, experiment.id)] == [2, 1]
        now = get_experiment(ctx, experiment.id)
        assert now.finding
        assert now.finding.analysis_id == current.analysis_id
        assert now.status == "complete"
    summary = ctx.store.experiments.portfolio()
    findings = [get_experiment(ctx, one.id).finding for one in made]
    assert sum(round(Decimal(str(one.total_impact)), 2) for one in findings if one) == summary.impact["USD"]


def test_the_totals_keep_simulated_money_apart_and_leave_archived_money_out(ctx: Context) -> None:
    real, archived, relabelled = (create_experiment(ctx, plan(name=name)) for name in ("real", "old", "relabelled"))
    simulated = create_experiment(ctx, plan(name="simulated", data_source="simulator"))
    drawn = replace(hourly(seed=3), source="simulator")
    for one, data in ((real, hourly()), (archived, hourly(seed=2)), (relabelled, drawn), (simulated, drawn)):
        publish_results(ctx, one.id, data)
        analyze_version(ctx, one.id, 1)
    move_status(ctx, archived.id, "archived")
    summary = list_experiments(ctx).summary
    worth = {one.name: one.finding and one.finding.total_impact for one in list_experiments(ctx).experiments}
    assert summary.total_experiments == 4
    assert summary.total_economic_impact == pytest.approx(worth["real"], abs=0.005)
    both = (worth["simulated"] or 0) + (worth["relabelled"] or 0)
    assert summary.simulated_economic_impact == pytest.approx(both, abs=0.01)
    publish_results(ctx, simulated.id, hourly(seed=4))
    analyze_version(ctx, simulated.id, 2)
    now = get_experiment(ctx, simulated.id)
    assert not now.is_simulated, "real data took the place of the simulator's"
    after = list_experiments(ctx).summary
    assert now.finding
    assert after.total_economic_impact == pytest.approx(
        (worth["real"] or 0) + (now.finding.total_impact or 0), abs=0.01
    )
    assert after.simulated_economic_impact == pytest.approx(worth["relabelled"], abs=0.005)


def test_eight_deliveries_at_once_store_one_analysis_and_one_trace(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan())
    publish_results(ctx, experiment.id, hourly())
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: analyze_version(ctx, experiment.id, 1), range(8)))
    assert len(set(map(repr, made))) == 1
    assert len(raw_items(ctx, "experimentAnalysis")) == 1
    completed = [item for item in raw_items(ctx, "audit") if item["action"]["S"] == "analysis.completed"]
    assert len(completed) == 1
    assert ctx.store.usage.active_count(METRICS[0]) == 0


def test_a_late_event_uses_the_prices_of_the_time_of_publication(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan())
    publish_results(ctx, experiment.id, hourly())
    update_metric_value(ctx, METRICS[0], UpdateMetricValue(dollars_per_unit=Decimal(7)))
    deliver(stream_records(ctx))
    late = current_analysis(ctx, experiment.id)
    assert late
    assert late.metric_values_snapshot[METRICS[0]].dollars_per_unit == Decimal("0.42")
    rerun = rerun_analysis(ctx, experiment.id)
    assert rerun.metric_values_snapshot[METRICS[0]].dollars_per_unit == Decimal(7)
    assert rerun.analysis_id > late.analysis_id
    assert rerun_analysis(ctx, experiment.id) == rerun
    assert current_analysis(ctx, experiment.id) == rerun
    deliver(stream_records(ctx))
    assert [line.analysis_id for line in list_analyses(ctx, experiment.id)] == [rerun.analysis_id, late.analysis_id]


def test_the_stored_numbers_are_those_of_the_library(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan())
    publish_results(ctx, experiment.id, hourly())
    stored = analyze_version(ctx, experiment.id, 1)
    prices = {value.metric_id: value for value in ctx.store.metric_values.get_many(METRICS)}
    computed = analyze(load_results(ctx, experiment.id), prices, experiment=experiment)
    assert stored == computed.model_copy(update={"analysis_timestamp": stored.analysis_timestamp})
    assert current_analysis(ctx, experiment.id) == stored


def test_a_cost_set_later_makes_a_new_analysis_with_a_return(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan())
    publish_results(ctx, experiment.id, hourly())
    before = analyze_version(ctx, experiment.id, 1)
    assert before.economic_impact.roi_percentage is None
    set_cost(ctx, experiment.id, Decimal(1000))
    after = rerun_analysis(ctx, experiment.id)
    assert after.economic_impact.roi_percentage is not None
    assert after.analysis_id > before.analysis_id


def test_a_reprice_preview_shows_every_experiment_and_stores_nothing(ctx: Context) -> None:
    made = three_experiments(ctx)
    deliver(stream_records(ctx))
    settled = state(ctx)
    preview = preview_reprice(ctx, METRICS[0], Decimal("0.84"))
    assert {row.experiment_id for row in preview.experiments} == {experiment.id for experiment in made}
    assert state(ctx) == settled
    update_metric_value(ctx, METRICS[0], UpdateMetricValue(dollars_per_unit=Decimal("0.84")))
    for row in preview.experiments:
        rerun = rerun_analysis(ctx, row.experiment_id).economic_impact
        assert row.before != row.after
        assert row.after == pytest.approx(rerun.total_impact, rel=1e-12)


def test_a_preview_reads_a_bounded_number_and_says_so(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    made = three_experiments(ctx)
    deliver(stream_records(ctx))
    move_status(ctx, made[0].id, "archived")
    waiting = create_experiment(ctx, plan(name="active, not analysed"))
    monkeypatch.setattr("rallyuxr.services.repricing.MOST_CONSIDERED", 3)
    preview = preview_reprice(ctx, METRICS[0], Decimal("0.84"))
    assert not preview.complete
    assert len(preview.experiments) == 2
    assert waiting.id not in {row.experiment_id for row in preview.experiments}
    monkeypatch.setattr("rallyuxr.services.repricing.MOST_CONSIDERED", 4)
    monkeypatch.setattr("rallyuxr.services.repricing.LARGEST_PREVIEW", 2)
    preview = preview_reprice(ctx, METRICS[0], Decimal("0.84"))
    assert preview.complete
    assert (len(preview.experiments), preview.omitted) == (2, 1)


def unusable(ctx: Context) -> ExperimentDefinition:
    """An experiment with a chunk of a format that this version cannot read."""
    experiment = create_experiment(ctx, plan(name="unusable"))
    publish_results(ctx, experiment.id, hourly())
    chunks = (item for item in raw_items(ctx, "experimentResults") if "columns" in item)
    chunk = next(item for item in chunks if item["experimentId"]["S"] == experiment.id)
    key = {"experimentId": experiment.id, "metricTimepoint": chunk["metricTimepoint"]["S"]}
    ctx.store.dynamo.write(
        update(EXPERIMENT_RESULTS, key, "SET #c = :bytes", names={"#c": "columns"}, bytes=b"\x09")
    )
    return experiment


def test_a_record_that_cannot_be_analysed_goes_to_the_queue_and_the_others_go_on(ctx: Context) -> None:
    bad = unusable(ctx)
    good = create_experiment(ctx, plan())
    publish_results(ctx, good.id, hourly())
    deliver(stream_records(ctx))
    (failure,) = list_failures(ctx)
    assert (failure.experiment_id, failure.function) == (bad.id, "analysisProcessor")
    assert failure.reason
    assert list_failures(ctx) == (failure,)
    assert pipeline_progress(ctx, bad.id).failed == failure.reason
    assert pipeline_progress(ctx, good.id).done
    publish_results(ctx, bad.id, hourly(seed=2))
    assert pipeline_progress(ctx, bad.id).failed is None
    analyze_version(ctx, bad.id, 2)
    assert pipeline_progress(ctx, bad.id).done


def test_a_transient_fault_raises_so_that_the_batch_comes_again(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_experiments(ctx)
    records = stream_records(ctx)
    manifest, asked = ResultsRepository.manifest, []

    def sometimes(self: ResultsRepository, experiment_id: str, data_version: int) -> Any:
        asked.append(experiment_id)
        if len(asked) == 2:
            raise Unavailable("throttled")
        return manifest(self, experiment_id, data_version)

    monkeypatch.setattr(ResultsRepository, "manifest", sometimes)
    with pytest.raises(Unavailable, match="1 of"):
        deliver(records, batch=100)
    assert len(raw_items(ctx, "experimentAnalysis")) == 5
    deliver(records, batch=100)
    assert len(raw_items(ctx, "experimentAnalysis")) == 6
    assert list_failures(ctx) == ()


def test_reconciling_analyses_data_whose_event_was_lost(ctx: Context) -> None:
    made = three_experiments(ctx)
    assert reconcile(ctx).analysed == ()
    later = replace(ctx, clock=lambda: ctx.clock() + timedelta(minutes=5))
    assert set(reconcile(later).analysed) == {experiment.id for experiment in made}
    assert reconcile(later).analysed == ()


def test_reconciling_reports_what_it_cannot_do_and_does_the_rest(ctx: Context) -> None:
    bad, good = unusable(ctx), create_experiment(ctx, plan())
    publish_results(ctx, good.id, hourly())
    later = replace(ctx, clock=lambda: ctx.clock() + timedelta(minutes=5))
    report = reconcile(later)
    assert set(report.problems) == {bad.id}
    assert report.analysed == (good.id,)


def created(experiment: ExperimentDefinition) -> dict[str, Any]:
    message = ExperimentCreated(
        experiment_id=experiment.id, experiment=experiment, timestamp=experiment.created_at, request_id="r"
    )
    return message.to_json()


def test_the_generator_called_again_or_late_changes_nothing(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan(data_source="simulator"))
    first = results_generator.handler(created(experiment), None)
    assert (first["success"], first["resultsGenerated"]) == (True, 2 * 672)
    settled = state(ctx)
    assert results_generator.handler(created(experiment), None)["resultsGenerated"] == 0
    assert state(ctx) == settled
    publish_results(ctx, experiment.id, hourly())
    results_generator.handler(created(experiment), None)
    assert load_results(ctx, experiment.id).data_version == 2
    assert load_results(ctx, experiment.id).data.source == "upload"


def test_an_experiment_from_orders_is_marked_from_its_first_moment_until_it_is_archived(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order that comes while it is being created marks it too early, and a publisher forgets that mark."""
    shop = add_merchant(ctx, Merchant(merchant_id="shop", name="Shop"))
    store, create = ctx.store, ExperimentRepository.create

    def created_late(self: ExperimentRepository, experiment: ExperimentDefinition, *rest: Any, **more: Any) -> None:
        assert [name for name, *_ in store.merchants.watching(shop.merchant_id)] == [experiment.id]
        store.experiments_behind.put(experiment.id)
        assert publish_pending(ctx).failed == {}
        assert store.experiments_behind.pending() == {}
        create(self, experiment, *rest, **more)

    monkeypatch.setattr(ExperimentRepository, "create", created_late)
    orders = OrdersPlan(by="arm", merchants=(shop.merchant_id,), measures={METRICS[0]: "orders_per_hour"})
    experiment = create_experiment(ctx, plan(metrics=METRICS[:1], data_source="orders", orders=orders))
    assert store.experiments_behind.pending().keys() == {experiment.id}
    move_status(ctx, experiment.id, "archived")
    assert publish_pending(ctx).failed == {}
    assert store.experiments_behind.pending() == {}


def test_an_upload_while_results_are_simulated_stays(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = create_experiment(ctx, plan(data_source="simulator"))

    def overtaken(plan: ExperimentDefinition) -> ExperimentData:
        publish_results(ctx, plan.id, hourly())
        return simulate(plan)

    monkeypatch.setattr(generation, "simulate", overtaken)
    assert results_generator.handler(created(experiment), None)["resultsGenerated"] == 0
    published = load_results(ctx, experiment.id)
    assert (published.data_version, published.data.source) == (1, "upload")


def test_a_generator_that_cannot_be_reached_shows_in_the_progress(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan(data_source="simulator"))
    step = pipeline_progress(ctx, experiment.id).steps[1]
    assert step.name == "data"
    assert step.failed
    assert "infra apply" in step.failed


def test_the_status_follows_the_data_and_never_leaves_the_archive(ctx: Context) -> None:
    today = np.datetime64("today", "D")
    dates = {"start_date": str(today - 3), "end_date": str(today + 11)}
    running = create_experiment(ctx, plan(**dates))
    publish_results(ctx, running.id, hourly(first=str(today - 17), last=str(today)))
    analyze_version(ctx, running.id, 1)
    assert get_experiment(ctx, running.id).status == "running"
    archived = create_experiment(ctx, plan())
    publish_results(ctx, archived.id, hourly())
    move_status(ctx, archived.id, "archived")
    analyze_version(ctx, archived.id, 1)
    assert get_experiment(ctx, archived.id).status == "archived"
