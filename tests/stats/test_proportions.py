"""Two proportions: agreement with statsmodels, likelihood by brute force, and coherence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.proportions import _control_rate_under_difference, two_proportions
from tests.stats.panel_reference import AGREEMENT, peers


@st.composite
def counts(draw):
    n1, n2 = draw(st.integers(1, 300)), draw(st.integers(1, 300))
    return draw(st.integers(0, n1)), n1, draw(st.integers(0, n2)), n2


@pytest.mark.parametrize("key", ["30 200 18 210", "1 1000 9 900", "47 100 53 100"])
def test_test_and_ratio_agree_with_statsmodels(key):
    result = two_proportions(*map(int, key.split()))
    statistic, pvalue, lower, upper = peers()["proportions"][key]
    assert (result.statistic, result.pvalue) == pytest.approx((statistic, pvalue), rel=AGREEMENT)
    assert (1 + result.relative.ci_lower, 1 + result.relative.ci_upper) == pytest.approx((lower, upper), rel=1e-6)


@pytest.mark.parametrize("delta", [-0.2, -0.03, 0.05, 0.12913124, 0.4])
def test_the_restricted_rate_is_the_most_likely_one(delta):
    """By brute force: statsmodels 0.15 has another coefficient in this cubic, and another rate."""
    grid = np.linspace(max(0, -delta), min(1, 1 - delta), 2_000_001)[1:-1]
    likelihood = (
        30 * np.log(grid + delta) + 170 * np.log1p(-grid - delta) + 18 * np.log(grid) + 192 * np.log1p(-grid)
    )
    best = grid[np.argmax(likelihood)]
    assert _control_rate_under_difference(30, 200, 18, 210, delta) == pytest.approx(best, abs=1e-6)


@given(counts())
def test_pvalue_both_intervals_and_signs_never_contradict(sample):
    result = two_proportions(*sample)
    if result.pvalue is None:
        assert result.reason
        return
    assert -1 <= result.ci_lower <= result.estimate <= result.ci_upper <= 1
    rejected = result.pvalue < 1 - result.confidence_level
    assert (result.ci_lower > 0 or result.ci_upper < 0) == rejected
    if result.relative.ci_lower is not None:
        assert (result.relative.ci_lower > 0 or result.relative.ci_upper < 0) == rejected


@given(counts())
def test_swapping_arms_flips_the_interval(sample):
    x1, n1, x2, n2 = sample
    plain, swapped = two_proportions(x1, n1, x2, n2), two_proportions(x2, n2, x1, n1)
    if plain.ci_lower is not None:
        assert (swapped.ci_lower, swapped.ci_upper) == pytest.approx((-plain.ci_upper, -plain.ci_lower), abs=1e-9)


def test_a_tiny_pvalue_does_not_vanish():
    assert 0 < two_proportions(900, 1000, 100, 1000).pvalue < 1e-250


def test_a_control_without_success_has_no_ratio():
    assert two_proportions(3, 10, 0, 10).relative.reason.startswith("no control unit")


@pytest.mark.parametrize("sample", [(5, 4, 1, 4), (-1, 4, 1, 4), (0, 0, 1, 4)])
def test_impossible_counts_are_refused(sample):
    with pytest.raises(InvalidInput, match="impossible"):
        two_proportions(*sample)
