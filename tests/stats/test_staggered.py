"""Staggered starts: agreement with another program, and comparisons that are never forbidden ones."""

import numpy as np
import pytest

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.staggered import did_staggered
from tests.stats.panel_reference import AGREEMENT, panel, peers

COLUMNS = {"unit": "unit", "period": "period", "first_treated": "first_treated", "outcome": "staggered"}


@pytest.mark.parametrize("control_group", ["not_yet_treated", "never_treated"])
@pytest.mark.parametrize("base_period", ["universal", "varying"])
def test_every_aggregate_agrees_with_diff_diff(control_group, base_period):
    result = did_staggered(panel(), **COLUMNS, control_group=control_group, base_period=base_period)
    peer = peers()["staggered"][f"{control_group} {base_period}"]
    assert (result.overall.estimate, result.overall.std_error) == pytest.approx(peer["overall"], rel=AGREEMENT)
    path = {effect.at: effect for effect in result.event_time.effects}
    for event_time, estimate, std_error in peer["event time"]:
        assert path[event_time].estimate == pytest.approx(estimate, rel=AGREEMENT, abs=AGREEMENT)
        assert path[event_time].std_error == (std_error and pytest.approx(std_error, rel=AGREEMENT))
    cells = {(cell.cohort, cell.period): cell for cell in result.cohort_time}
    for cohort, period, estimate, std_error in peer["cohort time"]:
        assert cells[cohort, period].estimate == pytest.approx(estimate, rel=AGREEMENT, abs=AGREEMENT)
        assert cells[cohort, period].std_error == (std_error and pytest.approx(std_error, rel=AGREEMENT))


def of_paths(starts, outcome):
    """A panel of one unit per start, `outcome(start, period)` without noise, periods 1 to 6."""
    rows = [(unit, period, start) for unit, start in enumerate(starts) for period in range(1, 7)]
    unit, period, start = np.array(rows).T
    values = [outcome(first, now) for _, now, first in rows]
    return {"unit": unit, "period": period, "first_treated": start, "staggered": np.array(values, dtype=float)}


def test_growing_effects_are_recovered_where_two_way_fixed_effects_fail():
    def outcome(start, period):
        return 3 * period + (2.0 * (period - start + 1) if 0 < start <= period else 0)

    result = did_staggered(of_paths([2, 2, 4, 4, 0, 0], outcome), **COLUMNS)
    for cell in result.cohort_time:
        assert cell.estimate == pytest.approx(max(0, 2.0 * (cell.event_time + 1)) if cell.event_time >= 0 else 0)
    # cohort 2 is seen for five periods after its start, cohort 4 for three
    assert result.overall.estimate == pytest.approx((2 + 4 + 6 + 8 + 10 + 2 + 4 + 6) / 8)


def test_already_treated_units_are_never_controls():
    data = of_paths([3, 3, 5, 5], lambda start, period: 1000.0 * (start == 3 and period >= 3))
    result = did_staggered(data, **COLUMNS)
    assert {(cell.cohort, cell.period) for cell in result.cohort_time if cell.event_time >= 0} == {(3, 3), (3, 4)}


@pytest.mark.parametrize("never", [np.nan, np.inf, 0.0])
def test_never_treated_may_be_missing_infinite_or_zero(never):
    data = panel()
    start = np.where(data["first_treated"] == 0, never, data["first_treated"])
    expected = did_staggered(data, **COLUMNS).overall
    assert did_staggered(data | {"first_treated": start}, **COLUMNS).overall == expected


def test_dates_serve_as_periods():
    data = panel()
    start = np.datetime64("2025-01-01")
    dates = start + data["period"].astype("timedelta64[D]")
    first = np.where(
        data["first_treated"] == 0, np.datetime64("NaT"), start + data["first_treated"].astype("timedelta64[D]")
    )
    result = did_staggered(data | {"period": dates, "first_treated": first}, **COLUMNS)
    assert result.overall == did_staggered(data, **COLUMNS).overall


def test_bands_are_wider_than_intervals_and_repeat_under_a_seed():
    first, again = (did_staggered(panel(), **COLUMNS, seed=5).event_time for _ in range(2))
    assert first == again
    for effect in first.effects:
        if effect.std_error is None:
            assert (effect.at, effect.estimate) == (-1, 0.0)
        else:
            assert effect.band_lower < effect.ci_lower < effect.estimate < effect.ci_upper < effect.band_upper


def test_what_is_absent_says_why():
    overall = did_staggered(panel(), **COLUMNS).overall
    assert overall.relative.estimate is None
    assert "counterfactual" in overall.relative.reason
    alike = did_staggered(of_paths([3, 3, 0, 0], lambda start, period: period), **COLUMNS).overall
    assert (alike.estimate, alike.pvalue) == (0.0, None)
    assert "same amount" in alike.reason


def test_units_treated_from_the_first_period_are_left_out_with_a_caution():
    data = panel()
    always = np.where(data["unit"] < 3, 1, data["first_treated"])
    result = did_staggered(data | {"first_treated": always}, **COLUMNS)
    assert result.overall.n_units == 57
    assert "always_treated" in {caution.code for caution in result.overall.warnings}


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"first_treated": panel()["period"]}, {}, "two values of first_treated"),
        ({"unit": panel()["unit"] // 2}, {}, "two rows in one period"),
        ({"first_treated": np.full(480, 4)}, {}, "no cohort can be compared"),
        ({}, {"control_group": "everyone"}, "control_group"),
        ({}, {"base_period": "first"}, "base_period"),
        ({}, {"confidence_level": 1.0}, "confidence_level"),
    ],
)
def test_what_cannot_be_compared_is_refused(columns, options, message):
    with pytest.raises(InvalidInput, match=message):
        did_staggered(panel() | columns, **COLUMNS, **options)
