"""Looking while units come in: the confidence sequence over units keeps its error rate at every look."""

from dataclasses import replace

import numpy as np
import pytest

from rallyuxr.errors import InvalidInput
from rallyuxr.models.estimate import DidEstimate
from rallyuxr.stats.panel import did_panel
from rallyuxr.stats.panel_sequential import always_valid_units

COLUMNS = {"unit": "unit", "period": "post", "treated": "treated", "post": "post", "outcome": "outcome"}
UNITS, DRAWS = 600, 150


def arrivals(rng, effect=0.0):
    """Units in the order of arrival, one period before and one after each one's own start, with heavy tails."""
    unit = np.repeat(np.arange(UNITS), 2)
    treated, post = np.repeat(rng.permutation(np.arange(UNITS) % 3 == 0), 2), np.tile([0, 1], UNITS)
    outcome = rng.normal(size=UNITS)[unit] + rng.standard_t(4, unit.size) + effect * treated * post
    return {"unit": unit, "treated": treated.astype(int), "post": post, "outcome": outcome}


def looks(data, *, every=20):
    """The estimate, for certain this look alone and for all looks at once, after every so many units."""
    for n_units in range(2 * every, UNITS + 1, every):
        so_far = {name: values[: 2 * n_units] for name, values in data.items()}
        estimate = did_panel(so_far, **COLUMNS, method="unit_means")
        yield estimate, always_valid_units(estimate, planned_units=UNITS)


def test_looking_after_every_twenty_units_keeps_the_error_rate():
    rng = np.random.default_rng(12)
    fixed = valid = 0
    for _ in range(DRAWS):
        seen = list(looks(arrivals(rng)))
        fixed += any(estimate.pvalue < 0.05 for estimate, _ in seen)
        valid += any(answer.pvalue < 0.05 for _, answer in seen)
    assert fixed / DRAWS > 0.15
    assert valid / DRAWS <= 0.05


def test_a_real_effect_is_found_before_the_planned_end_and_covered_at_every_look():
    rng = np.random.default_rng(13)
    found = covered = 0
    for _ in range(40):
        answers = [answer for _, answer in looks(arrivals(rng, effect=1.0))]
        found += any(answer.pvalue < 0.05 for answer in answers[:-1])
        covered += all(answer.ci_lower <= 1.0 <= answer.ci_upper for answer in answers)
    assert found > 30
    assert covered >= 38


def test_alpha_divided_by_planned_looks_holds_for_new_periods_of_the_same_units():
    """What docs/method-panels.md advises: serially correlated periods, ten looks, 200 null panels."""
    rng = np.random.default_rng(14)
    n_units, n_periods, n_looks = 40, 20, 10
    unit, period = np.repeat(np.arange(n_units), n_periods), np.tile(np.arange(n_periods), n_units)
    base = {"unit": unit, "period": period, "treated": unit % 2, "post": (period >= 10).astype(int)}
    columns = COLUMNS | {"period": "period"}
    plain = divided = 0
    for _ in range(200):
        noise = rng.normal(size=(n_units, n_periods))
        for column in range(1, n_periods):
            noise[:, column] += 0.9 * noise[:, column - 1]
        data = base | {"outcome": noise.ravel()}
        pvalues = [
            did_panel({name: values[period <= last] for name, values in data.items()}, **columns).pvalue
            for last in range(10, 20)
        ]
        plain += min(pvalues) < 0.05
        divided += min(pvalues) < 0.05 / n_looks
    assert plain / 200 > 0.08
    assert divided / 200 <= 0.05


def test_at_the_planned_end_it_costs_about_what_the_sequence_of_hours_does():
    end = DidEstimate(estimate=0.0, std_error=1.0, dof=1e6, method="welch_units", n_units=900, n_clusters=900)
    answer = always_valid_units(end, planned_units=900)
    # the root of g = log((1 + g)/0.05²) is 8.21, so that z² = 1 + g: Howard, Ramdas, McAuliffe and Sekhon (2021)
    assert answer.ci_upper == pytest.approx(np.sqrt(9.212), abs=0.001)


def test_clusters_count_as_the_units_that_come_in():
    few = DidEstimate(estimate=0.0, std_error=1.0, dof=1e6, method="welch_units", n_units=900, n_clusters=90)
    many = replace(few, n_clusters=900)
    assert (
        always_valid_units(few, planned_units=900).ci_upper > always_valid_units(many, planned_units=900).ci_upper
    )


def test_what_has_no_sequence_says_why():
    absent = DidEstimate(estimate=1.0, method="welch_units", n_clusters=2, reason="two units cannot tell")
    assert always_valid_units(absent, planned_units=10).reason == "two units cannot tell"
    permuted = DidEstimate(estimate=1.0, std_error=1.0, method="permutation", n_clusters=8)
    assert "few units" in always_valid_units(permuted, planned_units=10).reason
    with pytest.raises(InvalidInput, match="planned_units is 0"):
        always_valid_units(permuted, planned_units=0)
