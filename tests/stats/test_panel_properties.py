"""Algebra that every panel estimate obeys, on panels that hypothesis makes up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.panel import did_panel

COLUMNS = {"unit": "unit", "period": "period", "treated": "treated", "post": "post", "outcome": "outcome"}
METHODS = ("auto", "unit_means", "twfe", "cuped", "permutation", "wild_cluster_bootstrap")
RELATIVE, ABSOLUTE = 1e-6, 1e-6  # rounding, where differences of a few thousandths stand beside values up to 1e3


@st.composite
def panels(draw, min_units=2):
    """Two to nine units an arm, two to four periods, outcomes in thousandths, rows in any order."""
    n_treated, n_control = draw(st.integers(min_units, 9)), draw(st.integers(min_units, 9))
    n_periods = draw(st.integers(2, 4))
    n_units = n_treated + n_control
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    outcome = np.round(rng.normal(draw(st.integers(-100, 100)), draw(st.integers(1, 20)), n_units * n_periods), 3)
    unit, period = np.repeat(np.arange(n_units), n_periods), np.tile(np.arange(n_periods), n_units)
    order = rng.permutation(unit.size)
    columns = {
        "unit": unit,
        "period": period,
        "treated": (unit < n_treated).astype(int),
        "post": (period >= n_periods // 2).astype(int),
        "outcome": outcome,
    }
    return {name: values[order] for name, values in columns.items()}


def analyse(data, method):
    return did_panel(data, **COLUMNS, method=method, reps=199)


def numbers(result):
    return [result.estimate, result.std_error, result.pvalue, result.ci_lower, result.ci_upper]


def close(found, expected):
    for left, right in zip(found, expected, strict=True):
        assert (left is None) == (right is None)
        if left is not None:
            assert left == pytest.approx(right, rel=RELATIVE, abs=ABSOLUTE)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=15)
@given(data=panels())
def test_results_are_finite_and_agree_with_themselves(method, data):
    result = analyse(data, method)
    assert all(value is None or np.isfinite(value) for value in numbers(result))
    if result.ci_lower is not None:
        assert result.ci_lower <= result.estimate <= result.ci_upper
        assert (result.ci_lower > 0 or result.ci_upper < 0) == (result.pvalue < 1 - result.confidence_level)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=15)
@given(data=panels(), exponent=st.integers(-320, 308), flat=st.booleans())
def test_no_magnitude_gives_nan_infinity_or_a_numpy_warning(method, data, exponent, flat):
    outcome = np.round(data["outcome"]) if flat else data["outcome"]
    largest = np.abs(outcome).max(initial=1.0)
    found, refusal = [], ""
    try:
        found = numbers(analyse(data | {"outcome": outcome / largest * 10.0**exponent}, method))
    except InvalidInput as error:
        refusal = str(error)
    assert all(value is None or np.isfinite(value) for value in found)
    assert ("floating point" in refusal) == (exponent > 70)
    assert not refusal or exponent > 70 or "CUPED needs" in refusal


@pytest.mark.parametrize("weighted", ["unit_means", "twfe"])
@settings(max_examples=15)
@given(data=panels(min_units=3), factor=st.sampled_from([2.0**-40, 0.5, 2.0, 2.0**40]))
def test_multiplying_all_weights_changes_nothing(weighted, data, factor):
    rng = np.random.default_rng(0)
    weight = rng.integers(1, 9, data["unit"].size).astype(float)
    plain, scaled = (
        did_panel(data | {"weight": weight * by}, **COLUMNS, weights="weight", method=weighted)
        for by in (1.0, factor)
    )
    close(numbers(scaled), numbers(plain))


@pytest.mark.parametrize("method", ["unit_means", "twfe", "cuped", "permutation"])
@settings(max_examples=15)
@given(data=panels(min_units=3), shift=st.integers(-1000, 1000))
def test_shifting_all_outcomes_changes_nothing_but_the_level(method, data, shift):
    shifted = analyse(data | {"outcome": data["outcome"] + shift}, method)
    close(numbers(shifted), numbers(analyse(data, method)))


@pytest.mark.parametrize("method", ["unit_means", "twfe", "cuped", "permutation"])
@settings(max_examples=15)
@given(data=panels(min_units=3), scale=st.sampled_from([-8.0, -0.5, 2.0, 100.0]))
def test_scaling_scales_the_estimate_and_keeps_the_pvalue(method, data, scale):
    plain, scaled = analyse(data, method), analyse(data | {"outcome": data["outcome"] * scale}, method)
    assert scaled.estimate == pytest.approx(plain.estimate * scale, rel=RELATIVE, abs=ABSOLUTE)
    if plain.std_error is not None:
        assert scaled.std_error == pytest.approx(plain.std_error * abs(scale), rel=RELATIVE)
        assert scaled.pvalue == pytest.approx(plain.pvalue, rel=RELATIVE)


@pytest.mark.parametrize("method", ["unit_means", "twfe", "cuped", "permutation"])
@settings(max_examples=15)
@given(data=panels(min_units=3))
def test_swapping_arms_flips_the_sign(method, data):
    plain, swapped = analyse(data, method), analyse(data | {"treated": 1 - data["treated"]}, method)
    assert swapped.estimate == pytest.approx(-plain.estimate, rel=RELATIVE, abs=ABSOLUTE)
    if plain.ci_lower is not None:
        close([swapped.ci_lower, swapped.ci_upper], [-plain.ci_upper, -plain.ci_lower])


@pytest.mark.parametrize("method", ["unit_means", "twfe", "cuped"])
@settings(max_examples=15)
@given(data=panels(min_units=3), seed=st.integers(0, 2**32))
def test_names_of_units_and_order_of_rows_do_not_matter(method, data, seed):
    rng = np.random.default_rng(seed)
    renamed = data | {"unit": rng.permutation(1000)[data["unit"]] * 10**9}
    order = rng.permutation(data["unit"].size)
    permuted = {name: values[order] for name, values in renamed.items()}
    close(numbers(analyse(permuted, method)), numbers(analyse(data, method)))


@settings(max_examples=15)
@given(data=panels(min_units=3), effect=st.integers(-50, 50))
def test_an_effect_planted_in_the_treated_arm_is_found_in_full(data, effect):
    planted = data | {"outcome": data["outcome"] + effect * data["treated"] * data["post"]}
    plain, found = analyse(data, "unit_means"), analyse(planted, "unit_means")
    assert found.estimate == pytest.approx(plain.estimate + effect, abs=ABSOLUTE)
    if plain.std_error is not None:
        assert found.std_error == pytest.approx(plain.std_error, rel=RELATIVE)


def test_welch_on_units_keeps_its_size_where_rows_are_serially_correlated():
    """Seeded: 400 panels of 40 units with AR(.9) noise over 20 periods and no effect."""
    rng = np.random.default_rng(9)
    unit, period = np.repeat(np.arange(40), 20), np.tile(np.arange(20), 40)
    base = {"unit": unit, "period": period, "treated": unit % 2, "post": (period >= 10).astype(int)}
    rejections = 0
    for _ in range(400):
        noise = rng.normal(size=(40, 20))
        for column in range(1, 20):
            noise[:, column] += 0.9 * noise[:, column - 1]
        rejections += did_panel(base | {"outcome": noise.ravel()}, **COLUMNS).pvalue < 0.05
    assert 0.03 <= rejections / 400 <= 0.075
