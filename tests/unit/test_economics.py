"""Money: by hand, by algebra, and by coverage."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyuxr.economics import (
    MetricEffect,
    Terms,
    break_even,
    counted_metrics,
    economic_impact,
    money_per_effect,
    projection_factor,
)
from rallyuxr.models import Interval, PriceSnapshot, Projection


def price(dollars=1.0, **changes):
    terms = {
        "dollars_per_unit": Decimal(str(dollars)),
        "description": "what one unit is worth",
        "unit": "unit",
        "name": "A metric",
        "version": 3,
        "currency": "USD",
        "unit_scale": 1.0,
        "exposure": "experiment",
        "direction": "higher_is_better",
        "value_type": "mean",
    }
    return PriceSnapshot(**(terms | changes))


def effect(estimate=2.0, std_error=0.5, role="primary", participants=1000.0):
    half = 2.0 * std_error
    return MetricEffect(
        estimate, std_error, Interval(lower=estimate - half, upper=estimate + half), participants, role
    )


def terms(**changes):
    values = {
        "currency": "USD",
        "observed_days": 14.0,
        "confidence_level": 0.95,
        "projection": Projection(),
        "expected": "positive",
        "total_dof": 20.0,
        "critical_value": 2.0,
    }
    return Terms(**(values | changes))


def diagonal(**errors):
    return {a: {b: errors[a] ** 2 if a == b else 0.0 for b in errors} for a in errors}


def test_the_contracts_formula_is_change_times_price():
    impact = economic_impact({"signups": effect()}, {"signups": price(10)}, diagonal(signups=0.5), terms())
    found = impact.metric_breakdown["signups"]
    assert (found.dollar_impact, found.metric_change, found.exposure_quantity) == (20.0, 2.0, 1.0)
    assert (found.interval.lower, found.interval.upper, found.std_error) == (10.0, 30.0, 5.0)
    assert (impact.total_impact, impact.total_std_error) == (20.0, 5.0)
    assert (impact.total_interval.lower, impact.total_interval.upper) == (10.0, 30.0)
    assert impact.annualized_impact == pytest.approx(20 * 365 / 14)
    assert impact.verdict.outcome == "better"


@pytest.mark.parametrize(("exposure", "quantity"), [("experiment", 1.0), ("day", 14.0), ("participant", 1000.0)])
def test_exposure_says_per_what(exposure, quantity):
    impact = economic_impact({"m": effect()}, {"m": price(3, exposure=exposure)}, diagonal(m=0.5), terms())
    assert impact.total_impact == pytest.approx(2.0 * 3 * quantity)
    assert impact.metric_breakdown["m"].exposure_quantity == quantity


def test_a_fraction_read_in_percentage_points_is_scaled_once():
    stored = MetricEffect(0.006, 0.002, Interval(lower=0.002, upper=0.010), 0.0)
    impact = economic_impact(
        {"rate": stored}, {"rate": price(5000, unit="%", unit_scale=100.0)}, diagonal(rate=0.002), terms()
    )
    assert impact.metric_breakdown["rate"].metric_change == pytest.approx(0.6)
    assert impact.total_impact == pytest.approx(3000.0)


def test_less_is_better_turns_the_sign_and_the_interval():
    impact = economic_impact(
        {"wait": effect(-2.0)}, {"wait": price(10, direction="lower_is_better")}, diagonal(wait=0.5), terms()
    )
    found = impact.metric_breakdown["wait"]
    assert (found.dollar_impact, found.metric_change) == (20.0, -2.0)
    assert (found.interval.lower, found.interval.upper) == (10.0, 30.0)


def test_covariance_counts_in_the_total():
    effects = {"a": effect(2.0, 0.5), "b": effect(1.0, 0.5)}
    prices = {"a": price(10), "b": price(10)}
    together = {"a": {"a": 0.25, "b": 0.25}, "b": {"a": 0.25, "b": 0.25}}
    against = {"a": {"a": 0.25, "b": -0.25}, "b": {"a": -0.25, "b": 0.25}}
    assert economic_impact(effects, prices, together, terms()).total_std_error == pytest.approx(10.0)
    cancelled = economic_impact(effects, prices, against, terms())
    assert cancelled.total_std_error is None
    assert cancelled.reason == "the total has no standard error"


def test_one_metric_of_a_family_counts_and_the_page_can_say_why():
    effects = {"revenue": effect(role="secondary"), "orders": effect(), "clicks": effect()}
    prices = {name: price(family="checkout") for name in effects}
    reasons = counted_metrics(effects, prices, "USD")
    assert reasons["clicks"] is None
    assert "clicks already stands for the family checkout" in reasons["orders"]
    assert "clicks" in reasons["revenue"]
    reordered = dict(reversed(effects.items()))
    assert counted_metrics(reordered, prices, "USD") == reasons


def test_what_does_not_count_says_so():
    effects = {
        "a": effect(),
        "b": effect(),
        "c": effect(),
        "d": MetricEffect(1.0, None, None, 0.0, reason="two hours"),
    }
    prices = {"b": price(currency="EUR"), "c": price(counts_toward_total=False), "d": price()}
    impact = economic_impact(effects, prices, {}, terms())
    reasons = {name: found.reason for name, found in impact.metric_breakdown.items()}
    assert reasons["a"] == "no price is set for this metric"
    assert reasons["b"] == "its price is in EUR, the experiment's total in USD"
    assert reasons["c"] == "its price is marked as not counting toward a total"
    assert reasons["d"] == "two hours"
    assert (impact.total_impact, impact.total_interval) == (None, None)
    assert impact.verdict.outcome == "cannot_tell"
    assert impact.metric_breakdown["c"].dollar_impact == 2.0


def test_a_one_off_is_not_annualised():
    impact = economic_impact(
        {"m": effect()}, {"m": price()}, diagonal(m=0.5), terms(projection=Projection(recurring=False))
    )
    assert (impact.annualized_impact, impact.annualized_interval, impact.horizon_days) == (None, None, None)
    assert impact.total_impact == 2.0


def test_projection_by_hand():
    assert projection_factor(Projection(), 14.0) == pytest.approx(365 / 14)
    assert projection_factor(Projection(horizon_days=730), 10.0) == pytest.approx(73.0)
    assert projection_factor(Projection(coverage=4.0), 10.0) == pytest.approx(146.0)
    half_lost = projection_factor(Projection(annual_decay=0.5), 365.0)
    assert half_lost == pytest.approx(0.5 / math.log(2))
    assert projection_factor(Projection(annual_decay=1e-9), 14.0) == pytest.approx(365 / 14, rel=1e-6)


def test_return_on_investment_is_of_the_observed_window_and_absent_without_a_cost():
    arguments = {"m": effect()}, {"m": price(10)}, diagonal(m=0.5)
    assert economic_impact(*arguments, terms()).roi_percentage is None
    found = economic_impact(*arguments, terms(cost=Decimal(10)))
    assert (found.roi_percentage, found.roi_interval.lower, found.roi_interval.upper) == (100.0, 0.0, 200.0)


def test_break_even_solves_for_each_price_and_for_the_effects():
    impacts, prices = {"a": 60.0, "b": 40.0}, {"a": Decimal(6), "b": Decimal(8)}
    found = break_even(impacts, prices, Decimal(50))
    assert found.effect_factor == 0.5
    assert found.prices == {"a": pytest.approx(1.0), "b": None}  # b's 40 are not needed: a alone earns 60
    losing = break_even({"a": -5.0}, {"a": Decimal(1)}, Decimal(5))
    assert losing.effect_factor is None
    assert "do not gain" in losing.reason
    assert break_even({"a": 60.0, "b": 5e-324}, prices, None).prices["b"] is None  # beyond any number


@given(
    st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(0.01, 1e3)), min_size=1, max_size=5),
    st.floats(0.01, 100),
)
def test_all_prices_times_k_is_the_total_times_k(metrics, k):
    effects = {f"m{'abcde'[row]}": effect(value, abs(value) / 3 + 1) for row, (value, _) in enumerate(metrics)}
    prices = {name: dollars for name, (_, dollars) in zip(effects, metrics, strict=True)}
    covariance = diagonal(**{name: one.std_error for name, one in effects.items()})
    base = economic_impact(effects, {m: price(p) for m, p in prices.items()}, covariance, terms())
    scaled = economic_impact(effects, {m: price(k * p) for m, p in prices.items()}, covariance, terms())
    assert scaled.total_impact == pytest.approx(k * base.total_impact, rel=1e-9, abs=1e-6)
    assert scaled.total_std_error == pytest.approx(k * base.total_std_error, rel=1e-9)
    assert (
        scaled.verdict.outcome == base.verdict.outcome
        or abs(base.total_interval.lower * base.total_interval.upper) < 1e-6
    )


def test_direction_and_scale_enter_the_weight():
    assert money_per_effect(price(2, unit_scale=100.0), 3.0) == 600.0
    assert money_per_effect(price(2, direction="lower_is_better"), 1.0) == -2.0
