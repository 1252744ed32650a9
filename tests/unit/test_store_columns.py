"""Columns survive storage bit by bit, in few bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rallyuxr.errors import InvalidInput
from rallyuxr.store.columns import pack, time_steps, times, unpack


@given(arrays(np.float64, st.tuples(st.integers(1, 7), st.integers(1, 50))))
def test_any_numbers_come_back_bit_by_bit(columns: np.ndarray) -> None:
    assert unpack(pack(columns), len(columns)).tobytes() == columns.tobytes()


@given(st.lists(st.integers(-(10**10), 10**11), min_size=1, max_size=40, unique=True))
def test_any_times_come_back(seconds: list[int]) -> None:
    stamps = np.array(sorted(seconds), dtype=np.int64).astype("datetime64[s]")
    assert (times(time_steps(stamps)) == stamps).all()


def test_counts_and_hours_take_few_bytes() -> None:
    hours = np.arange("2025-01-01", "2025-02-01", dtype="datetime64[h]").astype("datetime64[s]")
    counts = np.random.default_rng(1).poisson(1000, hours.size).astype(float)
    assert len(pack(np.array([time_steps(hours), counts]))) < 2 * hours.size + 200


def test_columns_of_another_format_are_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidInput, match=r"format 09; this version reads 01\. Upgrade"):
        unpack(b"\x09" + pack(np.zeros((1, 3)))[1:], 1)
