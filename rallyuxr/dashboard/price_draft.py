"""Prices that are typed and not saved yet: kept for the session, each with the version that it was typed over."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import streamlit as st

from rallyuxr.errors import InvalidInput
from rallyuxr.models import MetricValue
from rallyuxr.services.metric_values import repriced


class Seen(NamedTuple):
    """What stood in the field when its editor began."""

    version: int
    amount: float


@dataclass(frozen=True, slots=True)
class Draft:
    """A stored price, the one typed instead, and the version that its editor saw.

    `problem` says why the typed price cannot be saved; None where it can.
    """

    price: MetricValue
    proposed: Decimal
    seen: int
    problem: str | None

    @property
    def overtaken(self) -> bool:
        """Whether someone else saved another price meanwhile."""
        return self.seen != self.price.version

    @property
    def ready(self) -> bool:
        """Whether it can be saved as it is."""
        return self.problem is None and not self.overtaken


def field(price: MetricValue) -> str:
    """The session's key of the price's field."""
    return f"price of {price.metric_id}"


def reason(price: MetricValue) -> str:
    """The session's key of the field for why it changes."""
    return f"reason {price.metric_id}"


def follow(prices: Iterable[MetricValue]) -> None:
    """Let every field that nobody typed into, or that was emptied, hold the stored price.

    A field that holds it already is left alone: whatever is assigned replaces what the reader is typing there.
    """
    for price in prices:
        typed, seen = st.session_state.get(field(price)), st.session_state.get(_seen(price))
        stored = float(price.dollars_per_unit)
        if seen is None or typed in (None, seen.amount, stored):
            _see(price)
            if typed != stored:
                st.session_state[field(price)] = stored


def put(price: MetricValue, amount: float) -> None:
    """Put a price into the field, for an editor who knows the stored one."""
    st.session_state[field(price)] = amount
    _see(price)


def drop(price: MetricValue) -> None:
    """Forget what was typed."""
    put(price, float(price.dollars_per_unit))
    st.session_state[reason(price)] = ""


def draft(price: MetricValue) -> Draft | None:
    """What is typed instead of the stored price; None where that stands."""
    typed = st.session_state[field(price)]
    if typed == float(price.dollars_per_unit):
        return None
    proposed = Decimal(f"{typed:.15g}")
    return Draft(price, proposed, st.session_state[_seen(price)].version, _problem(price, proposed))


def drafts(prices: Iterable[MetricValue]) -> tuple[Draft, ...]:
    """Every change that is typed and not saved, whether its field is shown or not."""
    return tuple(found for price in prices if (found := draft(price)))


def _seen(price: MetricValue) -> str:
    return f"price seen {price.metric_id}"


def _see(price: MetricValue) -> None:
    st.session_state[_seen(price)] = Seen(price.version, float(price.dollars_per_unit))


def _problem(price: MetricValue, proposed: Decimal) -> str | None:
    """The rule that the price breaks, in words."""
    if not proposed:
        return "A price is more than zero"
    if price.validation_rules and (broken := price.validation_rules.problem(proposed)):
        return broken
    try:
        repriced(price, proposed)
    except InvalidInput as error:
        return error.message
    return None
