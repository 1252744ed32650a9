"""Plans keep their promises: at the detectable effect the default analysis has the claimed power."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.planning import (
    Design,
    Noise,
    degrees_of_freedom,
    minimum_detectable_effect,
    noise_from_history,
    power,
    required_days,
    sampling_noise,
    standard_error,
    stated_noise,
)
from rallyuxr.stats.series import did_series_batch
from tests.stats.noise import autoregressive


@pytest.mark.parametrize(
    ("memory", "baseline", "window"),
    [(0.0, 7, 7), (0.0, 14, 14), (0.5, 14, 28), (0.5, 28, 7), (0.9, 14, 14), (0.9, 28, 28)],
)
def test_the_default_analysis_has_the_claimed_power(memory, baseline, window):
    """80 % claimed, 600 draws: three standard errors are 4.9 points."""
    rng = np.random.default_rng([int(10 * memory), baseline, window])
    hours = 24 * (baseline + window)
    post = np.arange(hours) >= 24 * baseline
    noise = stated_noise(1 / np.sqrt(1 - memory**2), autocorrelation=memory)
    effect = minimum_detectable_effect(noise, Design(baseline, window))
    series = autoregressive(rng, (600, hours), memory) + effect * post
    found = did_series_batch(series, np.zeros_like(series), post)
    assert np.mean([one.ci_lower > 0 for one in found]) == pytest.approx(0.8, abs=0.049)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_history_shows_its_noise(memory):
    rng = np.random.default_rng(int(10 * memory))
    histories = autoregressive(rng, (60, 28 * 24), memory)
    found = [noise_from_history(row, np.zeros_like(row)) for row in histories]
    assert np.median([one.long_run_variance for one in found]) == pytest.approx(1 / (1 - memory) ** 2, rel=0.15)
    assert np.median([one.persistence for one in found]) == pytest.approx(memory, abs=0.15)


def test_a_change_within_the_history_is_no_noise():
    rng = np.random.default_rng(3)
    post = np.arange(672) >= 336
    values = rng.standard_normal(672)
    without = noise_from_history(values, np.zeros(672), post=post)
    with_change = noise_from_history(values + 50 * post, np.zeros(672), post=post)
    assert with_change.long_run_variance == pytest.approx(without.long_run_variance, rel=1e-9)


def test_sampling_noise_is_the_variance_of_a_difference_of_means():
    noise = sampling_noise(np.sqrt(0.02 * 0.98), 24_000, treatment_share=0.25)
    assert noise.long_run_variance == pytest.approx(0.02 * 0.98 * (1 / 250 + 1 / 750))
    rng = np.random.default_rng(4)
    treatment = rng.binomial(250, 0.02, 28 * 24) / 250
    control = rng.binomial(750, 0.02, 28 * 24) / 750
    assert noise_from_history(treatment, control).long_run_variance == pytest.approx(
        noise.long_run_variance, rel=0.5
    )


noises = st.builds(Noise, st.floats(1e-6, 1e6), st.floats(0, 0.95))
designs = st.builds(Design, st.integers(0, 60), st.integers(3, 120), st.sampled_from([0.8, 0.9, 0.95, 0.99]))


@given(noises, designs, st.floats(0.05, 0.95))
def test_power_at_the_detectable_effect_is_the_power_asked_for(noise, design, chance):
    effect = minimum_detectable_effect(noise, design, power=chance)
    if effect > 0:
        assert power(noise, effect, design) == pytest.approx(chance, abs=1e-6)


@given(noises, designs)
def test_longer_windows_and_less_noise_detect_smaller_effects(noise, design):
    longer = Design(design.baseline_days, design.window_days + 7, design.confidence_level)
    quieter = Noise(noise.long_run_variance / 2, noise.persistence)
    assert standard_error(noise, longer) < standard_error(noise, design)
    assert minimum_detectable_effect(quieter, design) < minimum_detectable_effect(noise, design)
    assert degrees_of_freedom(noise, design) >= 2


def test_a_short_baseline_limits_what_any_window_can_show():
    noise = stated_noise(1.0, autocorrelation=0.5)
    floor = minimum_detectable_effect(noise, Design(7, 731))
    assert required_days(noise, 0.9 * floor, baseline_days=7) is None
    assert required_days(noise, 0.9 * floor, baseline_days=56) is not None


def test_required_days_are_the_first_that_suffice():
    noise = stated_noise(0.01)
    effect = 0.0025
    days = required_days(noise, effect, baseline_days=14, whole_weeks=False)
    assert minimum_detectable_effect(noise, Design(14, days)) <= effect
    assert minimum_detectable_effect(noise, Design(14, days - 1)) > effect


def test_nonsense_is_refused_with_what_to_do():
    with pytest.raises(InvalidInput, match="positive standard deviation"):
        stated_noise(0.0)
    with pytest.raises(InvalidInput, match="a chance between 0 and 1"):
        minimum_detectable_effect(stated_noise(1.0), Design(14, 14), power=80)
    with pytest.raises(InvalidInput, match="positive length"):
        standard_error(stated_noise(1.0), Design(14, 0))
    with pytest.raises(InvalidInput, match="four days"):
        noise_from_history(np.arange(24.0), np.zeros(24))
    with pytest.raises(InvalidInput, match="does not vary"):
        noise_from_history(np.ones(672), np.ones(672))
