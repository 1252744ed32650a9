"""Numbers, money and times as a person reads them, aloud too. Nothing here touches Streamlit."""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from math import floor, log10
from typing import Final

from rallyuxr.models import Interval
from rallyuxr.models.currency import SYMBOLS, minor_digits

MINUS: Final = "\u2212"
ABSENT: Final = "—"
SHORT_ID: Final = 6
_SPOKEN: Final = {"%": "percentage point", "$": "dollar", "€": "euro", "£": "pound", "¥": "yen"}
_MARKUP: Final = re.compile(r"[\\`*_\[\]<>$#~|]|:(?=[\w/+-]+[:\[])")
_HYPHEN: Final = re.compile(r"(?<![\w.,)])-(?=(?:[$€£¥]|[A-Z]{3}\s?)?\d)")
_NAMED: Final = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))
_SUFFIXES: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k"))


def money(amount: float | Decimal | None, currency: str = "USD", *, signed: bool = False) -> str:
    """An amount in its currency, to its minor unit below a thousand and to the whole above.

    >>> money(1234567.8), money(-45.2), money(1234.4, "JPY"), money(0.1234, "BHD"), money(12, "EUR", signed=True)
    ('$1,234,568', '−$45.20', '¥1,234', 'BHD\\xa00.123', '+€12.00')
    """
    if amount is None:
        return ABSENT
    size = abs(float(amount))
    text = f"{size:,.{minor_digits(currency) if size < 1000 else 0}f}"
    sign = _sign(amount, signed) if text.strip("0.,") else ""
    return sign + currency_mark(currency) + text


def short_money(amount: float | None, currency: str = "USD", *, signed: bool = False) -> str:
    """An amount in three digits, for axes and headlines.

    >>> short_money(1234567), short_money(-23456.0), short_money(812.5)
    ('$1.23M', '−$23.5k', '$812.50')
    """
    if amount is None:
        return ABSENT
    for size, suffix in _SUFFIXES:
        if abs(amount) >= size:
            unit = size if suffix != "k" else 1e3
            return _sign(amount, signed) + currency_mark(currency) + f"{_digits(abs(amount) / unit)}{suffix}"
    return money(amount, currency, signed=signed)


def about(amount: float | None, currency: str = "USD", *, signed: bool = False) -> str:
    """An amount that is a projection: three digits, the size in a word.

    >>> about(1362307.0), about(-627836.0), about(2096778.0, "EUR", signed=True), about(81.25)
    ('$1.36 million', '−$628,000', '+€2.1 million', '$81.25')
    """
    if amount is None or abs(amount) < 1000:
        return money(amount, currency, signed=signed)
    rounded = float(f"{abs(amount):.3g}")
    size, name = next(((size, f" {name}") for size, name in _NAMED if rounded >= size), (1.0, ""))
    return _sign(amount, signed) + currency_mark(currency) + _digits(rounded / size) + name


def about_interval(interval: Interval | None, currency: str = "USD") -> str:
    """Both bounds of a projection.

    >>> about_interval(Interval(lower=-627836, upper=2096778))
    '−$628,000 to $2.1 million'
    """
    if interval is None:
        return ABSENT
    return f"{about(interval.lower, currency)} to {about(interval.upper, currency)}"


def price(amount: Decimal, currency: str = "USD") -> str:
    """A price with every digit it has, and at least the currency's own.

    >>> price(Decimal("0.0125")), price(Decimal("1500")), price(Decimal("3"), "JPY")
    ('$0.0125', '$1,500.00', '¥3')
    """
    exponent = amount.normalize().as_tuple().exponent
    digits = max(minor_digits(currency), -exponent if isinstance(exponent, int) else 0)
    exact = abs(amount).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    return _sign(amount, False) + currency_mark(currency) + f"{exact:,f}"


def money_interval(interval: Interval | None, currency: str = "USD") -> str:
    """Both bounds, in words a screen reader reads well.

    >>> money_interval(Interval(lower=-120, upper=4500))
    '−$120.00 to $4,500'
    """
    if interval is None:
        return ABSENT
    return f"{money(interval.lower, currency)} to {money(interval.upper, currency)}"


