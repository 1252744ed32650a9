"""Days and their band: by hand, against tables, and by coverage of all days at once."""

import numpy as np
import pytest
from scipy import stats

from rallyuxr.stats.event_study import daily_differences, event_studies, studentized_maximum_modulus
from tests.stats.grids import START, days_of, grid_of
from tests.stats.noise import autoregressive


def test_a_day_is_the_weighted_mean_of_its_hours():
    control = np.zeros(48)
    treatment = np.r_[np.full(24, 1.0), np.full(12, 2.0), np.full(12, 5.0)]
    weights = np.r_[np.ones(24), np.full(12, 3.0), np.full(12, 1.0)]
    daily = daily_differences(grid_of(treatment, control, pre_days=1, weights=weights))
    assert daily.difference.tolist() == [[1.0, (3 * 2.0 + 5.0) / 4]]
    assert daily.start == 1


def test_the_first_day_of_the_experiment_is_the_first_post_day():
    values = np.repeat(np.arange(6.0), 24)
    daily = daily_differences(grid_of(values, np.zeros(144), pre_days=2))
    (study,) = event_studies(daily, days_of(daily))
    assert study.days[2] == START
    assert study.estimate == pytest.approx((-0.5, 0.5, 1.5, 2.5, 3.5, 4.5))
    assert study.reference == "mean of the 2 days before the start"


@pytest.mark.parametrize(
    ("count", "dof", "table"), [(1, 20, 2.09), (2, 20, 2.41), (5, 10, 3.10), (10, 20, 3.11), (20, 60, 3.14)]
)
def test_critical_values_agree_with_simulated_ones(count, dof, table):
    rng = np.random.default_rng([count, dof])
    draws = np.abs(rng.standard_normal((200_000, count))).max(axis=1) / np.sqrt(rng.chisquare(dof, 200_000) / dof)
    value = studentized_maximum_modulus(count, dof, 0.95)
    assert value == pytest.approx(np.quantile(draws, 0.95), rel=0.01)
    assert value == pytest.approx(table, rel=0.02)


@pytest.mark.parametrize("dof", [1, 2, 7, 60, 10_000])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_one_comparison_needs_students_quantile_and_more_need_more(dof, level):
    values = [studentized_maximum_modulus(count, dof, level) for count in (1, 2, 28, 365)]
    assert values[0] == pytest.approx(stats.t.ppf(0.5 + level / 2, dof), rel=5e-4 if dof > 2 else 0.05)
    assert values == sorted(values)
    bound = stats.t.ppf(0.5 + 0.5 * level ** (1 / 28), dof)
    assert values[2] <= bound


@pytest.mark.parametrize(("memory", "days"), [(0.0, 7), (0.0, 14), (0.6, 14), (0.9, 14), (0.95, 14), (0.95, 28)])
def test_the_band_covers_all_days_at_once(memory, days):
    """95 % nominal; conservative for the days' correlation, at least 94 % and no more than trivially wide."""
    rng = np.random.default_rng([days, int(100 * memory)])
    draws = 400
    noise = autoregressive(rng, (draws, 48 * days), memory)
    daily = daily_differences(grid_of(noise, np.zeros_like(noise), pre_days=days))
    studies = event_studies(daily, days_of(daily))
    covered = [
        all(low <= 0 <= high for low, high in zip(one.band_lower, one.band_upper, strict=True)) for one in studies
    ]
    assert np.mean(covered) >= 0.94
    width = np.mean([np.mean(np.subtract(one.band_upper, one.band_lower)) for one in studies])
    spread = np.std([one.estimate for one in studies])
    assert width / spread < (16 if memory == 0.95 and days == 14 else 9)


def test_hourly_day_dummies_would_have_found_a_trend_where_there_is_none():
    """The trap: the band by days does not shrink as memory grows; a hourly error with day dummies would."""
    rng = np.random.default_rng(5)
    noise = autoregressive(rng, (300, 28 * 24), 0.9)
    daily = daily_differences(grid_of(noise, np.zeros_like(noise), pre_days=14))
    errors = np.array([one.std_error for one in event_studies(daily, days_of(daily))])
    truth = np.std(daily.difference - daily.difference[:, :14].mean(axis=1, keepdims=True), axis=0)
    assert np.median(errors.mean(axis=0) / truth) == pytest.approx(1.0, abs=0.1)


def test_a_day_without_half_its_hours_is_absent():
    values = np.zeros(96)
    values[30:45] = np.nan
    values[::2] += 1.0
    daily = daily_differences(grid_of(values, np.zeros(96), pre_days=2))
    assert daily.present.tolist() == [[True, False, True, True]]


def test_what_cannot_be_known_is_absent_with_a_reason():
    flat = np.ones(28 * 24)
    (constant,) = event_studies(daily := daily_differences(grid_of(flat, flat, pre_days=14)), days_of(daily))
    assert constant.reason == "the days do not vary, so their scatter cannot be estimated"
    assert constant.critical_value is None
    assert set(constant.std_error) == {None}
    (short,) = event_studies(daily := daily_differences(grid_of(flat[:48], flat[:48], pre_days=1)), days_of(daily))
    assert "4 are needed" in short.reason


def test_without_a_baseline_days_are_plain_differences():
    rng = np.random.default_rng(1)
    daily = daily_differences(grid_of(rng.standard_normal(7 * 24) + 3, np.zeros(7 * 24), pre_days=0))
    (study,) = event_studies(daily, days_of(daily))
    assert study.estimate == pytest.approx(tuple(daily.difference[0]))
    assert study.reference.startswith("none")
