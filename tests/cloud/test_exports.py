"""Files that other programs read: complete, labelled, harmless in a spreadsheet, and readable by ourselves."""

import csv
import io
import json
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
import pytest

from rallyuxr.errors import InvalidInput, NotFound
from rallyuxr.ingest import read_results
from rallyuxr.local import Endpoint
from rallyuxr.models import ExperimentData, ExperimentDefinition, UnitPanel
from rallyuxr.services import exports
from rallyuxr.services.analyses import analyze_version
from rallyuxr.services.audit import audit_trail
from rallyuxr.services.context import Context
from rallyuxr.services.experiments import create_experiment
from rallyuxr.services.metric_values import create_metric_value
from rallyuxr.services.results import load_results, publish_results, result_record
from tests.cloud.spine_samples import METRICS, at, bare_tables, hourly, plan, price, store_drafts


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    ctx = bare_tables(cloud, "exports")
    create_metric_value(ctx, price(METRICS[0]))
    return ctx


@pytest.fixture(scope="module")
def experiment(ctx: Context) -> ExperimentDefinition:
    made = create_experiment(ctx, plan(name='=cmd|" /C calc"!A0'))
    data = hourly()
    simulated = ExperimentData(series=data.series, source="simulator", truth={METRICS[0]: 0.006})
    publish_results(ctx, made.id, simulated)
    analyze_version(ctx, made.id, 1)
    return made


def test_a_csv_can_be_uploaded_again_and_gives_the_same_columns(
    ctx: Context, experiment: ExperimentDefinition
) -> None:
    back = read_results(exports.experiment_csv(ctx, experiment.id))
    for name, series in hourly().series.items():
        for column in ("timestamps", "treatment", "control", "treatment_n", "control_n"):
            assert getattr(back.series[name], column).tobytes() == getattr(series, column).tobytes()


def test_parquet_holds_the_rows_of_the_csv(ctx: Context, experiment: ExperimentDefinition) -> None:
    table = pq.read_table(io.BytesIO(exports.experiment_parquet(ctx, experiment.id)))
    assert table.num_rows == 2 * 2 * 672
    assert "UTC" in str(table.schema.field("timestamp").type)
    assert set(table["data_source"].to_pylist()) == {"SIMULATED"}


def test_json_holds_definition_results_and_analysis_under_the_contracts_names(
    ctx: Context, experiment: ExperimentDefinition
) -> None:
    content = json.loads(exports.experiment_json(ctx, experiment.id))
    assert content.keys() == {"experiment", "results", "analysis", "dataLabel"}
    assert content["dataLabel"] == "SIMULATED"
    assert content["results"]["truth"] == {METRICS[0]: 0.006}
    assert content["results"]["experimentPeriod"]["totalHours"] == 336
    assert content["analysis"]["didResults"].keys() == set(METRICS[:2])


def test_the_portfolio_has_a_line_per_experiment_and_runs_no_formula(
    ctx: Context, experiment: ExperimentDefinition
) -> None:
    waiting = create_experiment(ctx, plan(name="waiting", metrics=METRICS[:1]))
    lines = list(csv.DictReader(io.StringIO(exports.portfolio_csv(ctx).decode())))
    assert [line["id"] for line in lines] == [waiting.id, experiment.id]
    assert lines[1]["name"].startswith("'=cmd")
    assert float(lines[1]["total_impact"]) > 0
    assert lines[0]["total_impact"] == ""
    listed = json.loads(exports.portfolio_json(ctx))["experiments"]
    assert [line["id"] for line in listed] == [waiting.id, experiment.id]


def test_pages_of_the_portfolio_are_the_whole_file_in_parts(cloud: Endpoint) -> None:
    ctx = bare_tables(cloud, "exportpages")
    store_drafts(ctx, 450, newest=at("2025-02-02T00:00"))  # some of January too
    whole = exports.portfolio_csv(ctx).decode().splitlines(keepends=True)
    kinds: tuple[Literal["csv", "json"], ...] = ("csv", "json")
    for kind in kinds:
        pages = [exports.portfolio_page(ctx, kind, limit=130)]
        while token := pages[-1].next_token:
            pages.append(exports.portfolio_page(ctx, kind, limit=130, next_token=token))
        if kind == "csv":
            parts = [page.content.decode().splitlines(keepends=True) for page in pages]
            assert {part[0] for part in parts} == {whole[0]}, "each file has its header"
            assert [line for part in parts for line in part[1:]] == whole[1:]
            assert [len(part) - 1 for part in parts] == [130, 130, 130, 60]
        else:
            contents = [json.loads(page.content) for page in pages]
            assert [content.get("nextToken") for content in contents] == [page.next_token for page in pages]
            listed = json.loads(exports.portfolio_json(ctx))["experiments"]
            assert [line for content in contents for line in content["experiments"]] == listed
    with pytest.raises(InvalidInput, match="nextToken is damaged"):
        exports.portfolio_page(ctx, "csv", next_token="x")


def test_a_panel_is_exported_as_units_and_recorded_as_means_over_them(ctx: Context) -> None:
    periods = np.array(["2025-01-10", "2025-01-20"], dtype="datetime64[s]")
    panel = UnitPanel(
        units=("ann", "bob", "cem"),
        periods=periods,
        unit=np.array([0, 1, 2, 0, 1], dtype=np.int32),
        period=np.array([0, 0, 0, 1, 1], dtype=np.int32),
        treated=np.array([1, 0, 0], dtype=np.int8),
        outcome=np.array([1.0, 2.0, 4.0, 8.0, 16.0]),
    )
    made = create_experiment(ctx, plan(metrics=METRICS[:1]))
    publish_results(ctx, made.id, ExperimentData(panels={METRICS[0]: panel}, granularity="units"))
    rows = list(csv.DictReader(io.StringIO(exports.experiment_csv(ctx, made.id).decode())))
    assert [(row["unit"], row["arm"], float(row["value"])) for row in rows] == [
        ("ann", "treatment", 1.0),
        ("bob", "control", 2.0),
        ("cem", "control", 4.0),
        ("ann", "treatment", 8.0),
        ("bob", "control", 16.0),
    ]
    record = result_record(made, load_results(ctx, made.id)).metrics[METRICS[0]]
    assert [point.control_value for point in record.time_series] == [3.0, 16.0]
    assert [point.control_sample_size for point in record.time_series] == [2.0, 1.0]
    assert (record.summary.treatment_mean, record.summary.control_mean) == (8.0, 16.0)


def test_an_experiment_without_data_has_no_file_of_it(ctx: Context) -> None:
    made = create_experiment(ctx, plan())
    with pytest.raises(NotFound, match="no results yet"):
        exports.experiment_csv(ctx, made.id)
    assert json.loads(exports.experiment_json(ctx, made.id)).keys() == {"experiment"}


def test_the_trail_and_a_price_history_are_files(ctx: Context, experiment: ExperimentDefinition) -> None:
    today = ctx.clock().date()
    entries = audit_trail(ctx, today, today, subject=experiment.id)
    trail = list(csv.DictReader(io.StringIO(exports.audit_csv(entries).decode())))
    created = next(line for line in trail if line["action"] == "experiment.created")
    assert (created["subject"], created["actor"]) == (experiment.id, "ann")
    assert json.loads(created["after"])["id"] == experiment.id
    (line,) = csv.DictReader(io.StringIO(exports.price_history_csv(ctx, METRICS[0]).decode()))
    assert (line["metric_id"], line["version"], line["dollars_per_unit"]) == (METRICS[0], "1", "0.42")