def change(value: float | None, unit: str) -> str:
    """An effect, already in its metric's unit; a difference of percentages is in percentage points.

    >>> change(0.6, "%"), change(-0.25, "$"), change(3.14159, "seconds"), change(None, "%")
    ('+0.6 percentage points', '−$0.25', '+3.14 seconds', '—')
    """
    if value is None:
        return ABSENT
    return _in_unit(value, "percentage points" if unit == "%" else unit, signed=True)


def level(value: float | None, unit: str) -> str:
    """A mean, already in its metric's unit, in a digit more than a change so that the difference can be checked.

    >>> level(12.3456, "%"), level(45.1, "$"), level(1830.25, "seconds")
    ('12.35%', '$45.10', '1,830 seconds')
    """
    if value is None:
        return ABSENT
    return f"{_digits(value, 4)}%" if unit == "%" else _in_unit(value, unit, digits=4)


def change_interval(lower: float | None, upper: float | None, unit: str) -> str:
    """Both bounds of an effect in its metric's unit, the unit named once.

    >>> change_interval(0.1, 1.1, "%"), change_interval(-0.25, 1, "$")
    ('+0.1 to +1.1 percentage points', '−$0.25 to +$1.00')
    """
    if lower is None or upper is None:
        return ABSENT
    if unit in SYMBOLS.values():
        return f"{change(lower, unit)} to {change(upper, unit)}"
    return f"{_sign(lower, True)}{_digits(abs(lower))} to {change(upper, unit)}"


def one(unit: str) -> str:
    """What a price is for: one of a unit.

    >>> one("%"), one("seconds"), one("$"), one("press")
    ('percentage point', 'second', 'dollar', 'press')
    """
    if unit in _SPOKEN:
        return _SPOKEN[unit]
    return unit[:-1] if unit.endswith("s") and not unit.endswith("ss") else unit


def per(unit: str, exposure: str) -> str:
    """What a price is for, after "per": a unit, and each participant or day where it multiplies.

    >>> per("%", "participant"), per("seconds", "day"), per("$", "experiment")
    ('per percentage point and participant', 'per second and day', 'per dollar over the experiment')
    """
    return f"per {one(unit)} " + ("over the experiment" if exposure == "experiment" else f"and {exposure}")


def relative(fraction: float | None) -> str:
    """A fraction of the counterfactual mean, in percent.

    >>> relative(0.1024), relative(-0.5)
    ('+10.2%', '−50%')
    """
    return ABSENT if fraction is None else f"{_sign(fraction, True)}{_digits(100 * abs(fraction))}%"


def share(probability: float) -> str:
    """A probability in percent that never reads as certain.

    >>> share(0.974), share(0.99999), share(0.0001)
    ('97%', 'above 99%', 'below 1%')
    """
    if 0.01 <= probability <= 0.99:
        return f"{100 * probability:.0f}%"
    return "above 99%" if probability > 0.5 else "below 1%"


def pvalue(p: float | None) -> str:
    """A p-value that never reads as zero.

    >>> pvalue(0.01234), pvalue(1e-9), pvalue(0.5)
    ('0.012', 'below 0.0001', '0.50')
    """
    if p is None:
        return ABSENT
    if p < 1e-4:
        return "below 0.0001"
    return f"{p:.4f}" if p < 1e-3 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def number(value: float | None) -> str:
    """A count, or a quantity in three digits.

    >>> number(12000.0), number(0.01234), number(None)
    ('12,000', '0.0123', '—')
    """
    return ABSENT if value is None else _sign(value, False) + _digits(abs(value))


def count(number: int, noun: str) -> str:
    """So many of something.

    >>> count(1, "day"), count(1400, "problem")
    ('1 day', '1,400 problems')
    """
    return f"{number:,} {noun}" + "s" * (number != 1)


def hundredths(value: float) -> str:
    """A correlation or the like in two decimals.

    >>> hundredths(-0.314), hundredths(-0.001)
    ('−0.31', '0.00')
    """
    rounded = round(value, 2)
    return f"{_sign(rounded, False)}{abs(rounded):.2f}"


def moment(at: datetime, zone: tzinfo) -> str:
    """A time of day in the reader's zone, which is named.

    >>> from datetime import UTC; moment(datetime(2025, 1, 15, 14, 5, tzinfo=UTC), UTC)
    '15 Jan 2025, 14:05 UTC'
    """
    local = at.astimezone(zone)
    return f"{local.day} {local:%b %Y, %H:%M} {local.tzname()}"


