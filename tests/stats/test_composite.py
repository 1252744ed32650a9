"""Sums of effects: one variance by two roads, and coverage where metrics move together."""

import numpy as np
import pytest

from rallyuxr.stats.composite import composite
from rallyuxr.stats.influence import influence_series
from rallyuxr.stats.series import estimate_from_influence
from tests.stats.noise import autoregressive

POST = np.arange(28 * 24) >= 14 * 24


def correlated(rng, metrics, memory=0.6, shared=1.5):
    """Rows of noise (M, T) that share a common part."""
    own = autoregressive(rng, (metrics, POST.size), memory)
    return own + shared * autoregressive(rng, (1, POST.size), memory)


def test_the_quadratic_form_is_the_variance_of_the_summed_series_itself():
    """Agreement to 1e-10: the same numbers in another order of summation."""
    rng = np.random.default_rng(1)
    influence = influence_series(correlated(rng, 4), np.zeros((4, POST.size)), POST)
    weights = np.array([3.0, -2.0, 1e6, 0.5])
    total = composite(influence, [0, 1, 2, 3], weights)
    direct = estimate_from_influence(influence.combined(weights))
    assert total.std_error == pytest.approx(direct.std_error, rel=1e-10)
    assert total.dof == pytest.approx(direct.dof, rel=1e-10)
    assert total.estimate == pytest.approx(direct.estimate, rel=1e-12)
    assert weights @ total.covariance @ weights == pytest.approx(direct.std_error**2, rel=1e-10)


def test_one_metric_alone_has_its_own_standard_error():
    rng = np.random.default_rng(2)
    influence = influence_series(correlated(rng, 3), np.zeros((3, POST.size)), POST)
    total = composite(influence, [1], np.array([5.0]))
    alone = estimate_from_influence(influence.combined([0.0, 1.0, 0.0]))
    assert total.std_error == pytest.approx(5 * alone.std_error, rel=1e-10)


def test_the_totals_interval_covers_where_metrics_are_correlated():
    """95 % nominal; 400 draws, so 3 standard errors are 3.3 points. Adding variances alone would fail far below."""
    rng = np.random.default_rng(3)
    weights = np.array([10.0, 4.0, 7.0])
    covered = independent = 0
    draws = 400
    for _ in range(draws):
        influence = influence_series(correlated(rng, 3), np.zeros((3, POST.size)), POST)
        total = composite(influence, [0, 1, 2], weights)
        naive = np.sqrt(weights**2 @ np.diag(total.covariance))
        covered += abs(total.estimate) < 2.1 * total.std_error
        independent += abs(total.estimate) < 2.1 * naive
    assert covered / draws == pytest.approx(0.95, abs=0.033)
    assert independent / draws < 0.85
