"""Panels whose rows stand in order: the fast pass gives what the careful one gives, and never mistakes a layout."""

import itertools
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from rallyuxr.errors import InvalidInput
from rallyuxr.stats import unit_grid
from rallyuxr.stats.arm_moments import panel_moments
from rallyuxr.stats.grid_moments import grid_moments, stream_moments
from rallyuxr.stats.panel import did_panel
from rallyuxr.stats.panel_data import ColumnNames, read_panel
from rallyuxr.stats.panel_pieces import in_pieces
from rallyuxr.stats.unit_means import collapse_units

COLUMNS = {"unit": "unit", "period": "period", "treated": "treated", "post": "post", "outcome": "outcome"}
NAMES = ColumnNames(**COLUMNS)
ROUNDING = 1e-12


def grid(n_units=90, n_periods=7, *, level=0.0, seed=0):
    """A panel sorted by unit; arms of unequal size and level, the first block all control."""
    rng = np.random.default_rng(seed)
    unit, period = np.repeat(np.arange(n_units), n_periods), np.tile(np.arange(n_periods), n_units)
    treated = ((unit % 3 == 0) & (unit > n_units // 2)).astype(int)
    outcome = level + 5.0 * treated + rng.normal(size=n_units)[unit] + rng.normal(size=unit.size)
    return {
        "unit": unit,
        "period": period,
        "treated": treated,
        "post": (period > 3).astype(int),
        "outcome": outcome + 0.3 * treated * (period > 3),
    }


def in_order(data, order):
    return {name: values[order] for name, values in data.items()}


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(unit_grid, "_CELLS_PER_BLOCK", 7 * 16)


def agree(found, expected):
    for name in ("treatment", "control"):
        left, right = getattr(found, name), getattr(expected, name)
        assert left.n_units == right.n_units
        assert left.mean == pytest.approx(right.mean, rel=ROUNDING, abs=ROUNDING)
        assert left.cov == pytest.approx(right.cov, rel=ROUNDING, abs=ROUNDING)
    for name in ("n_obs", "n_units", "n_incomplete", "has_baseline", "balanced", "n_periods", "post_share"):
        assert getattr(found, name) == getattr(expected, name)


LAYOUTS = {
    "by unit": lambda data: data,
    "by period": lambda data: in_order(data, np.lexsort([data["unit"], data["period"]])),
    "ids far apart": lambda data: data | {"unit": data["unit"] * 10**12 - 5},
    "ids as dates": lambda data: data | {"period": np.datetime64("2025-01-01") + data["period"]},
    "periods in any order": lambda data: data | {"period": (data["period"] * 3) % 7},
    "flags as floats": lambda data: data | {"treated": data["treated"] * 1.0, "post": data["post"] * 1.0},
    "flags as booleans": lambda data: data | {"treated": data["treated"] == 1, "post": data["post"] == 1},
    "outcome in integers": lambda data: data | {"outcome": np.round(100 * data["outcome"]).astype(np.int32)},
    "outcome in single precision": lambda data: data | {"outcome": data["outcome"].astype(np.float32)},
    "no baseline": lambda data: data | {"post": np.ones(data["post"].size)},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_one_pass_gives_the_moments_of_collapsed_units(layout):
    data = LAYOUTS[layout](grid(level=3.0))
    found = grid_moments(data, NAMES)
    assert found is not None
    agree(found, panel_moments(collapse_units(read_panel(data, NAMES))))


def moved(column, row, value):
    data = grid()
    data[column] = data[column].astype(float)
    data[column][row] = value
    return data


NOT_GRIDS = {
    "two rows changed places": in_order(grid(), np.r_[0:100, 101, 100, 102:630]),
    "two units changed places": in_order(grid(), np.r_[0:112, 119:126, 112:119, 126:630]),
    "a unit comes twice": grid() | {"unit": np.where(grid()["unit"] == 16, 15, grid()["unit"])},
    "shuffled": in_order(grid(), np.random.default_rng(1).permutation(630)),
    "one row missing": in_order(grid(), np.r_[0:629]),
    "a period comes twice": moved("period", 300, 1),
    "an arm that changes": moved("treated", 300, 1 - grid()["treated"][300]),
    "a start of its own": moved("post", 300, 1 - grid()["post"][300]),
    "a flag of 2": grid() | {"treated": grid()["treated"] * 2},
    "never after the start": grid() | {"post": np.zeros(630)},
    "a missing outcome": moved("outcome", 300, np.nan),
    "an infinite outcome": moved("outcome", 300, np.inf),
    "the first outcome missing": moved("outcome", 0, np.nan),
    "a missing id": moved("unit", 300, np.nan),
    "a missing flag": moved("post", 300, np.nan),
    "values beyond squaring": grid() | {"outcome": grid()["outcome"] * 1e200},
    "one unit": in_order(grid(), np.r_[0:7]),
    "one period": in_order(grid(), np.r_[0:630:7]),
    "two rows": in_order(grid(), np.r_[0:2]),
    "ids as text": grid() | {"unit": grid()["unit"].astype(str)},
}


@pytest.mark.parametrize("layout", NOT_GRIDS)
def test_whatever_is_no_grid_is_left_to_the_careful_pass(layout):
    assert grid_moments(NOT_GRIDS[layout], NAMES) is None


@pytest.mark.parametrize("at", [0, 111, 112, 113, 400, 628])
@pytest.mark.parametrize("column", ["unit", "period", "treated", "post"])
def test_one_wrong_row_is_seen_wherever_a_block_ends(column, at):
    assert grid_moments(moved(column, at, grid()[column][at] + 1), NAMES) is None


def pieces(data, sizes):
    """The rows in consecutive pieces of these sizes, over and over."""
    start, n_rows = 0, data["unit"].size
    for size in itertools.cycle(sizes):
        if start >= n_rows:
            return
        yield {name: values[start : start + size] for name, values in data.items()}
        start += size


@pytest.mark.parametrize("sizes", [(630,), (100,), (70,), (20, 1, 3), (14, 0, 7), (16, 2)])
def test_rows_that_come_in_pieces_give_the_same_moments(sizes):
    data = grid(level=3.0)
    agree(stream_moments(pieces(data, sizes), NAMES), grid_moments(data, NAMES))


@pytest.mark.parametrize("sizes", [(630,), (100,), (16, 2)])
@pytest.mark.parametrize("layout", NOT_GRIDS)
def test_pieces_of_what_is_no_grid_are_left_to_the_careful_pass(layout, sizes):
    assert stream_moments(pieces(NOT_GRIDS[layout], sizes), NAMES) is None


def test_pieces_sorted_by_period_and_no_pieces_at_all_are_left_to_the_careful_pass():
    assert stream_moments(pieces(LAYOUTS["by period"](grid()), (100,)), NAMES) is None
    assert stream_moments(iter([]), NAMES) is None


def test_a_parquet_file_in_order_is_read_group_by_group(tmp_path):
    data = grid(level=3.0)
    pa.parquet.write_table(pa.table(data), tmp_path / "rows.parquet", row_group_size=100)
    found, expected = did_panel(tmp_path / "rows.parquet", **COLUMNS), did_panel(data, **COLUMNS)
    assert (found.estimate, found.std_error) == pytest.approx((expected.estimate, expected.std_error), rel=1e-12)
    names = NAMES.used()
    assert stream_moments(in_pieces(tmp_path / "rows.parquet", names), NAMES) is not None


def test_shuffled_rows_give_the_same_estimate():
    data = grid(level=1e3)
    shuffled = in_order(data, np.random.default_rng(1).permutation(630))
    for method in ("auto", "twfe", "cuped"):
        found, expected = did_panel(data, **COLUMNS, method=method), did_panel(shuffled, **COLUMNS, method=method)
        assert (found.estimate, found.std_error) == pytest.approx(
            (expected.estimate, expected.std_error), rel=1e-11
        )


@pytest.mark.parametrize("level", [0.0, 1e7, -1e7])
def test_estimate_and_error_agree_with_long_doubles(level):
    data = grid(2000, 7, level=level)
    outcome = data["outcome"].astype(np.longdouble).reshape(-1, 7)
    change = outcome[:, 4:].mean(axis=1) - outcome[:, :4].mean(axis=1)
    arms = [change[data["treated"][::7] == arm] for arm in (1, 0)]
    result = did_panel(data, **COLUMNS)
    assert result.estimate == pytest.approx(float(arms[0].mean() - arms[1].mean()), rel=1e-10)
    variance = sum(np.square(arm - arm.mean()).sum() / (arm.size - 1) / arm.size for arm in arms)
    assert result.std_error == pytest.approx(float(np.sqrt(variance)), rel=1e-10)


def test_arms_at_very_different_levels_cost_no_digits():
    data = grid(600)
    apart = data | {"outcome": data["outcome"] + 2.0**23 * data["treated"]}
    near, far = did_panel(data, **COLUMNS), did_panel(apart, **COLUMNS)
    assert far.std_error == pytest.approx(near.std_error, rel=1e-8)  # the outcome itself lost 23 bits
    assert far.estimate == pytest.approx(near.estimate, rel=1e-8)


def test_two_way_effects_without_a_baseline_are_refused_as_ever():
    with pytest.raises(InvalidInput, match="combination"):
        did_panel(grid() | {"post": np.ones(630)}, **COLUMNS, method="twfe")


def test_memory_does_not_grow_with_the_units(monkeypatch):
    monkeypatch.undo()
    data = grid(100_000)
    did_panel(data, **COLUMNS)
    tracemalloc.start()
    did_panel(data, **COLUMNS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20