def day(at: datetime, zone: tzinfo) -> str:
    """A calendar day in a zone.

    >>> from datetime import UTC; day(datetime(2025, 1, 5, tzinfo=UTC), UTC)
    '5 Jan 2025'
    """
    local = at.astimezone(zone)
    return f"{local.day} {local:%b %Y}"


def window(start: datetime, end: datetime, zone: tzinfo) -> str:
    """A half-open window: whole UTC days by their first and last, anything else as times in the reader's zone.

    >>> from datetime import UTC; window(datetime(2025, 1, 15, tzinfo=UTC), datetime(2025, 1, 29, tzinfo=UTC), UTC)
    '15 Jan 2025 to 28 Jan 2025 (14 days, UTC)'
    >>> window(datetime(2025, 1, 15, 9, tzinfo=UTC), datetime(2025, 1, 29, tzinfo=UTC), UTC)
    '15 Jan 2025, 09:00 UTC to 29 Jan 2025, 00:00 UTC'
    """
    days = (end - start) / timedelta(days=1)
    if days % 1 or start.astimezone(UTC).time() != time():
        return f"{moment(start, zone)} to {moment(end, zone)}"
    last = end - timedelta(days=1)
    return f"{day(start, UTC)} to {day(last, UTC)} ({count(round(days), 'day')}, UTC)"


def plain(text: str) -> str:
    """Text that Markdown shows as it is: a dollar sign is money, not mathematics.

    >>> plain("worth $5 to $7 [sic]")
    'worth \\\\$5 to \\\\$7 \\\\[sic\\\\]'
    >>> plain("ratio 1:2, at 14:05, :material/home:")
    'ratio 1:2, at 14:05, \\\\:material/home:'
    """
    return _MARKUP.sub(r"\\\g<0>", text)


def said(sentence: str) -> str:
    """A stored sentence as pages say it: its numbers with a minus, which a terminal's text does without.

    >>> said("No effect: -$12 over 14 days (95% interval -$30.50 to -2); since 2025-01-15, a one-off of 3-4.")
    'No effect: −$12 over 14 days (95% interval −$30.50 to −2); since 2025-01-15, a one-off of 3-4.'
    """
    return _HYPHEN.sub(MINUS, sentence)


def told_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Names by id, of which no two read alike: namesakes have as much of their ids behind them as it takes.

    A list on a page hands back the text of what was chosen, so that one of two namesakes would open the other.

    >>> told_apart({"tea-1": "Tea", "tea-2": "Tea", "9f3c21": "Coffee"})
    {'tea-1': 'Tea (tea-1)', 'tea-2': 'Tea (tea-2)', '9f3c21': 'Coffee'}
    """
    counts = Counter(names.values())
    shared = {one for one, name in names.items() if counts[name] > 1}
    length = SHORT_ID
    while len({one[:length] for one in shared}) < len(shared):
        length += 1
    return {one: f"{name} ({one[:length]})" if one in shared else name for one, name in names.items()}


def words(name: str) -> str:
    """An identifier as words, capital first.

    >>> words("no_detectable_effect")
    'No detectable effect'
    """
    return name.replace("_", " ").capitalize()


def _sign(value: float | Decimal, signed: bool) -> str:
    return MINUS if value < 0 else "+" if signed and value > 0 else ""


def currency_mark(currency: str) -> str:
    """What stands before an amount: a symbol, or the code and a space that does not break."""
    return SYMBOLS.get(currency, f"{currency}\u00a0")


def _digits(value: float, significant: int = 3) -> str:
    """So many significant digits, all whole ones, no trailing zeros after the point."""
    if value == 0:
        return "0"
    decimals = min(max(0, significant - 1 - floor(log10(abs(value)))), 12)
    text = f"{value:,.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", MINUS)


def _in_unit(value: float, unit: str, *, signed: bool = False, digits: int = 3) -> str:
    mark = _sign(value, signed)
    if unit in SYMBOLS.values():
        return f"{mark}{unit}" + (f"{abs(value):.2f}" if 0.1 <= abs(value) < 1000 else _digits(abs(value)))
    return f"{mark}{_digits(abs(value), digits)} {unit}"
