"""Sliders around a stored value, and the exact number beside them."""

from hypothesis import given
from hypothesis import strategies as st

from rallyuxr.dashboard.dials import around


@given(st.floats(1e-4, 1e9))
def test_a_handle_reaches_three_times_the_value_in_at_least_a_hundred_steps(value: float):
    (lowest, highest), step = around(value)
    assert lowest == 0
    assert 3 * value * (1 - 1e-9) <= highest <= 3.4 * value
    assert 99 <= value / step <= 1001
