"""What an interval says, in one plain sentence with the number, its bounds and the main doubt."""

from decimal import Decimal
from typing import NamedTuple

from rallyuxr.models.analysis import Interval, Outcome, Verdict
from rallyuxr.models.currency import SYMBOLS, minor_digits
from rallyuxr.models.experiment import ExpectedOutcome

CENTS_BELOW = 1_000
EXPECTED: dict[ExpectedOutcome, Outcome] = {
    "positive": "better",
    "negative": "worse",
    "neutral": "no_detectable_effect",
}


class Reading(NamedTuple):
    """A number with its bounds, oriented so that more is better, and how to say each of them."""

    value: float
    bounds: Interval
    value_text: str
    bounds_text: str


def money_text(amount: float | Decimal, currency: str) -> str:
    """An amount with its currency; cents only where they matter.

    Examples
    --------
    >>> money_text(-12345.6, "USD"), money_text(3.5, "EUR"), money_text(1234.5, "JPY"), money_text(7, "KWD")
    ('-$12,346', '€3.50', '¥1,234', 'KWD 7.000')
    """
    size = abs(float(amount))
    digits = minor_digits(currency) if size < CENTS_BELOW else 0
    symbol = SYMBOLS.get(currency, f"{currency} ")
    number = f"{size:,.{digits}f}"
    sign = "-" if amount < 0 and any(digit not in "0.," for digit in number) else ""
    return f"{sign}{symbol}{number}"


def effect_text(change: float, unit: str) -> str:
    """A change in a metric's unit; a change of a percentage is in percentage points.

    Examples
    --------
    >>> effect_text(0.6, "%"), effect_text(-2.5, "$"), effect_text(12, "seconds"), effect_text(1.23456, "")
    ('+0.6 percentage points', '-$2.5', '+12 seconds', '+1.235')
    """
    number = signed_number(change)
    if unit in SYMBOLS.values():
        return f"{number[0]}{unit}{number[1:]}"
    name = "percentage points" if unit == "%" else unit
    return f"{number} {name}".rstrip()


def signed_number(value: float) -> str:
    """A number to four digits with its sign.

    Examples
    --------
    >>> signed_number(0.00123456), signed_number(-1234567.8)
    ('+0.001235', '-1,234,568')
    """
    return f"{value:+,.4g}" if abs(value) < 10_000 else f"{value:+,.0f}"


def outcome_of(bounds: Interval | None) -> Outcome:
    """What bounds, oriented so that more is better, say about zero.

    Examples
    --------
    >>> outcome_of(Interval(lower=1, upper=2)), outcome_of(Interval(lower=-1, upper=2)), outcome_of(None)
    ('better', 'no_detectable_effect', 'cannot_tell')
    """
    if bounds is None:
        return "cannot_tell"
    if bounds.lower > 0:
        return "better"
    return "worse" if bounds.upper < 0 else "no_detectable_effect"


def verdict(
    reading: Reading | None,
    *,
    confidence_level: float,
    expected: ExpectedOutcome,
    doubt: str | None = None,
    reason: str | None = None,
    worth: str | None = None,
) -> Verdict:
    """One sentence on a number: better or worse than before, and how sure.

    Parameters
    ----------
    reading
        The number and its bounds, more is better; None where there is no interval.
    doubt
        The most serious thing a diagnostic found.
    reason
        Why there is no reading.
    worth
        The number in money, where it is not money itself.

    Examples
    --------
    >>> found = Reading(0.6, Interval(lower=0.2, upper=1.0), "+0.6 percentage points", "+0.2 to +1.0")
    >>> verdict(found, confidence_level=0.95, expected="positive").sentence
    'Better, as expected: +0.6 percentage points (95% interval +0.2 to +1.0).'
    """
    outcome = outcome_of(reading.bounds if reading else None)
    matches = None if outcome == "cannot_tell" else outcome == EXPECTED[expected]
    if reading is None:
        sentence = f"Cannot tell: {reason or 'the data give no interval'}."
    else:
        price = f", worth {worth}" if worth else ""
        sentence = (
            f"{_opening(outcome, expected)}: {reading.value_text}{price}"
            f" ({confidence_level:.0%} interval {reading.bounds_text})."
        )
    if doubt:
        sentence += f" Main doubt: {doubt}."
    return Verdict(outcome=outcome, sentence=sentence, main_doubt=doubt, matches_expectation=matches)


def _opening(outcome: Outcome, expected: ExpectedOutcome) -> str:
    words = {"better": "Better", "worse": "Worse", "no_detectable_effect": "No detectable effect"}[outcome]
    if outcome == EXPECTED[expected]:
        return f"{words}, as expected"
    hoped = {"positive": "an improvement", "negative": "a loss", "neutral": "no effect"}[expected]
    return f"{words}, though {hoped} was expected"
