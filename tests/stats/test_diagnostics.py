"""Diagnostics: by hand where that is possible, by size and power where it is not."""

import numpy as np
import pytest

from rallyuxr.stats.diagnostics import (
    autocorrelations,
    coverages,
    day_influences,
    placebos,
    trend_slopes,
)
from rallyuxr.stats.event_study import daily_differences
from rallyuxr.stats.influence import influence_series
from rallyuxr.stats.series import estimates_from_influence
from tests.stats.grids import START, days_of, grid_of
from tests.stats.noise import autoregressive

HOURS = 28 * 24


def influence_of(grid):
    return influence_series(
        grid.treatment,
        grid.control,
        grid.post,
        treatment_n=grid.treatment_weight,
        control_n=grid.control_weight,
    )


def slopes_of(grid, **options):
    return trend_slopes(grid, influence_of(grid), daily_differences(grid), **options)


@pytest.mark.parametrize("memory", [0.0, 0.6, 0.9])
@pytest.mark.parametrize("pre", [True, False])
def test_a_trend_is_seldom_seen_where_there_is_none(memory, pre):
    """5 % nominal, 600 draws: three standard errors are 2.7 points."""
    rng = np.random.default_rng([int(100 * memory), pre])
    noise = autoregressive(rng, (600, HOURS), memory)
    slopes = slopes_of(grid_of(noise, np.zeros_like(noise), pre_days=14), pre=pre)
    assert np.mean([slope.pvalue < 0.05 for slope in slopes]) == pytest.approx(0.05, abs=0.027)


def test_the_minimum_detectable_slope_is_missed_half_of_the_time():
    rng = np.random.default_rng(4)
    noise = autoregressive(rng, (600, HOURS), 0.3)
    clean = slopes_of(grid_of(noise, np.zeros_like(noise), pre_days=14), pre=True)
    steepness = np.mean([slope.minimum_detectable for slope in clean])
    drifting = noise + steepness * np.arange(HOURS) / 24
    found = slopes_of(grid_of(drifting, np.zeros_like(noise), pre_days=14), pre=True)
    assert np.mean([slope.pvalue < 0.05 for slope in found]) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("unit", [1e-130, 1e-60, 1e-45, 1e45, 1e60, 1e130])
def test_the_unit_of_a_metric_changes_no_judgement(unit):
    """Units whose squares of squares leave floating point, and such as stay within."""
    rng = np.random.default_rng(11)
    arms = 5.0 + autoregressive(rng, (2, HOURS), 0.4)
    known, other = (grid_of(*(scale * arms), pre_days=14) for scale in (1.0, unit))
    (effect,), (found,) = (estimates_from_influence(influence_of(grid)) for grid in (known, other))
    assert (found.estimate / unit, found.std_error / unit) == pytest.approx((effect.estimate, effect.std_error))
    assert (found.pvalue, found.dof) == pytest.approx((effect.pvalue, effect.dof))
    assert (found.relative.ci_lower, found.relative.ci_upper) == pytest.approx(
        (effect.relative.ci_lower, effect.relative.ci_upper)
    )
    (slope,), (scaled,) = slopes_of(known, pre=True), slopes_of(other, pre=True)
    assert (scaled.estimate / unit, scaled.std_error / unit) == pytest.approx((slope.estimate, slope.std_error))
    assert (scaled.pvalue, scaled.dof) == pytest.approx((slope.pvalue, slope.dof))


def test_a_line_has_its_slope_and_what_it_would_do_to_the_effect():
    rng = np.random.default_rng(5)
    line = 0.25 * np.arange(HOURS) / 24 + 1e-3 * rng.standard_normal(HOURS)
    grid = grid_of(line, np.zeros(HOURS), pre_days=14)
    (slope,) = slopes_of(grid, pre=True)
    assert slope.estimate == pytest.approx(0.25, abs=1e-3)
    assert slope.implied_bias == pytest.approx(slope.minimum_detectable * 14)
    assert influence_of(grid).estimate[0] == pytest.approx(0.25 * 14, abs=1e-3)


def test_an_effect_that_fades_shows_as_a_trend_after_the_start():
    rng = np.random.default_rng(6)
    fading = np.where(np.arange(HOURS) >= 336, 3 * np.exp(-(np.arange(HOURS) - 336) / 120), 0)
    grid = grid_of(fading + rng.standard_normal(HOURS), np.zeros(HOURS), pre_days=14)
    (after,) = slopes_of(grid, pre=False)
    assert after.pvalue < 0.01
    assert after.ci_upper < 0
    assert after.implied_bias is None
    (before,) = slopes_of(grid, pre=True)
    assert before.pvalue > 0.05


