"""Portfolio sums: order, shrinkage, and the winner's curse by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyuxr.portfolio import Impact, portfolio_impact

impacts = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0.1, 1e6)), min_size=3, max_size=12).map(
    lambda rows: [Impact(f"e{row:02d}", total, error) for row, (total, error) in enumerate(rows)]
)


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
    assert "3 experiments at least" in found.reason


def test_nothing_is_zero_with_a_reason():
    assert portfolio_impact([]).reason == "no experiment has a total yet"
