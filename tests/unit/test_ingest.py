"""Uploads are recognised in every form, format and spelling, and mean the same in all of them."""

import io
import json
import re
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from causaldata import organ_donations
from hypothesis import given, settings
from hypothesis import strategies as st

from rallyuxr.errors import InvalidData, InvalidInput
from rallyuxr.ingest import ReadOptions, inspect_results, read_results
from rallyuxr.ingest.columns import ARMS, COUNTS, METRICS, TIMES, UNITS, VALUES
from rallyuxr.models import ExperimentData, ExperimentPlan, MetricSeries
from rallyuxr.services.exports import results_csv
from rallyuxr.simulation import simulate
from rallyuxr.stats.panel import did_panel

REFERENCE = -0.0224590
"""Organ donations: two-way fixed effects of Kessler and Roth's data, as other programs print it."""
COLUMNS = tuple(MetricSeries.__dataclass_fields__)


def plan(*metrics: str, days: int = 3, baseline_days: int = 2, **changes: Any) -> ExperimentPlan:
    fields: dict[str, Any] = {
        "name": "Checkout",
        "description": "",
        "metrics": metrics or ("conversion_rate", "revenue_per_user"),
        "start_date": datetime(2025, 1, 15, tzinfo=UTC),
        "end_date": datetime(2025, 1, 15 + days, tzinfo=UTC),
        "expected_outcome": "positive",
        "baseline_days": baseline_days,
    }
    return ExperimentPlan(**fields | changes)


def long_frame(data: ExperimentData) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "timestamp": pd.to_datetime(columns.timestamps).tz_localize("UTC"),
                    "metric": metric_id,
                    "arm": arm,
                    "value": getattr(columns, arm),
                    "sample_size": getattr(columns, f"{arm}_n"),
                }
            )
            for metric_id, columns in data.series.items()
            for arm in ("treatment", "control")
        ],
        ignore_index=True,
    )


def long_csv(data: ExperimentData, **to_csv: Any) -> bytes:
    frame = long_frame(data)
    frame["timestamp"] = frame["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return frame.to_csv(index=False, **to_csv).encode()


def wide_frame(data: ExperimentData) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "timestamp": pd.to_datetime(columns.timestamps).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "metric": metric_id,
                    "treatmentValue": columns.treatment,
                    "controlValue": columns.control,
                    "treatmentSampleSize": columns.treatment_n,
                    "controlSampleSize": columns.control_n,
                }
            )
            for metric_id, columns in data.series.items()
        ]
    )


def contract_record(data: ExperimentData) -> dict[str, Any]:
    metrics = {
        metric_id: {"timeSeries": part.drop(columns="metric").to_dict("records"), "summary": {}}
        for metric_id, part in wide_frame(data).groupby("metric", sort=False)
    }
    return {"experimentId": "e", "metrics": metrics, "dataSource": "simulator", "truth": dict(data.truth or {})}


def parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


def assert_same(read: ExperimentData, made: ExperimentData) -> None:
    assert set(read.series) == set(made.series)
    for metric_id, columns in made.series.items():
        for name in COLUMNS:
            np.testing.assert_array_equal(getattr(read.series[metric_id], name), getattr(columns, name))


@pytest.fixture(scope="module")
def made() -> ExperimentData:
    return simulate(plan())


