"""Portfolio sums: order, shrinkage, and the winner's curse by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rallyuxr.models import Interval
from rallyuxr.portfolio import Impact, portfolio_impact

impacts = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0.1, 1e6)), min_size=3, max_size=12).map(
    lambda rows: [Impact(f"e{row:02d}", total, error) for row, (total, error) in enumerate(rows)]
)


@settings(deadline=None)  # the first example loads scipy
@given(impacts, st.randoms())
def test_the_order_of_experiments_changes_no_digit(experiments, random):
    shuffled = list(experiments)
    random.shuffle(shuffled)
    assert portfolio_impact(shuffled) == portfolio_impact(experiments)


@given(impacts)
def test_shrinking_never_makes_an_impact_larger_or_turns_it(experiments):
    found = portfolio_impact(experiments)
    assert found.total == pytest.approx(math.fsum(one.total for one in experiments))
    for one in found.experiments:
        assert 0 <= one.weight <= 1
        assert abs(one.shrunk) <= abs(one.total)
        assert one.shrunk * one.total >= 0


def test_winners_are_overstated_and_shrunk_winners_are_not():
    """True impacts N(0, 100²), errors 60 to 200; bias of the winners' sum over 300 portfolios of 40."""
    rng = np.random.default_rng(1)
    plain, shrunk = [], []
    for _ in range(300):
        truth = rng.normal(0, 100, 40)
        errors = rng.uniform(60, 200, 40)
        seen = truth + errors * rng.standard_normal(40)
        found = portfolio_impact(
            [Impact(f"{row:02d}", *pair) for row, pair in enumerate(zip(seen, errors, strict=True))]
        )
        won = truth[seen > 1.96 * errors].sum()
        plain.append(found.winners - won)
        shrunk.append(found.winners_shrunk - won)
    assert np.mean(plain) > 5 * np.std(plain) / math.sqrt(300)
    assert abs(np.mean(shrunk)) < 0.15 * np.mean(plain)


def test_the_plain_interval_adds_variances():
    found = portfolio_impact([Impact("a", 10.0, 3.0), Impact("b", 5.0, 4.0)])
    assert found.total == 15.0
    assert found.total_interval.upper - found.total_interval.lower == pytest.approx(2 * 1.959964 * 5)
    assert found.shrunk is None
    assert "takes 3 experiments" in found.reason


def test_one_experiment_has_its_own_interval():
    """From a published table of t: 2.776445 at 4 and 2.228139 at 10 degrees of freedom."""
    for dof, t in ((4, 2.776445), (10, 2.228139)):
        found = portfolio_impact([Impact("a", 100.0, 20.0, dof)]).total_interval
        assert (found.lower, found.upper) == pytest.approx((100 - t * 20, 100 + t * 20), abs=2e-5)


def test_two_equal_experiments_have_twice_the_degrees_of_freedom():
    """By hand: (2s²)² / (2s⁴/5) = 10, half the width is 2.228139 s √2."""
    found = portfolio_impact([Impact("a", 1.0, 3.0, 5.0), Impact("b", 2.0, 3.0, 5.0)]).total_interval
    assert found.upper - 3.0 == pytest.approx(2.228139 * 3 * math.sqrt(2), abs=1e-5)


def test_an_unequal_pair_by_hand():
    """Variances 9 and 16 with 4 and 9: 25² / (81/4 + 256/9) = 12.8352; t there lies between 2.179 and 2.160."""
    found = portfolio_impact([Impact("a", 0.0, 3.0, 4.0), Impact("b", 0.0, 4.0, 9.0)]).total_interval
    between = 2.178813 + 0.8352 * (2.160369 - 2.178813)
    assert found.upper == pytest.approx(5 * between, abs=5e-3)


def test_an_impact_from_its_interval_gives_that_interval_back():
    own = Interval(lower=-40.0, upper=190.0)
    impact = Impact.from_interval("a", 75.0, own, dof=7.3, confidence_level=0.95)
    again = portfolio_impact([impact]).total_interval
    assert (again.lower, again.upper) == pytest.approx((own.lower, own.upper), rel=1e-12)


def test_a_sum_of_experiments_with_few_degrees_of_freedom_is_covered_as_often_as_said():
    """20,000 pairs with 4 and 7 degrees of freedom; the normal interval misses .075 of them."""
    rng = np.random.default_rng(2)
    draws, sigma, dofs = 20_000, np.array([3.0, 5.0]), np.array([4.0, 7.0])
    seen = sigma * rng.standard_normal((draws, 2))
    errors = sigma * np.sqrt(rng.chisquare(dofs, (draws, 2)) / dofs)
    missed = 0
    for totals, found in zip(seen.tolist(), errors.tolist(), strict=True):
        pair = [Impact(name, *rest) for name, *rest in zip("ab", totals, found, dofs, strict=True)]
        interval = portfolio_impact(pair).total_interval
        missed += not interval.lower <= 0 <= interval.upper
    assert missed / draws == pytest.approx(0.05, abs=0.006)


def test_nothing_is_zero_with_a_reason():
    assert portfolio_impact([]).reason == "no experiment has a total yet"
