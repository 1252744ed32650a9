"""Charts lose no extreme, bridge no gap, and weigh each hour as the analysis does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rallyuxr.dashboard.curves import by_day, extremes, student_density
from rallyuxr.models import ExperimentPlan
from rallyuxr.simulation import simulate

PLAN = ExperimentPlan(
    name="Checkout",
    description="",
    metrics=("conversion_rate",),
    start_date="2025-01-15",
    end_date="2025-01-29",
    expected_outcome="positive",
)
DATA = simulate(PLAN, seed=5)


@given(arrays(float, st.integers(1, 3000), elements=st.floats(-1e6, 1e6)), st.integers(4, 200))
def test_thinning_keeps_the_extremes_the_ends_and_the_order(values, points):
    kept = extremes(values, points)
    assert (np.diff(kept) > 0).all()
    assert {kept[0], kept[-1]} == {0, values.size - 1}
    assert values[kept].min() == values.min()
    assert values[kept].max() == values.max()
    assert kept.size <= max(points + 2, values.size if values.size <= points else 0)


def test_a_spike_of_one_hour_in_a_year_is_still_drawn():
    values = np.sin(np.arange(8760) / 24)
    values[5000] = 40
    assert 5000 in extremes(values)


def test_days_weigh_hours_by_their_participants():
    days, series = by_day(DATA.series["conversion_rate"]), DATA.series["conversion_rate"]
    first = slice(0, 24)
    expected = np.average(series.treatment[first], weights=series.treatment_n[first])
    assert days.treatment[0] == pytest.approx(expected, rel=1e-12)
    assert days.treatment_n.sum() == series.treatment_n.sum()


def test_a_density_holds_all_of_the_probability():
    grid = np.linspace(-200, 200, 400_001)
    assert np.trapezoid(student_density(grid, 1.0, 2.0, 5.0), grid) == pytest.approx(1, abs=1e-6)
