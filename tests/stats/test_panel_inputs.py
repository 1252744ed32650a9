"""The same panel in every form that callers bring gives the same answer."""

import subprocess
import sys
from contextlib import closing

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

from rallyuxr.errors import InvalidInput
from rallyuxr.stats import panel_pieces, panel_sql
from rallyuxr.stats.grid_moments import stream_moments
from rallyuxr.stats.panel import did_panel
from rallyuxr.stats.panel_data import ColumnNames
from rallyuxr.stats.panel_sql import _LARGE_FRAME
from tests.stats.panel_reference import panel

COLUMNS = {"unit": "unit", "period": "period", "treated": "treated", "post": "post", "outcome": "outcome"}
NAMES = ColumnNames(**COLUMNS)

SUMS = 1e-12
"""Sums in another order differ by rounding."""


def frame(*, names=False, seen_only=False):
    data = pd.DataFrame(panel(seen_only=seen_only))
    data = data.astype({"unit": int, "period": int, "treated": int, "post": int})
    if names:
        data["unit"] = "user-" + data["unit"].astype(str)
        data["period"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(data["period"], unit="D")
    return data


def relation(data):
    connection = duckdb.connect()
    connection.from_arrow(pa.Table.from_pandas(data)).create("rows")
    return connection.table("rows")


def parquet(data, folder):
    path = folder / "rows.parquet"
    pa.parquet.write_table(pa.Table.from_pandas(data), path)
    return path


FORMS = {
    "pandas": lambda data, _: data,
    "pandas shuffled": lambda data, _: data.sample(frac=1, random_state=3),
    "pandas by period": lambda data, _: data.sort_values(["period", "unit"]),
    "polars": lambda data, _: pl.from_pandas(data),
    "pyarrow": lambda data, _: pa.Table.from_pandas(data),
    "mapping": lambda data, _: {name: data[name].to_numpy() for name in data},
    "mapping of lists": lambda data, _: {name: data[name].tolist() for name in data},
    "booleans": lambda data, _: data.astype({"treated": bool, "post": bool}),
    "relation": lambda data, _: relation(data),
    "parquet": parquet,
    "parquet as text": lambda data, folder: str(parquet(data, folder)),
}


@pytest.fixture
def _large(monkeypatch):
    """Every panel taken for a large one: what can be goes to DuckDB, and no relation is fetched as a whole."""
    monkeypatch.setattr(panel_sql, "_LARGE_FRAME", 1)


@pytest.fixture(params=["small", "large"])
def _size(request):
    """Small panels are coded in memory, large ones in DuckDB."""
    if request.param == "large":
        request.getfixturevalue("_large")


@pytest.mark.usefixtures("_size")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("names", [False, True], ids=["integers", "strings and dates"])
@pytest.mark.parametrize("method", ["unit_means", "cuped", "permutation"])
def test_every_form_gives_the_same_answer(form, names, method, tmp_path):
    data = FORMS[form](frame(names=names, seen_only=True), tmp_path)
    result = did_panel(data, **COLUMNS, method=method, reps=99)
    expected = did_panel(panel(seen_only=True), **COLUMNS, method=method, reps=99)
    assert result.estimate == pytest.approx(expected.estimate, rel=SUMS)
    assert (result.n_obs, result.n_units, result.method) == (expected.n_obs, expected.n_units, expected.method)
    if method != "permutation":  # random assignments follow the order of the ids
        found = (result.std_error, result.dof, result.relative.ci_lower, result.cell_means.control_pre)
        wanted = (expected.std_error, expected.dof, expected.relative.ci_lower, expected.cell_means.control_pre)
        assert found == pytest.approx(wanted, rel=SUMS)


def test_a_large_frame_with_string_ids_is_grouped_in_duckdb():
    n_units = _LARGE_FRAME // 4 + 1
    rng = np.random.default_rng(0)
    unit, period = np.repeat(np.arange(n_units), 4), np.tile(np.arange(4), n_units)
    data = {"unit": unit, "period": period, "treated": unit % 2, "post": period // 2}
    data["outcome"] = rng.normal(1e7, 1, unit.size)
    named = pd.DataFrame(data).assign(unit=[f"u{code}" for code in unit])
    for method in ("auto", "twfe"):
        result, expected = did_panel(named, **COLUMNS, method=method), did_panel(data, **COLUMNS, method=method)
        assert result.estimate == pytest.approx(expected.estimate, rel=1e-9)
        assert result.std_error == pytest.approx(expected.std_error, rel=1e-9)


@pytest.mark.usefixtures("_size")
@pytest.mark.parametrize("form", ["pandas", "relation", "parquet"])
@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("outcome", None, "missing"),
        ("post", 2, "other than 0 and 1"),
        ("post", 0.5, "other than 0 and 1"),
        ("treated", 1, "use did_staggered"),
        ("unit", None, "missing"),
        ("unit", 2, "repeat a unit and period"),
        ("period", 1, "repeat a unit and period"),
        ("outcome", 1e160, "beyond floating point"),
        ("outcome", -np.inf, "missing or infinite"),
    ],
)
def test_every_form_refuses_the_same_faults(form, column, value, message, tmp_path):
    data = frame()
    data[column] = data[column].astype(float)
    row = 8 * 3 + 7  # unit 3, an untreated one, in the last period
    data.loc[row, column] = np.nan if value is None else value
    with pytest.raises(InvalidInput, match=message):
        did_panel(FORMS[form](data, tmp_path), **COLUMNS)


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("unit,period\n1,2\n")
    with pytest.raises(InvalidInput, match="not a Parquet file"):
        did_panel(tmp_path / "rows.csv", **COLUMNS)


