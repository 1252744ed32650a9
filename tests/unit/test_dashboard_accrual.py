"""Money as it came in ends at what is stored, and on the way knows how the metrics' errors move together."""

from datetime import UTC, datetime, timedelta
from math import sqrt

import numpy as np
import pytest

from rallyuxr.analysis import analyze
from rallyuxr.dashboard.accrual import accrual, total_accrual
from rallyuxr.models import ExperimentData, ExperimentPlan, MetricSeries, PriceSnapshot, PublishedData

START, DAYS = datetime(2025, 1, 15, tzinfo=UTC), 14
HOURS = np.arange("2025-01-01", "2025-01-29", dtype="datetime64[h]").astype("datetime64[s]")
AFTER = np.datetime64("2025-01-15") <= HOURS
PRICES = {"visits": (40.0, "participant"), "contacts": (-9.0, "day"), "tips": (500.0, "experiment")}
"""Dollars for one more of each, and what they are for; contacts cost money."""


def price(metric: str) -> PriceSnapshot:
    dollars, exposure = PRICES[metric]
    return PriceSnapshot(
        dollars_per_unit=abs(dollars),
        description="what one more is worth",
        unit="units",
        name=metric.capitalize(),
        version=1,
        currency="USD",
        unit_scale=1,
        exposure=exposure,
        direction="higher_is_better" if dollars > 0 else "lower_is_better",
        value_type="mean",
    )


def shared_noise() -> ExperimentData:
    """Three metrics that rise and fall together, with more people every day."""
    rng = np.random.default_rng(11)
    shared = rng.standard_normal((2, HOURS.size))
    people = np.linspace(100, 900, HOURS.size).round()

    def series(effect: float) -> MetricSeries:
        treatment, control = 5 + shared + 0.3 * rng.standard_normal((2, HOURS.size))
        return MetricSeries(HOURS, treatment + effect * AFTER, control, people, people)

    return ExperimentData(series={"visits": series(0.2), "contacts": series(0.4), "tips": series(0.1)})


DATA = shared_noise()


def analysis_of(*metrics: str, days: int = DAYS, seen: datetime = datetime(2025, 2, 1, tzinfo=UTC)):
    plan = ExperimentPlan(
        name="Checkout",
        description="",
        metrics=metrics,
        start_date=START,
        end_date=START + timedelta(days=days),
        expected_outcome="positive",
    )
    data = ExperimentData(series={metric: DATA.series[metric] for metric in metrics})
    return analyze(
        PublishedData("e", 1, seen, data), {metric: price(metric) for metric in metrics}, experiment=plan
    )


def grown_total(analysis):
    return total_accrual(analysis, DATA.series)


@pytest.mark.parametrize("metric", PRICES)
def test_the_last_day_of_the_accrual_is_the_observed_impact_with_its_interval(metric):
    analysis = analysis_of(metric)
    impact = analysis.economic_impact.metric_breakdown[metric]
    grown = accrual(DATA.series[metric], analysis.did_results[metric], impact, analysis.experiment_period)
    last = (grown.amount[-1], grown.lower[-1], grown.upper[-1])
    assert last == pytest.approx((impact.dollar_impact, impact.interval.lower, impact.interval.upper), rel=1e-9)
    assert (grown.lower <= grown.amount).all()
    assert grown.days.size == DAYS


def test_the_last_day_of_all_dollars_is_the_stored_total_with_its_interval():
    impact = analysis_of(*PRICES).economic_impact
    grown = grown_total(analysis_of(*PRICES))
    last = (grown.amount[-1], grown.lower[-1], grown.upper[-1])
    assert last == pytest.approx((impact.total_impact, impact.total_interval.lower, impact.total_interval.upper))
    assert grown.days.astype("datetime64[D]").astype(str).tolist()[:: DAYS - 1] == ["2025-01-16", "2025-01-29"]


def test_all_dollars_of_one_metric_are_that_metrics_dollars():
    analysis = analysis_of("visits")
    impact = analysis.economic_impact.metric_breakdown["visits"]
    alone = accrual(DATA.series["visits"], analysis.did_results["visits"], impact, analysis.experiment_period)
    grown = grown_total(analysis)
    for total, single in ((grown.amount, alone.amount), (grown.lower, alone.lower), (grown.upper, alone.upper)):
        assert total == pytest.approx(single, rel=1e-6)


def test_half_way_the_dollars_are_those_of_an_experiment_that_ended_there():
    """Prices per participant and per day know nothing of the planned end."""
    week = analysis_of("visits", "contacts", days=7)
    grown = grown_total(analysis_of("visits", "contacts"))
    assert grown.amount[6] == pytest.approx(week.economic_impact.total_impact, rel=1e-9)


def test_half_way_the_band_counts_the_covariance_by_hand():
    analysis = analysis_of("visits", "contacts")
    impact, grown = analysis.economic_impact, grown_total(analysis)
    post = DATA.series["visits"].treatment_n[AFTER]
    visits, contacts = 40.0 * post[: 7 * 24].sum(), -9.0 * 7
    sigma = impact.covariance
    variance = visits**2 * sigma["visits"]["visits"] + contacts**2 * sigma["contacts"]["contacts"]
    variance += 2 * visits * contacts * sigma["visits"]["contacts"]
    seen = sqrt((1 / 14 + 1 / 7) / (1 / 14 + 1 / 14))
    by_hand = impact.critical_value * sqrt(variance) * seen
    assert grown.upper[6] - grown.amount[6] == pytest.approx(by_hand, rel=1e-9)
    assert grown.amount[6] - grown.lower[6] == pytest.approx(by_hand, rel=1e-9)


def test_errors_that_cancel_make_the_band_narrower_than_its_parts():
    """Visits earn and contacts cost, and both are noisy together."""
    alone = analysis_of("tips", "contacts")
    impact = alone.economic_impact
    parts = [part.std_error for part in impact.metric_breakdown.values()]
    grown = grown_total(alone)
    half = (grown.upper - grown.amount)[-1] / impact.critical_value
    assert half < 0.9 * sqrt(sum(part**2 for part in parts))


def test_while_it_runs_the_band_ends_at_the_interval_so_far():
    analysis = analysis_of(*PRICES, days=28, seen=START + timedelta(days=DAYS))
    impact, grown = analysis.economic_impact, grown_total(analysis)
    assert analysis.running
    assert (grown.lower[-1], grown.upper[-1]) == pytest.approx(
        (impact.total_interval.lower, impact.total_interval.upper)
    )


def test_while_it_runs_the_band_is_rescaled_over_the_days_so_far():
    """Of 28 planned days 14 are seen: after one of these 14 the error of a price per day by hand."""
    analysis = analysis_of("contacts", days=28, seen=START + timedelta(days=DAYS))
    grown = grown_total(analysis)
    half = grown.upper - grown.amount
    assert half[0] / half[-1] == pytest.approx(1 / 14 * sqrt((1 / 14 + 1) / (1 / 14 + 1 / 14)), rel=1e-9)


def test_a_metric_without_hours_leaves_the_path_out():
    assert total_accrual(analysis_of(*PRICES), {"visits": DATA.series["visits"]}) is None
