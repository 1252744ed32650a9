"""Sentences: the number, its interval, its money, the main doubt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyuxr.models import Interval
from rallyuxr.verdict import Reading, money_text, outcome_of, verdict


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (0, "USD", "$0.00"),
        (-0.001, "USD", "$0.00"),
        (-12.5, "USD", "-$12.50"),
        (1234567.8, "EUR", "€1,234,568"),
        (99.6, "JPY", "¥100"),
        (12, "SEK", "SEK 12.00"),
        (12, "KRW", "₩12"),
        (1.5, "KWD", "KWD 1.500"),
        (7.4, "VUV", "VUV 7"),
    ],
)
def test_money_reads_as_people_write_it(amount, currency, text):
    assert money_text(amount, currency) == text


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_better_and_worse_exactly_where_zero_is_outside(middle, half):
    outcome = outcome_of(Interval(lower=middle - half, upper=middle + half))
    assert (outcome in ("better", "worse")) == (middle - half > 0 or middle + half < 0)


def reading(lower, upper):
    return Reading((lower + upper) / 2, Interval(lower=lower, upper=upper), "+1 point", "a to b")


@pytest.mark.parametrize(
    ("bounds", "expected", "outcome", "matches"),
    [
        ((1, 2), "positive", "better", True),
        ((1, 2), "negative", "better", False),
        ((-2, -1), "negative", "worse", True),
        ((-1, 1), "neutral", "no_detectable_effect", True),
        ((-1, 1), "positive", "no_detectable_effect", False),
    ],
)
def test_the_expectation_is_compared(bounds, expected, outcome, matches):
    found = verdict(reading(*bounds), confidence_level=0.9, expected=expected)
    assert (found.outcome, found.matches_expectation) == (outcome, matches)
    assert "90% interval a to b" in found.sentence
    assert (", as expected" in found.sentence) == matches


def test_without_an_interval_one_cannot_tell_and_says_why():
    found = verdict(None, confidence_level=0.95, expected="positive", reason="one hour of data")
    assert found.outcome == "cannot_tell"
    assert found.matches_expectation is None
    assert found.sentence == "Cannot tell: one hour of data."


def test_money_and_doubt_are_in_the_sentence():
    found = verdict(
        reading(1, 3), confidence_level=0.95, expected="positive", worth="$12", doubt="it was a holiday"
    )
    assert found.sentence == (
        "Better, as expected: +1 point, worth $12 (95% interval a to b). Main doubt: it was a holiday."
    )
