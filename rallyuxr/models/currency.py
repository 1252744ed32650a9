"""Amounts, their currency's sign and its smallest unit: cents of a dollar, whole yen, fils of a Bahraini dinar."""

from decimal import Decimal

from rallyuxr.errors import InvalidInput

_DIGITS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩"}
"""Signs that are read as one currency; every other one is written with its code."""


def minor_digits(currency: str) -> int:
    """Decimal places of the currency (ISO 4217); two unless it is one of the exceptions.

    >>> minor_digits("USD"), minor_digits("JPY"), minor_digits("BHD")
    (2, 0, 3)
    """
    return _DIGITS.get(currency, 2)


def to_minor(amount: Decimal, currency: str) -> int:
    """The amount as a whole number of the currency's smallest unit.

    Raises:
        InvalidInput: the amount has more decimal places than the currency.

    >>> to_minor(Decimal("19.90"), "USD")
    1990
    """
    scaled = amount.scaleb(minor_digits(currency))
    if scaled != scaled.to_integral_value():
        raise InvalidInput(
            f"{amount} {currency} has more than {minor_digits(currency)} decimal places; round it first"
        )
    return int(scaled)


def from_minor(units: int, currency: str, power: int = 1) -> Decimal:
    """The amount of so many smallest units; `power=2` reads a sum of squares.

    >>> from_minor(1990, "USD"), from_minor(1990, "JPY")
    (Decimal('19.90'), Decimal('1990'))
    """
    return Decimal(units).scaleb(-power * minor_digits(currency))
