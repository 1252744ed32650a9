"""Two-series difference-in-differences: the numbers, their algebra, and what is absent."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.influence import influence_series
from rallyuxr.stats.series import Method, did_series, did_series_batch, estimate_from_influence

METHODS = [method for method in get_args(Method) if method != "auto"]
DAYS = 14
POST = np.arange(24 * DAYS) >= 12 * DAYS
FOLDER = Path(__file__).parents[1] / "reference"
REFERENCE = json.loads((FOLDER / "series_peers.json").read_text())
"""What other packages say of `series.csv`, written by `series_peers.py`."""
AGREEMENT = 1e-8
ALGEBRA = 1e-9
"""Sums of a few hundred terms in another order, relative to the standard error."""


def draw(seed: int, effect: float = 0.0, hours: int = POST.size) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    control = 5.0 + rng.standard_normal(hours)
    return control + effect * (np.arange(hours) >= hours // 2) + rng.standard_normal(hours), control


# --- the estimate, by hand ---


def test_the_estimate_is_the_difference_of_the_differences():
    result = did_series([10, 12, 15, 17], [10, 10, 11, 11], [False, False, True, True])
    assert result.estimate == pytest.approx(4.0)
    means = result.cell_means
    assert (means.treatment_pre, means.treatment_post, means.control_pre, means.control_post) == (11, 16, 10, 11)
    assert result.relative.estimate is None or result.relative.estimate == pytest.approx(4 / 12)


def test_window_means_weigh_hours_by_participants():
    result = did_series([0.03, 0.3], [0.0, 0.0], [True, True], treatment_n=[1000, 10], control_n=[1, 1])
    assert result.cell_means.treatment_post == pytest.approx(33 / 1010)
    assert result.estimate == pytest.approx(33 / 1010)


def test_unequal_arms_and_weekdays_show_no_effect_where_means_are_compared():
    weekend = np.tile([1.0] * 5 + [0.6] * 2, 2)
    hours = np.repeat(weekend, 24)
    result = did_series(
        np.ones(hours.size), np.ones(hours.size), np.arange(hours.size) >= 72,
        treatment_n=100 * hours, control_n=900 * hours,
    )  # fmt: skip
    assert result.estimate == 0.0


def test_without_a_baseline_it_is_a_difference_in_means_and_says_so():
    treatment, control = draw(1)
    result = did_series(treatment, control, np.ones(POST.size, bool))
    assert result.estimator == "difference_in_means"
    assert result.estimate == pytest.approx(treatment.mean() - control.mean())
    assert result.cell_means.treatment_pre is None
    assert "no_baseline" in {caution.code for caution in result.warnings}


def test_a_missing_hour_is_left_out_in_both_arms():
    treatment, control = draw(2)
    treatment[[5, 100]] = np.nan
    kept = ~np.isnan(treatment)
    result = did_series(treatment, control, POST)
    assert result.estimate == pytest.approx(did_series(treatment[kept], control[kept], POST[kept]).estimate)
    assert result.n_obs == POST.size - 2
    counted = did_series(np.nan_to_num(treatment), control, POST, treatment_n=kept.astype(float))
    assert counted.estimate == pytest.approx(result.estimate)
    assert counted.n_obs == result.n_obs


def test_splitting_an_hours_participants_changes_no_mean():
    treatment, control = draw(3)
    n = np.random.default_rng(3).integers(10, 1000, POST.size).astype(float)
    whole = did_series(treatment, control, POST, treatment_n=n, control_n=2 * n)
    hours = np.repeat(np.arange(POST.size), 2)
    split = did_series(treatment[hours], control[hours], POST[hours], treatment_n=n[hours] / 2, control_n=n[hours])
    assert split.estimate == pytest.approx(whole.estimate, abs=1e-12)
    assert split.cell_means.control_post == pytest.approx(whole.cell_means.control_post)


def test_an_offset_costs_no_digits():
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((2, POST.size))
    shifted = noise + 1e7
    result = did_series(shifted[0], shifted[1], POST, method="newey_west")
    exact = shifted.astype(np.longdouble) - np.longdouble(1e7)
    means = [exact[arm][POST].mean() - exact[arm][~POST].mean() for arm in (0, 1)]
    assert result.estimate == pytest.approx(float(means[0] - means[1]), abs=1e-10)
    plain = did_series(*exact.astype(float), POST, method="newey_west")
    assert result.std_error == pytest.approx(plain.std_error, rel=1e-10)


# --- agreement with other programs ---


def test_newey_west_is_that_of_a_regression_on_a_post_dummy():
    treatment, control = draw(5, effect=0.3)
    ours = did_series(treatment, control, POST, method="newey_west")
    lag = int(4 * (POST.size / 100) ** (2 / 9))
    fit = sm.OLS(treatment - control, sm.add_constant(POST.astype(float))).fit(
        cov_type="HAC", cov_kwds={"maxlags": lag}
    )
    theirs = fit.params[1], fit.bse[1], fit.pvalues[1], *fit.conf_int()[1]
    mine = ours.estimate, ours.std_error, ours.pvalue, ours.ci_lower, ours.ci_upper
    assert mine == pytest.approx(theirs, rel=1e-8)


@pytest.mark.parametrize(("method", "block"), [("welch_hours", 1), ("day_means", 24)])
def test_block_means_are_welchs_test(method, block):
    treatment, control = draw(6, effect=0.3)
    ours = did_series(treatment, control, POST, method=method)
    difference = treatment - control
    samples = [difference[mask].reshape(-1, block).mean(axis=1) for mask in (POST, ~POST)]
    theirs = stats.ttest_ind(*samples, equal_var=False)
    assert (ours.statistic, ours.dof, ours.pvalue) == pytest.approx(
        (theirs.statistic, theirs.df, theirs.pvalue), rel=1e-10
    )


# --- algebra ---


seeds = st.integers(0, 2**32 - 1)


def core(result):
    return np.array([result.estimate, result.std_error, result.ci_lower, result.ci_upper])


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=15)
@given(seed=seeds, shift=st.floats(-1e4, 1e4), scale=st.floats(1e-6, 1e6), with_counts=st.booleans())
def test_shifting_scaling_and_swapping_follow_algebra(method, seed, shift, scale, with_counts):
    treatment, control = draw(seed, effect=0.2)
    rng = np.random.default_rng(seed)
    treatment[rng.random(POST.size) < 0.05] = np.nan
    n, m = rng.integers(1, 500, (2, POST.size)).astype(float) if with_counts else (None, None)
    plain = did_series(treatment, control, POST, treatment_n=n, control_n=m, method=method)
    tolerance = ALGEBRA * plain.std_error

    shifted = did_series(treatment + shift, control, POST, treatment_n=n, control_n=m, method=method)
    np.testing.assert_allclose(core(shifted), core(plain), rtol=0, atol=tolerance)
    assert (shifted.dof or 0.0) == pytest.approx(plain.dof or 0.0, rel=1e-6)

    scaled = did_series(scale * treatment, scale * control, POST, treatment_n=n, control_n=m, method=method)
    np.testing.assert_allclose(core(scaled), scale * core(plain), rtol=0, atol=scale * tolerance)
    assert scaled.pvalue == pytest.approx(plain.pvalue, rel=1e-6)
    assert scaled.relative.estimate == pytest.approx(plain.relative.estimate, rel=1e-6)

    swapped = did_series(control, treatment, POST, treatment_n=m, control_n=n, method=method)
    expected = np.array([-plain.estimate, plain.std_error, -plain.ci_upper, -plain.ci_lower])
    np.testing.assert_allclose(core(swapped), expected, rtol=0, atol=tolerance)
    assert swapped.pvalue == pytest.approx(plain.pvalue, rel=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_planted_effect_moves_the_interval_and_nothing_else(method):
    treatment, control = draw(7)
    plain = did_series(treatment, control, POST, method=method)
    planted = did_series(treatment + 3.0 * POST, control, POST, method=method)
    assert core(planted) == pytest.approx(core(plain) + np.array([3.0, 0.0, 3.0, 3.0]))


@settings(max_examples=60)
@given(seed=seeds, effect=st.floats(-1, 1), level=st.floats(0.5, 0.999))
def test_p_is_below_alpha_exactly_when_the_interval_excludes_zero(seed, effect, level):
    result = did_series(*draw(seed, effect), POST, confidence_level=level)
    assert (result.pvalue < 1 - level) == (result.ci_lower > 0 or result.ci_upper < 0)
    assert result.ci_lower < result.estimate < result.ci_upper
    assert (result.relative.ci_lower > 0) == (result.ci_lower > 0)


def test_many_metrics_at_once_are_the_metrics_one_by_one():
    pairs = [draw(seed, effect=0.1 * seed) for seed in range(3)]
    treatment, control = (np.stack(arm) for arm in zip(*pairs, strict=True))
    treatment[1, 7] = np.nan
    for metric, result in enumerate(did_series_batch(treatment, control, POST)):
        alone = did_series(treatment[metric], control[metric], POST)
        assert core(result) == pytest.approx(core(alone), rel=1e-12)


def test_a_sum_of_metrics_has_the_interval_of_the_summed_series():
    (t1, c1), (t2, c2) = draw(8, 0.5), draw(9)
    weights = np.array([2.0, -0.5])
    summed = did_series(weights @ np.stack([t1, t2]), weights @ np.stack([c1, c2]), POST)
    series = influence_series(np.stack([t1, t2]), np.stack([c1, c2]), POST)
    combined = estimate_from_influence(series.combined(weights))
    assert core(combined) == pytest.approx(core(summed), rel=1e-10)
    assert combined.dof == pytest.approx(summed.dof)
    assert combined.relative.ci_upper == pytest.approx(summed.relative.ci_upper)


def test_the_inputs_are_left_as_they_were():
    treatment, control = draw(10)
    n = np.full(POST.size, 7.0)
    copies = treatment.copy(), control.copy(), n.copy()
    did_series(treatment, control, POST, treatment_n=n, control_n=n)
    for array, copy in zip((treatment, control, n), copies, strict=True):
        assert np.array_equal(array, copy)


# --- absent beats wrong ---


def numbers(value):
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers(item)]
    return [value] if isinstance(value, float) else []


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=40)
@given(data=st.data())
def test_no_input_gives_nan_infinity_or_a_warning(method, data):
    hours = data.draw(st.integers(1, 80))
    values = arrays(float, hours, elements=st.floats(allow_infinity=False) | st.sampled_from([0.0, 1.0, 1e308]))
    counts = st.none() | arrays(float, hours, elements=st.floats(0, 1e300) | st.sampled_from([0.0, 5e-324, 1.0]))
    start = data.draw(st.integers(0, hours - 1))
    result = did_series(
        data.draw(values),
        data.draw(values),
        np.arange(hours) >= start,
        treatment_n=data.draw(counts),
        control_n=data.draw(counts),
        periods_per_day=data.draw(st.sampled_from([1, 4, 24])),
        method=method,
    )
    assert all(map(math.isfinite, numbers(asdict(result))))
    assert (result.std_error is None) == (result.reason is not None) == (result.pvalue is None)
    if result.std_error is not None:
        assert result.std_error > 0
        assert 0 <= result.pvalue <= 1


@pytest.mark.parametrize("method", METHODS)
def test_a_difference_that_never_varies_has_no_standard_error(method):
    control = draw(11)[1]
    result = did_series(control + 2.0 * POST, control, POST, method=method)
    assert result.estimate == pytest.approx(2.0)
    assert (result.std_error, result.pvalue) == (None, None)
    assert "does not vary" in result.reason


def test_a_daily_cycle_in_one_arm_is_not_noise():
    control = np.full(POST.size, 4.0)
    result = did_series(control + np.sin(2 * np.pi * np.arange(POST.size) / 24), control, POST)
    assert result.std_error is None
    assert "daily cycle" in result.reason


@pytest.mark.parametrize(
    ("hours", "start", "estimated"), [(10, 5, True), (30, 20, True), (24, 0, True), (23, 0, False), (30, 10, False)]
)
def test_less_than_a_day_in_every_window_has_no_standard_error(hours, start, estimated):
    treatment, control = draw(12, hours=hours)
    result = did_series(treatment, control, np.arange(hours) >= start)
    assert result.estimate is not None
    assert (result.std_error is not None) == (max(start, hours - start) >= 24)


def test_a_window_without_a_single_hour_has_no_estimate():
    treatment, control = draw(13)
    treatment[POST] = np.nan
    result = did_series(treatment, control, POST)
    assert (result.estimate, result.cell_means.treatment_post) == (None, None)
    assert "periods with data" in result.reason


def test_an_hour_after_the_start_borrows_the_baselines_noise():
    pairs = [draw(seed) for seed in range(40)]
    first = 12 * DAYS + 1
    treatment, control = (np.stack(arm)[:, :first] for arm in zip(*pairs, strict=True))
    results = did_series_batch(treatment, control, POST[:first])
    for result in results:
        assert {"borrowed_noise", "few_days"} <= {caution.code for caution in result.warnings}
    typical = np.sqrt(np.mean([result.std_error**2 for result in results]))
    assert typical == pytest.approx(np.sqrt(1 + 1 / (first - 1)), rel=0.25)  # one hour's noise is 1


def test_daily_values_are_analysed_as_days():
    treatment, control = draw(15, effect=1.0, hours=56)
    result = did_series(treatment, control, np.arange(56) >= 28, periods_per_day=1)
    assert result.ci_lower < 1.0 < result.ci_upper
    assert result.warnings == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"post": np.zeros(POST.size)}, "none is true"),
        ({"post": ~POST}, "time order"),
        ({"post": POST[1:]}, "same hours"),
        ({"control": np.ones(3)}, "same hours"),
        ({"treatment": np.full(POST.size, np.inf)}, "finite"),
        ({"treatment_n": np.full(POST.size, -1.0)}, "negative"),
        ({"treatment_n": np.ones(3)}, "one each"),
        ({"confidence_level": 95.0}, "between 0 and 1"),
        ({"periods_per_day": 0}, "24 for hours"),
        ({"method": "magic"}, "prewhitened_ewc"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_remedy(change, words):
    treatment, control = draw(16)
    arguments = {"treatment": treatment, "control": control, "post": POST} | change
    with pytest.raises(InvalidInput, match=words):
        did_series(arguments.pop("treatment"), arguments.pop("control"), arguments.pop("post"), **arguments)


@pytest.mark.parametrize("package", ["statsmodels", "linearmodels", "pyfixest"])
def test_newey_west_agrees_with_other_packages(package):
    estimate, std_error = REFERENCE["newey_west"][package]
    result = did_series(*reference_arms(), method="newey_west")
    assert (result.estimate, result.std_error) == pytest.approx((estimate, std_error), rel=AGREEMENT)


@pytest.mark.parametrize("method", ["day_means", "welch_hours"])
def test_means_of_blocks_agree_with_welch(method):
    result = did_series(*reference_arms(), method=method)
    found = (result.estimate, result.std_error, result.dof, result.pvalue)
    assert found == pytest.approx(tuple(REFERENCE[method]), rel=AGREEMENT)


def reference_arms():
    rows = np.genfromtxt(FOLDER / "series.csv", delimiter=",", names=True)
    return rows["treatment"], rows["control"], rows["post"] == 1
