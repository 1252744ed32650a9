"""Sorted ids are coded by their runs; what is not sorted is left to be coded row by row."""

import numpy as np
import pyarrow as pa
import pytest

from rallyuxr.stats.id_runs import PiecewiseRuns, id_runs
from rallyuxr.stats.panel import did_panel
from rallyuxr.stats.panel_data import encode
from tests.stats.panel_reference import panel


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize("chunked", [False, True])
def test_runs_are_counted_from_nought_whatever_their_texts(kind, chunked):
    column = pa.array(["b", "b", "b", "a", "a", "c", "c", "c"], kind)
    column = pa.chunked_array([column[:2], column[2:]]) if chunked else column
    runs = id_runs(column)
    assert runs.lengths.tolist() == [3, 2, 3]
    coder = PiecewiseRuns()
    assert coder.codes(column).tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    assert coder.are_distinct()


@pytest.mark.parametrize(
    "texts",
    [
        ["a", "b"] * 4,  # as many runs as rows
        [None, None, "a", "a"],
        ["a"] * 2048 + [str(number) for number in range(4096)],  # sorted only at first
    ],
)
def test_what_is_not_sorted_has_no_runs(texts):
    assert id_runs(pa.array(texts)) is None


def test_numbers_need_no_runs():
    assert id_runs(pa.array([1, 1, 2, 2])) is None


def test_an_id_with_two_runs_is_one_id():
    column = pa.array(["a", "a", "b", "b", "a", "a"])
    coder = PiecewiseRuns()
    assert coder.codes(column).tolist() == [0, 0, 1, 1, 2, 2]
    assert not coder.are_distinct()
    levels = encode(column, "unit")
    assert levels.count == 2
    assert [levels.label(code) for code in levels.codes] == column.to_pylist()


def test_units_in_two_runs_are_not_taken_for_four():
    rows = {name: np.asarray(values) for name, values in panel().items()}
    order = np.argsort(rows["period"] % 2, kind="stable")
    names = pa.array([f"user-{unit}" for unit in rows["unit"]])
    table = pa.table({**rows, "unit": names})
    columns = {"unit": "unit", "period": "period", "treated": "treated", "post": "post", "outcome": "outcome"}
    whole, halves = did_panel(table, **columns), did_panel(table.take(order), **columns)
    assert halves.n_units == whole.n_units
    assert (halves.estimate, halves.std_error) == pytest.approx((whole.estimate, whole.std_error), rel=1e-12)
