"""Variance of correlated hours: hand-computed cases, and the error rate that the default must keep."""

import numpy as np
import pytest

from rallyuxr.simulation.noise import null_arms
from rallyuxr.stats.autoregression import fit_autoregression
from rallyuxr.stats.long_run import (
    Contributions,
    newey_west_fixed_b,
    prewhitened_ewc,
    without_daily_cycle,
)
from rallyuxr.stats.series import did_series_batch

DRAWS = 400
NOMINAL = 0.05
HIGHEST_SIZE = NOMINAL + 3.0 * np.sqrt(NOMINAL * (1 - NOMINAL) / DRAWS)
"""Three Monte Carlo standard errors above the nominal rate."""
HARD_NOISE = [
    ("autoregressive", 0.6, 7),
    ("autoregressive", 0.9, 7),
    ("moving average", 0.6, 14),
    ("drift under sampling", 0.9, 7),
    ("cycle in one arm", 0.6, 7),
    ("varying samples", 0.9, 14),
    ("heavy tails", 0.9, 14),
    ("common shock", 0.6, 14),
    ("missing hours", 0.9, 14),
]


def rejections(method, kind, phi, days):
    """Share of true nulls that `method` rejects at 5 %, and its mean width over the oracle's."""
    arms = null_arms(kind=kind, phi=phi, draws=DRAWS, days=2 * days, seed=20)
    results = did_series_batch(
        arms.treatment,
        arms.control,
        np.arange(48 * days) >= 24 * days,
        treatment_n=arms.treatment_n,
        control_n=arms.control_n,
        method=method,
    )
    widths = [result.ci_upper - result.ci_lower for result in results]
    oracle = 2 * 1.96 * np.sqrt(np.mean([result.estimate**2 for result in results]))
    return np.mean([result.pvalue < NOMINAL for result in results]), np.mean(widths) / oracle


@pytest.mark.parametrize(("kind", "phi", "days"), HARD_NOISE)
def test_the_default_keeps_its_error_rate_at_an_oracles_width(kind, phi, days):
    size, width = rejections("auto", kind, phi, days)
    assert 0.015 <= size <= HIGHEST_SIZE
    assert width <= 1.3


@pytest.mark.parametrize("method", ["newey_west", "welch_hours"])
@pytest.mark.parametrize(("kind", "phi", "days"), [cell for cell in HARD_NOISE if cell[1] == 0.9])
def test_the_textbook_methods_break_that_bound(method, kind, phi, days):
    size, _ = rejections(method, kind, phi, days)
    assert size > 1.5 * HIGHEST_SIZE


def test_memory_longer_than_the_window_is_flagged():
    arms = null_arms(kind="autoregressive", phi=0.99, draws=200, days=14, seed=21)
    results = did_series_batch(arms.treatment, arms.control, np.arange(336) >= 168)
    assert np.mean(["near_unit_root" in {w.code for w in result.warnings} for result in results]) > 0.85
    arms = null_arms(kind="autoregressive", phi=0.6, draws=200, days=14, seed=21)
    results = did_series_batch(arms.treatment, arms.control, np.arange(336) >= 168)
    assert np.mean([bool(result.warnings) for result in results]) < 0.03


