"""Looking every hour: the always-valid interval keeps its error rate, the fixed-horizon one does not."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyuxr.errors import InvalidInput
from rallyuxr.models.estimate import DidEstimate
from rallyuxr.simulation.noise import null_arms
from rallyuxr.stats.sequential import always_valid
from rallyuxr.stats.series import did_series_batch

NOW = DidEstimate(estimate=1.0, std_error=0.25, dof=20.0, method="prewhitened_ewc")
HALFWAY = {"baseline_hours": 336, "post_hours": 168, "planned_hours": 336}


def ever_rejected(*, kind, phi, baseline_days, draws=120, post_days=7):
    """Shares of true nulls rejected at some hour, by the fixed-horizon p-value and by the always-valid one."""
    start = 24 * baseline_days
    arms = null_arms(kind=kind, phi=phi, draws=draws, days=baseline_days + post_days, seed=30)
    fixed, valid = np.zeros(draws, bool), np.zeros(draws, bool)
    for hour in range(1 if start else 24, 24 * post_days + 1):
        seen = slice(0, start + hour)
        results = did_series_batch(arms.treatment[:, seen], arms.control[:, seen], np.arange(start + hour) >= start)
        answers = [
            always_valid(result, baseline_hours=start, post_hours=hour, planned_hours=24 * post_days)
            for result in results
        ]
        fixed |= np.array([result.pvalue < 0.05 for result in results])
        valid |= np.array([answer.pvalue < 0.05 for answer in answers])
    return fixed.mean(), valid.mean()


@pytest.mark.parametrize(
    ("kind", "phi", "baseline_days"),
    [("autoregressive", 0.6, 7), ("autoregressive", 0.9, 7), ("drift under sampling", 0.9, 4)],
)
def test_peeking_every_hour_under_serial_correlation(kind, phi, baseline_days):
    fixed, valid = ever_rejected(kind=kind, phi=phi, baseline_days=baseline_days)
    assert valid <= 0.05
    assert fixed > 0.10


@pytest.mark.slow
@pytest.mark.parametrize("phi", [0.0, 0.9])
@pytest.mark.parametrize("baseline_days", [0, 14])
def test_peeking_every_hour_of_two_weeks(phi, baseline_days):
    fixed, valid = ever_rejected(
        kind="autoregressive", phi=phi, baseline_days=baseline_days, draws=200, post_days=14
    )
    assert valid <= 0.05
    assert fixed > 0.10


@given(estimate=st.floats(-3, 3), hours=st.integers(1, 3000), dof=st.floats(2, 200), level=st.floats(0.5, 0.999))
def test_p_is_below_alpha_exactly_when_the_interval_excludes_zero(estimate, hours, dof, level):
    now = replace(NOW, estimate=estimate, dof=dof, confidence_level=level)
    answer = always_valid(now, baseline_hours=336, post_hours=hours, planned_hours=336)
    alpha = 1 - level
    if abs(answer.pvalue - alpha) > 1e-9:
        assert (answer.pvalue < alpha) == (answer.ci_lower > 0 or answer.ci_upper < 0)
    assert 0 <= answer.pvalue <= 1


def test_the_interval_is_robbins_mixture_under_the_normal():
    now = replace(NOW, dof=None)
    answer = always_valid(now, baseline_hours=0, post_hours=100, planned_hours=100)
    g = 8.21197  # tightest at the planned end: the root of g = log((1 + g) / .05²)
    assert g == pytest.approx(math.log((1 + g) / 0.05**2), abs=1e-4)
    z = math.sqrt((1 + g) / g * math.log((1 + g) / 0.05**2))
    assert (answer.ci_upper - answer.ci_lower) / 2 == pytest.approx(0.25 * z, rel=1e-6)


def test_it_is_tightest_at_the_planned_end():
    def width(planned):
        answer = always_valid(NOW, baseline_hours=336, post_hours=336, planned_hours=planned)
        return answer.ci_upper - answer.ci_lower

    assert width(336) < min(width(100), width(2000))


def test_it_is_wider_than_the_interval_for_one_look():
    answer = always_valid(NOW, **HALFWAY)
    assert answer.ci_upper - answer.ci_lower > 2 * 2.086 * 0.25


def test_what_has_no_standard_error_has_no_interval():
    answer = always_valid(DidEstimate(method="prewhitened_ewc", reason="one hour"), **HALFWAY)
    assert (answer.ci_lower, answer.pvalue, answer.reason) == (None, None, "one hour")


def test_a_huge_statistic_gives_a_tiny_p_value_without_a_warning():
    now = replace(NOW, estimate=1e6, dof=None)
    assert always_valid(now, **HALFWAY).pvalue < 1e-200


def test_hours_that_make_no_sense_are_refused():
    with pytest.raises(InvalidInput, match="at least"):
        always_valid(NOW, baseline_hours=1, post_hours=0, planned_hours=3)
