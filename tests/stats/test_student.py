"""The t distribution agrees with scipy.stats, in the tails too."""

import math

import pytest
from scipy import stats

from rallyuxr.stats.student import interval, t_quantile, t_sf, two_sided_pvalue


@pytest.mark.parametrize("dof", [0.7, 2, 8.36180, 1e6, math.inf])
@pytest.mark.parametrize("x", [0.0, 1.3, -2.0, 12.0, 37.0])
def test_tails_and_quantiles_are_those_of_scipy(dof, x):
    assert t_sf(x, dof) == pytest.approx(stats.t.sf(x, dof), rel=1e-9)
    assert t_quantile(0.975, dof) == pytest.approx(stats.t.ppf(0.975, dof), rel=1e-9)


def test_a_large_statistic_keeps_a_positive_p_value():
    assert 0 < two_sided_pvalue(-12.0, math.inf) < 1e-30


def test_the_reference_interval_of_twelve_units():
    lower, upper = interval(1.8333333333, 0.5821416, 8.36180, 0.95)
    assert (lower, upper) == pytest.approx((0.5009557, 3.1657110), abs=2e-7)
    assert two_sided_pvalue(1.8333333333 / 0.5821416, 8.36180) == pytest.approx(0.0128744, abs=1e-7)