def test_a_placebo_start_sees_a_jump_inside_the_baseline_and_nothing_else():
    rng = np.random.default_rng(7)
    noise = autoregressive(rng, (2, HOURS), 0.3)
    noise[1, 168:336] += 2
    quiet, jumped = placebos(grid_of(noise, np.zeros_like(noise), pre_days=14))
    assert quiet.pvalue > 0.05
    assert jumped.pvalue < 0.001
    assert (jumped.date - START).days == -7
    (none,) = placebos(grid_of(noise[:1], noise[1:], pre_days=0))
    assert none.reason == "no baseline"


def test_autocorrelation_is_that_of_the_noise_and_widens_the_interval():
    rng = np.random.default_rng(8)
    for memory, ratio in ((0.0, 1.0), (0.8, 3.0)):  # √((1 + φ)/(1 - φ)), and a little for the t quantile
        noise = autoregressive(rng, (80, HOURS), memory)
        grid = grid_of(noise, np.zeros_like(noise), pre_days=14)
        influence = influence_of(grid)
        found = autocorrelations(grid, influence, estimates_from_influence(influence))
        assert np.median([one.lag_one for one in found]) == pytest.approx(memory, abs=0.03)
        assert np.median([one.width_ratio for one in found]) == pytest.approx(1.08 * ratio, rel=0.1)


def test_missing_hours_are_counted_and_named():
    rng = np.random.default_rng(9)
    values = rng.standard_normal(HOURS)
    values[[5, 400, 401]] = np.nan
    grid = grid_of(values, np.zeros(HOURS), pre_days=14)
    (found,) = coverages(grid, daily_differences(grid))
    assert (found.expected_pre, found.expected_post) == (336, 336)
    assert (found.missing_pre, found.missing_post) == (1, 2)
    assert found.missing == tuple(grid.moment(hour) for hour in (5, 400, 401))
    assert found.whole_weeks
    assert found.weekday_imbalance == pytest.approx(0, abs=1e-12)


def test_unequal_weekdays_bias_the_effect_by_what_is_said():
    """Weekends differ by 2 between the arms; 7 days before, 10 after with three weekend days more or less."""
    days = 7 + 10
    weekday = (np.arange(days) - 7) % 7
    values = np.repeat(2.0 * (weekday >= 5), 24)
    grid = grid_of(values, np.zeros(days * 24), pre_days=7)
    (found,) = coverages(grid, daily_differences(grid))
    assert not found.whole_weeks
    effect = influence_of(grid).estimate[0]
    assert effect == pytest.approx(2 * (2 / 10 - 2 / 7))
    assert found.weekday_imbalance == pytest.approx(effect, abs=0.02)


def test_leaving_a_day_out_is_what_leaving_it_out_gives():
    """Against recomputation without the day, to 1e-10."""
    rng = np.random.default_rng(10)
    treatment, control, n = rng.standard_normal(HOURS), rng.standard_normal(HOURS), rng.integers(50, 100, HOURS)
    treatment[24 * 20 : 24 * 21] += 5
    grid = grid_of(treatment, control, pre_days=14, weights=n.astype(float))
    (found,) = day_influences(grid, influence_of(grid), days_of(daily_differences(grid)))
    assert (found.days[0] - START).days == 6
    for day, value in zip(found.days, found.estimate_without, strict=True):
        left_out = treatment.copy()
        first = ((day - START).days + 14) * 24
        left_out[first : first + 24] = np.nan
        again = influence_of(grid_of(left_out, control, pre_days=14, weights=n.astype(float)))
        assert value == pytest.approx(again.estimate[0], rel=1e-10)


def test_constant_series_give_reasons_instead_of_numbers():
    flat = np.ones(HOURS)
    grid = grid_of(flat, flat, pre_days=14)
    influence = influence_of(grid)
    for slope in (*slopes_of(grid, pre=True), *slopes_of(grid, pre=False)):
        assert slope.pvalue is None
        assert slope.reason
    (memory,) = autocorrelations(grid, influence, estimates_from_influence(influence))
    assert memory.reason == "the hours do not vary"


def test_two_days_have_no_trend():
    rng = np.random.default_rng(1)
    short = rng.standard_normal(96)
    (slope,) = slopes_of(grid_of(short, np.zeros(96), pre_days=2), pre=True)
    assert "a trend needs 4" in slope.reason