def autoregressive(phi, hours, seed, metrics=1):
    arms = null_arms(kind="autoregressive", phi=phi, draws=metrics, days=hours // 24, seed=seed)
    return arms.treatment - arms.control


def test_the_first_order_fit_is_the_lag_one_autocorrelation_pooled_over_windows():
    hours = np.array([[1.0, -1.0, 2.0, -2.0, 3.0, 1.0, -4.0]])
    products, squares = (-1 - 2 - 4) + (3 - 4), (1 + 1 + 4 + 4) + (9 + 1 + 16)
    model = fit_autoregression(hours, [slice(0, 4), slice(4, 7)], 1)
    reflection = products / squares
    # orders 0 and 1 weigh exp(-½(7 log σ² + ½ p))
    odds = (1 - reflection**2) ** (-7 / 2) * np.exp(-0.25)
    assert model.coefficients[0, 0] == pytest.approx(reflection * odds / (1 + odds))


def test_the_fit_finds_the_memory_and_its_sampling_error():
    fits = fit_autoregression(autoregressive(0.8, 960, seed=4, metrics=400), [slice(0, 960)], 6)
    assert fits.persistence.mean() == pytest.approx(0.8, abs=0.02)
    assert fits.persistence.std() == pytest.approx(np.sqrt(fits.variance).mean(), rel=0.25)


def test_the_long_run_variance_of_an_autoregression_is_found():
    hours, phi = 4800, 0.7
    series = autoregressive(phi, hours, seed=5, metrics=50)
    noise = prewhitened_ewc(Contributions(series[:, None] / hours, series, (slice(0, hours),)))
    assert noise.covariance[:, 0, 0].mean() * hours == pytest.approx(1 / (1 - phi) ** 2, rel=0.1)


def test_fixed_b_is_wider_than_the_same_lag_under_the_normal():
    series = np.random.default_rng(6).standard_normal((200, 336))
    series -= series.mean(axis=1, keepdims=True)
    noise = newey_west_fixed_b(Contributions(series[:, None] / 336, series, (slice(0, 336),)))
    share = 25 / 336  # lag 24 = 1.3·√336, rounded up
    assert noise.dof == pytest.approx(np.full(200, 1.5 / share))
    assert noise.covariance.mean() * 336 == pytest.approx(1.0, rel=0.05)


def test_a_daily_cycle_is_taken_out_also_where_days_are_cut_short_or_hours_missing():
    hours = 24 * 8 + 5
    cycle = np.cos(2 * np.pi * np.arange(hours) / 24)[None]
    used = np.random.default_rng(7).random((1, hours)) < 0.9
    adjusted = without_daily_cycle(np.where(used, cycle, 0.0), 24, used)
    assert np.abs(adjusted).max() < 1e-14


def test_a_short_window_keeps_its_cycle():
    series = np.ones((1, 48))
    assert without_daily_cycle(series, 24) is series


def test_a_short_window_takes_the_longer_ones_noise():
    rng = np.random.default_rng(8)
    series = rng.standard_normal((300, 348))
    errors = np.concatenate([series[:, :336] / 336, series[:, 336:] / 12], axis=1)
    noise = prewhitened_ewc(Contributions(errors[:, None], series, (slice(0, 336), slice(336, 348))))
    assert noise.covariance.mean() == pytest.approx(1 / 336 + 1 / 12, rel=0.1)


@pytest.mark.parametrize("days", [14, 14.25])
def test_cosines_without_a_cycle_see_what_series_without_it_show(days):
    length = int(24 * days)
    series = np.random.default_rng(9).standard_normal((3, 1, length)) + np.cos(np.arange(length) * np.pi / 12)
    kept = Contributions(series, series[:, 0], (slice(0, length),), cycle=24)
    taken = Contributions(without_daily_cycle(series, 24), series[:, 0], (slice(0, length),))
    assert prewhitened_ewc(kept).covariance == pytest.approx(prewhitened_ewc(taken).covariance, rel=1e-10)


def test_what_an_autoregression_leaves_is_white():
    """With the true filter the squares of all cosine coefficients, low and high, have one mean."""
    hours, phi = 2400, 0.8
    series = autoregressive(phi, hours, seed=10, metrics=200)
    frequencies = np.pi * np.arange(1, hours) / hours
    basis = np.sqrt(2 / hours) * np.cos(np.outer(np.arange(hours) + 0.5, frequencies))
    left = np.abs(1 - phi * np.exp(-1j * frequencies)) ** 2 * np.square(series @ basis).mean(axis=0)
    innovation = np.var(series[:, 1:] - phi * series[:, :-1])
    low, high = left[:100].mean(), left[-100:].mean()
    assert (low, high) == pytest.approx((innovation, innovation), rel=0.05)