@pytest.mark.parametrize("change", [{"unit": "user"}, {"outcome": "sales"}])
def test_a_parquet_file_without_a_column_names_those_it_has(change, tmp_path):
    path = parquet(frame().drop(columns="outcome"), tmp_path)
    with pytest.raises(InvalidInput, match=r"no column .*'unit', 'period'"):
        did_panel(path, **COLUMNS | change)


def test_a_level_of_ten_million_costs_no_digits():
    data = panel()
    outcome = np.round(data["outcome"] * 1024) / 1024  # exact in binary, with and without the level
    plain = did_panel(data | {"outcome": outcome}, **COLUMNS)
    raised = did_panel(data | {"outcome": outcome + 1e7}, **COLUMNS)
    assert raised.estimate == pytest.approx(plain.estimate, rel=1e-10)
    assert raised.std_error == pytest.approx(plain.std_error, rel=1e-10)


def test_the_callers_data_are_not_changed():
    data = panel()
    before = {name: values.copy() for name, values in data.items()}
    for method in ("auto", "twfe", "cuped", "permutation"):
        did_panel(data, **COLUMNS, method=method, covariates=["x"] if method == "twfe" else [], reps=99)
    assert all(np.array_equal(data[name], before[name]) for name in data)


def test_parquet_and_arrow_need_no_pandas(tmp_path):
    path = parquet(frame(), tmp_path)
    program = (
        "import sys, pyarrow.parquet; from rallyuxr.stats.panel import did_panel\n"
        f"path = {str(path)!r}\n"
        "table = pyarrow.parquet.ParquetFile(path).read()\n"
        f"for data in (path, table): did_panel(data, **{COLUMNS!r})\n"
        "loaded = {'pandas', 'duckdb', 'polars', 'scipy.stats'} & set(sys.modules)\n"
        "sys.exit(f'loaded {loaded}' if loaded else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_arrays_alone_need_no_data_frame_library():
    program = (
        "import sys; from rallyuxr.stats.panel import did_panel\n"
        "data = {'u': [0, 0, 1, 1, 2, 2, 3, 3], 't': [0, 1] * 4, 'a': [1] * 4 + [0] * 4}\n"
        "data['y'] = [1, 4, 2, 4, 2, 2, 3, 4]\n"
        "did_panel(data, unit='u', period='t', treated='a', post='t', outcome='y')\n"
        "loaded = {'pandas', 'pyarrow', 'duckdb', 'polars', 'scipy.stats'} & set(sys.modules)\n"
        "sys.exit(f'loaded {loaded}' if loaded else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def with_text_ids(n_units=40, n_periods=6):
    """Rows sorted by units whose names are not in the order of the alphabet."""
    rng = np.random.default_rng(2)
    unit, period = np.repeat(np.arange(n_units), n_periods), np.tile(np.arange(n_periods), n_units)
    data = {"period": period, "treated": unit % 2, "post": (period > 2).astype(int)}
    data["outcome"] = rng.normal(50, 4, unit.size)
    return pa.table({"unit": [f"user-{code}" for code in unit], **data})


def answer(data, **options):
    found = did_panel(data, **COLUMNS, **options)
    return (found.estimate, found.std_error, found.dof, found.n_units, found.n_obs)


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("rows", [12, 13, 25, 1000], ids=lambda rows: f"{rows} rows a piece")
def test_text_ids_come_in_pieces_that_cut_units_in_two(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(panel_pieces, "_ROWS_PER_PIECE", rows)
    table = with_text_ids()
    pa.parquet.write_table(table, tmp_path / "rows.parquet", row_group_size=50)
    for data in (tmp_path / "rows.parquet", relation(table.to_pandas())):
        with closing(panel_pieces.in_pieces(data, NAMES.used(), texts=["unit"])) as pieces:
            assert stream_moments(pieces, NAMES) is not None
        assert answer(data) == pytest.approx(answer(table), rel=SUMS)


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("order", ["by period", "one unit in two runs"])
def test_text_ids_that_are_not_sorted_are_told_in_whatever_piece(order, tmp_path, monkeypatch):
    monkeypatch.setattr(panel_pieces, "_ROWS_PER_PIECE", 24)
    table = with_text_ids()
    if order == "by period":
        shuffled = table.sort_by("period")
    else:  # unit 3's rows stand at the end, under the name of unit 5, which has had its run
        later = list(range(18)) + list(range(24, 240)) + list(range(18, 24))
        shuffled = table.take(later)
        shuffled = shuffled.set_column(0, "unit", pa.array([*shuffled["unit"].to_pylist()[:-6], *["user-5"] * 6]))
        shuffled = shuffled.set_column(2, "treated", pa.array([*shuffled["treated"].to_pylist()[:-6], *[1] * 6]))
    pa.parquet.write_table(shuffled, tmp_path / "rows.parquet")
    for data in (tmp_path / "rows.parquet", relation(shuffled.to_pandas())):
        with closing(panel_pieces.in_pieces(data, NAMES.used(), texts=["unit"])) as pieces:
            assert stream_moments(pieces, NAMES) is None
        if order == "by period":
            assert answer(data) == pytest.approx(answer(table), rel=SUMS)
        else:
            with pytest.raises(InvalidInput, match="repeat a unit and period"):
                answer(data)


def test_a_relation_that_was_left_half_read_leaves_its_connection_free(monkeypatch):
    monkeypatch.setattr(panel_pieces, "_ROWS_PER_PIECE", 2048)
    connection = duckdb.connect()
    connection.sql(
        "CREATE TABLE rows AS SELECT hash(range // 8) AS unit, range % 8 AS period, (range // 8) % 2 AS treated, "
        "(range % 8 > 3)::INT AS post, sin(range) AS outcome FROM range(240_000)"
    )
    assert _LARGE_FRAME <= 240_000, "fewer rows are fetched as a whole"
    assert did_panel(connection.table("rows"), **COLUMNS).n_units == 30_000
    assert connection.sql("SELECT count(*) FROM rows").fetchall() == [(240_000,)]


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("kind", ["BOOLEAN", "TINYINT", "DECIMAL(9, 2)", "DOUBLE", "VARCHAR"])
def test_a_large_relations_flags_may_have_any_type_that_holds_them(kind):
    table = with_text_ids().sort_by("period")
    found = relation(table.to_pandas()).project(f"* REPLACE (treated::{kind} AS treated, post::{kind} AS post)")
    assert (panel_sql.query_moments(found, NAMES) is None) == (kind == "VARCHAR")
    if kind != "VARCHAR":
        assert answer(found) == pytest.approx(answer(table), rel=SUMS)


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize(
    ("post", "problem"),
    [
        ("CASE WHEN post = 1 THEN 'yes' ELSE 'no' END", "'post' is not numeric"),
        ("2 * post", "'post' has values other than 0 and 1"),
        ("post + 0.4", "'post' has values other than 0 and 1"),
        ("nullif(post, 1)", "'post' has 120 missing values"),
    ],
)
def test_a_large_relations_flags_are_refused_as_those_in_memory_are(post, problem):
    with pytest.raises(InvalidInput, match=problem):
        answer(relation(with_text_ids().sort_by("period").to_pandas()).project(f"* REPLACE ({post} AS post)"))


def test_a_relations_columns_may_have_any_name():
    table = with_text_ids().rename_columns(["unit", "period", "treated", "post", 'the "outcome"'])
    connection = duckdb.connect()
    connection.from_arrow(table).create("rows")
    named = COLUMNS | {"outcome": 'the "outcome"'}
    for method in ("unit_means", "permutation"):
        found = did_panel(connection.table("rows"), **named, method=method, reps=99)
        assert found.estimate == did_panel(table, **named, method=method, reps=99).estimate
