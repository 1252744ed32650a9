"""Charts lose no extreme, bridge no gap, and end where the analysis ends."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rallyuxr.analysis import analyze
from rallyuxr.dashboard.curves import accrual, by_day, extremes, student_density
from rallyuxr.models import ExperimentPlan, PriceSnapshot, PublishedData
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


def analysis_with(exposure: str):
    price = PriceSnapshot(
        dollars_per_unit=40,
        description="what a percentage point is worth",
        unit="%",
        name="Conversion rate",
        version=1,
        currency="USD",
        unit_scale=100,
        exposure=exposure,
        direction="higher_is_better",
        value_type="proportion",
    )
    published = PublishedData("e", 1, datetime(2025, 1, 30, tzinfo=UTC), DATA)
    return analyze(published, {"conversion_rate": price}, experiment=PLAN)


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


@pytest.mark.parametrize("exposure", ["participant", "day", "experiment"])
def test_the_last_day_of_the_accrual_is_the_observed_impact_with_its_interval(exposure):
    analysis = analysis_with(exposure)
    impact = analysis.economic_impact.metric_breakdown["conversion_rate"]
    grown = accrual(
        DATA.series["conversion_rate"],
        analysis.did_results["conversion_rate"],
        impact,
        analysis.experiment_period,
    )
    last = (grown.amount[-1], grown.lower[-1], grown.upper[-1])
    assert last == pytest.approx((impact.dollar_impact, impact.interval.lower, impact.interval.upper), rel=1e-9)
    assert (grown.lower <= grown.amount).all()
    assert grown.days.size == 14


def test_a_density_holds_all_of_the_probability():
    grid = np.linspace(-200, 200, 400_001)
    assert np.trapezoid(student_density(grid, 1.0, 2.0, 5.0), grid) == pytest.approx(1, abs=1e-6)