FORMS = {
    "long CSV": long_csv,
    "CSV with semicolons": lambda data: long_csv(data, sep=";"),
    "CSV with tabs": lambda data: long_csv(data, sep="\t"),
    "CSV with bars": lambda data: long_csv(data, sep="|"),
    "UTF-8 with a byte-order mark": lambda data: b"\xef\xbb\xbf" + long_csv(data),
    "UTF-16": lambda data: long_csv(data).decode().encode("utf-16"),
    "Windows line ends": lambda data: long_csv(data).replace(b"\n", b"\r\n"),
    "old Macintosh line ends": lambda data: long_csv(data).replace(b"\n", b"\r"),
    "decimal commas": lambda data: long_csv(data, sep=";", decimal=","),
    "rows in any order": lambda data: long_frame(data).sample(frac=1, random_state=1),
    "pandas": long_frame,
    "pandas with times as index": lambda data: long_frame(data).set_index("timestamp"),
    "pandas with objects": lambda data: long_frame(data).astype(object),
    "Polars": lambda data: pl.from_pandas(long_frame(data)),
    "Arrow": lambda data: pa.Table.from_pandas(long_frame(data)),
    "Parquet": lambda data: parquet(long_frame(data)),
    "Parquet with categories": lambda data: parquet(
        long_frame(data).astype({"arm": "category", "metric": "category"})
    ),
    "wide CSV": lambda data: wide_frame(data).to_csv(index=False).encode(),
    "wide pandas": wide_frame,
    "the contract's record": contract_record,
    "the contract's JSON": lambda data: json.dumps(contract_record(data)).encode(),
    "JSON rows": lambda data: wide_frame(data).to_json(orient="records", double_precision=15).encode(),
    "an open file": lambda data: io.BytesIO(long_csv(data)),
    "an open text file": lambda data: io.StringIO(long_csv(data).decode()),
    "another time zone": lambda data: long_frame(data).assign(
        timestamp=lambda frame: frame["timestamp"].dt.tz_convert("Asia/Tokyo")
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_reads_back_what_was_made(form: str, made: ExperimentData) -> None:
    upload = inspect_results(FORMS[form](made), ReadOptions(decimal="," if form == "decimal commas" else "."))
    assert upload.problems == ()
    assert upload.granularity == "hourly"
    if form == "JSON rows":
        return
    assert_same(upload.require(), made)


def test_a_file_is_read_by_its_path(tmp_path: Path, made: ExperimentData) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(long_csv(made))
    assert_same(read_results(path), made)
    assert_same(read_results(str(path)), made)


def test_a_missing_file_and_an_unreadable_source_say_what_is_needed() -> None:
    with pytest.raises(InvalidInput, match=r"There is no file 'nowhere\.csv'"):
        read_results("nowhere.csv")
    with pytest.raises(InvalidInput, match="An object of type int cannot be read as results; give a path"):
        read_results(42)


def test_the_callers_frame_is_left_alone(made: ExperimentData) -> None:
    frame = long_frame(made)
    before = frame.copy(deep=True)
    read_results(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_an_export_of_simulated_results_reads_back_as_such(made: ExperimentData) -> None:
    data = read_results(results_csv(made))
    assert data.source == "simulator"
    assert_same(data, made)


def test_an_export_of_units_reads_back_as_units() -> None:
    source = b"unit,metric,period,treated,y\na,ctr,2025-01-01,1,0.5\nb,ctr,2025-01-01,0,0.25\n"
    data = read_results(source)
    again = read_results(results_csv(data))
    assert again.panels["ctr"].units == ("a", "b")
    assert again.panels["ctr"].outcome.tolist() == [0.5, 0.25]


def test_a_record_of_simulated_results_stays_simulated(made: ExperimentData) -> None:
    data = read_results(contract_record(made))
    assert (data.source, data.truth) == ("simulator", made.truth)


def test_what_was_recognised_is_reported(made: ExperimentData) -> None:
    upload = inspect_results(long_csv(made, sep=";"), ReadOptions(experiment=plan()))
    assert (upload.format, upload.encoding, upload.delimiter, upload.shape) == ("csv", "utf-8", ";", "long")
    assert (upload.time_zone, upload.n_rows, upload.ignored) == ("UTC", 480, ())
    assert upload.columns["sample_size"] == "sample_size"
    assert upload.header == ("timestamp", "metric", "arm", "value", "sample_size")
    assert upload.first_rows[0][:3] == ("2025-01-13T00:00:00Z", "conversion_rate", "treatment")
    assert [metric.metric_id for metric in upload.metrics] == ["conversion_rate", "revenue_per_user"]
    assert upload.metrics[0].n_periods == 120
    assert upload.warnings == ()


SPELLINGS = [
    "Timestamp,Metric ID,Variant,Mean,Sample Size",
    "date_time,KPI,group,average,n",
    "time,metricName,treatment,metric-value,USERS",
    "ts , metric , branch , avg , participants",
]


@pytest.mark.parametrize("header", SPELLINGS)
def test_column_names_are_matched_flexibly(header: str) -> None:
    rows = "2025-01-15T00:00:00Z,CTR,Treatment,0.1,10\n2025-01-15T00:00:00Z,ctr,CONTROL,0.2,20\n"
    data = read_results(f"{header}\n{rows}".encode())
    assert data.series["ctr"].control_n.tolist() == [20]


def test_a_mapping_names_columns_that_cannot_be_guessed() -> None:
    source = b"Stunde,Gruppe,Wert,Besucher\n2025-01-15T00:00:00Z,neu,0.1,10\n2025-01-15T00:00:00Z,alt,0.2,20\n"
    data = read_results(
        source,
        mapping={"timestamp": "Stunde", "arm": "Gruppe", "value": "Wert", "sample_size": "Besucher"},
        arms={"neu": "treatment", "alt": "control"},
        metric="ctr",
    )
    assert data.series["ctr"].treatment.tolist() == [0.1]


def test_a_mapping_of_an_unknown_field_says_which_there_are() -> None:
    with pytest.raises(InvalidInput, match="mapping names valu; the fields are arm, control_denominator"):
        read_results(b"a,b\n1,2\n", mapping={"valu": "a"})


def test_the_experiments_only_metric_needs_no_column() -> None:
    source = (
        b"date,arm,value,n\n2025-01-14,a,0.1,10\n2025-01-14,b,0.1,10\n2025-01-15,a,0.1,10\n2025-01-15,b,0.1,10\n"
    )
    assert read_results(source, experiment=plan("ctr")).metric_ids == ("ctr",)


def two_arms(*times: str) -> bytes:
    rows = [f"{moment},{arm},0.1,10" for moment in times for arm in ("treatment", "control")]
    return "\n".join(["timestamp,arm,value,n", *rows]).encode()


def test_dates_are_days_from_midnight_in_the_files_zone() -> None:
    upload = inspect_results(
        two_arms("2025-03-29", "2025-03-30", "2025-03-31"), ReadOptions(metric="ctr", time_zone="Europe/Berlin")
    )
    assert (upload.granularity, upload.time_zone) == ("daily", "Europe/Berlin")
    assert [str(moment) for moment in upload.require().series["ctr"].timestamps] == [
        "2025-03-28T23:00:00",
        "2025-03-29T23:00:00",
        "2025-03-30T22:00:00",
    ]
    assert upload.warnings == ()


def test_naive_times_are_read_in_the_zone_that_is_named() -> None:
    data = read_results(
        two_arms("2025-07-01T00:00:00", "2025-07-01T01:00:00"), metric="ctr", time_zone="America/New_York"
    )
    assert str(data.series["ctr"].timestamps[0]) == "2025-07-01T04:00:00"


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'Mars/Olympus' is not an IANA time zone"):
        read_results(two_arms("2025-07-01"), time_zone="Mars/Olympus")


def test_several_offsets_are_converted_with_a_warning() -> None:
    upload = inspect_results(
        two_arms("2025-01-15T00:00:00Z", "2025-01-15T02:00:00+01:00"), ReadOptions(metric="ctr")
    )
    assert [caution.code for caution in upload.warnings] == ["several_offsets"]
    assert str(upload.require().series["ctr"].timestamps[-1]) == "2025-01-15T01:00:00"


def test_quarter_hours_are_averaged_into_their_hour_weighted_by_participants() -> None:
    source = (
        b"timestamp,arm,value,n\n"
        b"2025-01-15T00:00:00Z,treatment,0.03,1000\n2025-01-15T00:15:00Z,treatment,0.3,10\n"
        b"2025-01-15T00:00:00Z,control,0.02,500\n"
    )
    upload = inspect_results(source, ReadOptions(metric="ctr"))
    columns = upload.require().series["ctr"]
    assert columns.treatment[0] == pytest.approx((0.03 * 1000 + 0.3 * 10) / 1010)
    assert columns.treatment_n.tolist() == [1010]
    assert upload.warnings[0].code == "not_on_the_hour"
    assert upload.warnings[0].message.startswith("1 of 3 values do not begin on a full hour")


def test_ratios_are_averaged_weighted_by_their_denominator() -> None:
    source = (
        b"timestamp,arm,value,n,denominator\n"
        b"2025-01-15T00:00:00Z,t,2.0,5,10\n2025-01-15T00:30:00Z,t,4.0,5,30\n2025-01-15T00:00:00Z,c,2.0,5,10\n"
    )
    columns = read_results(source, metric="pages_per_visit").series["pages_per_visit"]
    assert columns.treatment.tolist() == [3.5]
    assert columns.treatment_weight.tolist() == [40]


def test_an_hour_without_participants_may_leave_its_value_empty() -> None:
    source = (
        b"timestamp,treatmentValue,controlValue,treatmentSampleSize,controlSampleSize\n"
        b"2025-01-15T00:00:00Z,0.1,0.2,10,10\n2025-01-15T01:00:00Z,,0.2,0,10\n"
    )
    upload = inspect_results(source, ReadOptions(metric="ctr"))
    assert np.isnan(upload.require().series["ctr"].treatment[1])
    assert [caution.code for caution in upload.warnings] == ["one_arm"]


def test_a_ratio_without_its_denominator_is_a_warning() -> None:
    upload = inspect_results(two_arms("2025-01-15"), ReadOptions(metric="pages", value_types={"pages": "ratio"}))
    assert [caution.code for caution in upload.warnings] == ["no_denominator"]


def test_frames_with_infinities_and_odd_columns_are_read_with_problems_in_place() -> None:
    frame = pd.DataFrame(
        {
            "timestamp": ["2025-01-15"] * 2,
            "arm": [1.0, 0.0],
            "value": [np.inf, 0.5],
            "n": [10, 10],
            "tags": [["a"], ["b"]],
        }
    )
    upload = inspect_results(frame, ReadOptions(metric="ctr"))
    assert [(problem.row, problem.column, problem.value) for problem in upload.problems][-1] == (1, "value", "inf")
    assert upload.first_rows[0] == ("2025-01-15", "1", "inf", "10", "['a']")


def test_a_gap_is_a_warning_with_its_size_and_place() -> None:
    upload = inspect_results(
        two_arms("2025-01-15T00:00:00Z", "2025-01-15T01:00:00Z", "2025-01-15T05:00:00Z"), ReadOptions(metric="ctr")
    )
    assert upload.problems == ()
    assert [caution.message for caution in upload.warnings] == [
        "ctr: 3 of 6 hours have no data, the first 2025-01-15T02:00:00Z. They are left out, not read as zero."
    ]


@pytest.mark.parametrize(
    ("dates", "code", "says"),
    [
        (("2025-01-15", "2025-01-16"), "no_baseline", "difference in means, not a difference-in-differences"),
        (
            ("2025-01-14", "2025-01-15"),
            "short_baseline",
            "the baseline has 1 of the planned 2 days",
        ),
        (("2025-01-12", "2025-01-13", "2025-01-14", "2025-01-15"), "outside_window", "1 of 4 periods lie before"),
    ],
)
def test_what_the_data_lacks_of_the_plan_is_a_warning(dates: tuple[str, ...], code: str, says: str) -> None:
    upload = inspect_results(two_arms(*dates), ReadOptions(experiment=plan("ctr")))
    [caution] = upload.warnings
    assert caution.code == code
    assert says in caution.message


def test_a_western_file_that_is_not_utf8_is_read_with_a_warning() -> None:
    source = "unit,period,treated,outcome\nCafé,2025-01-15,1,3\nBäcker,2025-01-15,0,4\n".encode("latin-1")
    upload = inspect_results(source)
    assert upload.require().panels["outcome"].units == ("Bäcker", "Café")
    assert upload.warnings[0].code == "not_utf8"


def test_all_problems_are_reported_at_once_in_the_files_order() -> None:
    source = (
        b"timestamp,metric,arm,value,sample_size\n"
        b"yesterday,ctr,treatment,0.1,10\n"
        b"\n"
        b"2025-01-15T00:00:00Z,ctr2,control,abc,-3\n"
        b"2025-01-15T00:00:00Z,ctr,blue,0.1\n"
    )
    with pytest.raises(InvalidData) as refusal:
        read_results(source)
    assert [(problem.row, problem.column) for problem in refusal.value.problems] == [
        (2, "timestamp"),
        (4, "metric"),
        (4, "value"),
        (4, "sample_size"),
        (5, None),
    ]
    assert "row 2: column timestamp: The cell is not a time." in str(refusal.value)
    assert "(and 4 more)" in str(refusal.value)


def test_a_flood_of_one_problem_is_counted_and_hides_no_other() -> None:
    rows = [f"2025-01-15T00:00:{second:02}Z,ctr,treatment,oops,10" for second in range(60)] * 50
    upload = inspect_results("\n".join(["timestamp,metric,arm,value,n", *rows, "x,ctr,control,1,1"]).encode())
    assert upload.problem_count == 3001
    assert len(upload.problems) == 101
    assert upload.problems[-1].column == "timestamp"


def test_decimal_points_where_commas_were_announced_are_refused():
    text = "timestamp;metric;arm;value;sample_size\n2025-01-01T00:00Z;rate;treatment;0.031;500\n"
    upload = inspect_results(text.encode(), ReadOptions(decimal=","))
    (found,) = [one for one in upload.problems if one.column == "value"]
    assert (found.row, found.value) == (2, "0.031")
    assert (found.message, found.remedy) == (
        "A point stands where a decimal comma is needed.",
        "Say that the decimal is a point.",
    )


def test_a_file_that_is_wrong_everywhere_is_refused_quickly() -> None:
    rows = "".join(f"=unit{number},day {number},{number % 2},oops\n" for number in range(100_000))
    begin = time.process_time()
    upload = inspect_results(f"unit,period,treated,y\n{rows}".encode())
    assert time.process_time() - begin < 4
    assert upload.problem_count == 300_000
    assert {problem.column for problem in upload.problems} == {"unit", "period", "y"}


def test_the_problems_as_csv_cannot_run_in_a_spreadsheet() -> None:
    upload = inspect_results(b'timestamp,metric,arm,value,n\n2025-01-15T00:00:00Z,"=HYPERLINK(""x"")",a,1,1\n')
    lines = upload.problems_csv().decode("utf-8-sig").splitlines()
    assert lines[0] == "row,column,value,message,remedy"
    assert "\"'=HYPERLINK(" in lines[1]


def test_organ_donations_read_as_units_give_the_published_effect() -> None:
    frame = organ_donations.load_pandas().data
    frame["Treated"] = frame["State"] == "California"
    experiment = plan(
        "rate", start_date=date(2011, 7, 1), end_date=date(2012, 4, 1), baseline_days=273, data_source="upload"
    )
    upload = inspect_results(frame.drop(columns="Quarter_Num"), ReadOptions(experiment=experiment))
    panel = upload.require().panels["rate"]
    assert upload.warnings == ()
    assert (len(panel.units), panel.periods.size, panel.treated.sum()) == (27, 6, 1)
    rows = {
        "unit": panel.unit,
        "period": panel.period,
        "treated": panel.treated[panel.unit],
        "post": (panel.periods >= np.datetime64("2011-07-01"))[panel.period],
        "outcome": panel.outcome,
    }
    names = {name: name for name in rows}
    assert did_panel(pd.DataFrame(rows), **names, method="twfe").estimate == pytest.approx(REFERENCE, abs=5e-8)


def test_quarters_months_years_and_before_after_are_periods() -> None:
    def periods(*names: str, **options: Any) -> list[str]:
        rows = "".join(f"{unit},{name},{treated},1\n" for name in names for unit, treated in (("a", 1), ("b", 0)))
        panel = read_results(f"unit,period,treated,y\n{rows}".encode(), **options).panels
        return [str(moment)[:10] for moment in next(iter(panel.values())).periods]

    assert periods("2010Q4", "Q12011", "2011-Q2") == ["2010-10-01", "2011-01-01", "2011-04-01"]
    assert periods("2010-12", "2011-01") == ["2010-12-01", "2011-01-01"]
    assert periods("2010", "2011") == ["2010-01-01", "2011-01-01"]
    assert periods("0", "1", experiment=plan("y")) == ["2025-01-13", "2025-01-15"]
    assert periods("pre", "post", experiment=plan("y")) == ["2025-01-13", "2025-01-15"]
    named = {"first": date(2025, 1, 1), "second": date(2025, 2, 1)}
    assert periods("first", "second", period_starts=named) == ["2025-01-01", "2025-02-01"]


def test_units_without_an_outcome_are_left_out_with_a_warning() -> None:
    upload = inspect_results(b"unit,period,treated,y\na,2025-01-01,1,\na,2025-01-02,1,3\nb,2025-01-02,0,4\n")
    assert [caution.code for caution in upload.warnings] == ["missing_outcomes"]
    assert upload.require().panels["y"].outcome.tolist() == [3, 4]


def test_a_units_data_do_not_depend_on_the_order_of_rows() -> None:
    frame = pd.DataFrame(
        {
            "unit": ["b", "a", "b", "a"],
            "period": ["2025-01-02", "2025-01-02", "2025-01-01", "2025-01-01"],
            "treated": [1, 0, 1, 0],
            "y": [1.0, 2.0, 3.0, 4.0],
        }
    )
    first, second = (read_results(rows).panels["y"] for rows in (frame, frame.iloc[::-1]))
    assert first.units == second.units == ("a", "b")
    for name in ("unit", "period", "treated", "outcome"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_ten_metrics_of_a_year_of_hours_read_in_about_a_second() -> None:
    year = plan(
        *(f"metric_{letter}" for letter in "abcdefghij"),
        start_date=date(2024, 1, 15),
        end_date=date(2024, 12, 30),
        baseline_days=14,
    )
    made = simulate(year)
    source = long_csv(made)
    begin = time.process_time()
    data = read_results(source, experiment=year)
    assert time.process_time() - begin < 2  # 0.5 s of one quiet core; room for a busy one
    assert_same(data, made)


def test_too_large_a_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    [problem] = inspect_results(path).problems
    assert problem.message == "The file is larger than 64 MB; nothing of it was read."


def test_a_parquet_file_that_unpacks_to_too_much_is_refused() -> None:
    bomb = parquet(pd.DataFrame({"timestamp": ["2025-01-15" * 100] * 200_000}))
    assert len(bomb) < 100_000
    [problem] = inspect_results(bomb, ReadOptions(max_bytes=2**20)).problems
    assert problem.message == "The file unpacks to more than 8 MB; nothing of it was kept."


@settings(max_examples=150)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_located_problems(noise: bytes) -> None:
    for start in (
        b"",
        b"timestamp,metric,arm,value,n\n",
        b"unit,period,treated,y\n",
        b"[",
        b'{"metrics":',
        b"PAR1",
    ):
        upload = inspect_results(start + noise)
        assert (upload.data is None) == bool(upload.problems)


def test_every_synonym_and_warning_is_documented() -> None:
    root = Path(__file__).parents[2]
    text = (root / "docs" / "uploads.md").read_text()
    for names in (TIMES, METRICS, ARMS, VALUES, COUNTS, UNITS):
        assert all(name in text for name in names)
    source = "".join(path.read_text() for path in (root / "rallyuxr" / "ingest").glob("*.py"))
    assert all(f"`{code}`" in text for code in re.findall(r'code="(\w+)"', source))
