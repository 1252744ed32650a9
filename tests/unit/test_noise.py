"""The noise on which error rates are measured is what it says it is."""

import numpy as np
import pytest

from rallyuxr.errors import InvalidInput
from rallyuxr.simulation.noise import NOISE_KINDS, autoregression, null_arms


def autocorrelation(series, lag):
    return np.mean(series[:, lag:] * series[:, :-lag]) / np.mean(series**2)


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_the_arms_do_not_differ_on_average_and_the_seed_decides(kind):
    arms = null_arms(kind=kind, phi=0.6, draws=200, days=14, seed=3)
    again = null_arms(kind=kind, phi=0.6, draws=200, days=14, seed=3)
    np.testing.assert_array_equal(arms.treatment, again.treatment)
    assert arms.treatment.shape == arms.control.shape == (200, 336)
    assert np.nanmean(arms.treatment - arms.control) == pytest.approx(0.0, abs=0.05)


def test_autoregressive_noise_has_the_memory_asked_for():
    arms = null_arms(kind="autoregressive", phi=0.9, draws=100, days=28, seed=4)
    difference = arms.treatment - arms.control
    assert difference.var() == pytest.approx(1 / (1 - 0.81), rel=0.05)
    assert autocorrelation(difference, 5) == pytest.approx(0.9**5, abs=0.03)


def test_a_moving_average_forgets_after_four_hours():
    arms = null_arms(kind="moving average", phi=0.0, draws=100, days=28, seed=5)
    difference = arms.treatment - arms.control
    assert autocorrelation(difference, 4) == pytest.approx(0.2 / (1 + 0.64 + 0.36 + 0.16 + 0.04), abs=0.02)
    assert autocorrelation(difference, 5) == pytest.approx(0.0, abs=0.02)


def test_a_common_shock_leaves_the_difference_alone():
    arms = null_arms(kind="common shock", phi=0.0, draws=100, days=14, seed=6)
    assert (arms.treatment - arms.control).var() == pytest.approx(1.0, rel=0.05)
    assert arms.control.var() > 20


def test_the_recursion_is_the_definition():
    series = autoregression(np.arange(204.0)[None], 0.5)
    assert series.shape == (1, 4)
    assert series[0, 1] == pytest.approx(0.5 * series[0, 0] + 201.0)


@pytest.mark.parametrize(("kind", "phi"), [("pink", 0.5), ("autoregressive", 1.0)])
def test_unknown_noise_is_refused(kind, phi):
    with pytest.raises(InvalidInput, match=r"^(phi|kind) is"):
        null_arms(kind=kind, phi=phi, draws=1, days=1, seed=1)
