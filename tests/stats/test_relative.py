"""Relative effects: sign, Fieller's interval, and what is absent."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyuxr.stats.relative import JointVariance, relative_effect
from rallyuxr.stats.student import interval

NOISE = JointVariance(effect=0.04, counterfactual=0.01, covariance=-0.005)


def test_bounds_are_the_ratios_at_which_the_test_is_exactly_rejected():
    result = relative_effect(1.0, 8.0, NOISE, dof=20, confidence_level=0.9)
    critical = 1.7247182429207857  # t, 20 degrees of freedom, 95 %
    for ratio in (result.ci_lower, result.ci_upper):
        deviation = 1.0 - ratio * 8.0
        spread = math.sqrt(NOISE.effect - 2 * ratio * NOISE.covariance + ratio**2 * NOISE.counterfactual)
        assert abs(deviation) / spread == pytest.approx(critical, rel=1e-10)


def test_a_known_counterfactual_only_divides_the_interval():
    result = relative_effect(1.0, -8.0, JointVariance(0.04, 0.0, 0.0), dof=20)
    lower, upper = interval(1.0, 0.2, 20, 0.95)
    assert (result.estimate, result.ci_lower, result.ci_upper) == pytest.approx((0.125, lower / 8, upper / 8))


@given(
    effect=st.floats(-1e6, 1e6),
    counterfactual=st.floats(0.1, 1e6),
    spread=st.floats(1e-3, 1e3),
    level_spread=st.floats(0.0, 1e3),
    correlation=st.floats(-0.999, 0.999),
)
def test_a_negative_baseline_turns_no_sign(effect, counterfactual, spread, level_spread, correlation):
    covariance = correlation * spread * level_spread
    up = relative_effect(effect, counterfactual, JointVariance(spread**2, level_spread**2, covariance), dof=12)
    down = relative_effect(effect, -counterfactual, JointVariance(spread**2, level_spread**2, -covariance), dof=12)
    assert up == down


@given(effect=st.floats(-50.0, 50.0), spread=st.floats(0.01, 10.0), level_spread=st.floats(0.0, 10.0))
def test_it_excludes_zero_exactly_when_the_effect_does(effect, spread, level_spread):
    result = relative_effect(effect, 40.0, JointVariance(spread**2, level_spread**2, 0.0), dof=12)
    lower, upper = interval(effect, spread, 12, 0.95)
    if result.ci_lower is None or min(abs(lower), abs(upper)) < 1e-9:
        return
    assert (result.ci_lower > 0, result.ci_upper < 0) == (lower > 0, upper < 0)
    assert result.ci_lower <= result.estimate <= result.ci_upper


def test_a_baseline_not_distinguishable_from_zero_has_no_bounds():
    result = relative_effect(1.0, 0.1, NOISE, dof=20)
    assert result.estimate == pytest.approx(10.0)
    assert (result.ci_lower, result.ci_upper) == (None, None)
    assert "cannot be told from zero" in result.reason


@pytest.mark.parametrize("counterfactual", [0.0, -0.0, 5e-324, 1e-300])
def test_dividing_by_nothing_is_absent(counterfactual):
    result = relative_effect(1e10, counterfactual, NOISE, dof=20)
    assert result.estimate is None
    assert "divide" in result.reason


def test_it_covers_the_true_ratio():
    rng = np.random.default_rng(5)
    draws = rng.multivariate_normal([2.0, 6.0], [[1.0, -0.6], [-0.6, 2.0]], size=4000)
    covered = 0
    for effect, counterfactual in draws.tolist():
        result = relative_effect(effect, counterfactual, JointVariance(1.0, 2.0, -0.6), dof=math.inf)
        covered += result.ci_lower is None or result.ci_lower <= 1 / 3 <= result.ci_upper
    assert covered / len(draws) == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 4000))
