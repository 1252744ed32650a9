"""Pricing a metric for the first time."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, get_args

import streamlit as st
from pydantic import ValidationError

from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard import session, widgets
from rallyuxr.dashboard.price_history import PER, sentence
from rallyuxr.errors import InvalidInput, RallyError
from rallyuxr.models import CreateMetricValue
from rallyuxr.models.metric_value import CATEGORIES, ValueType
from rallyuxr.services import metric_values

DONE, FAILED = "outcome of the new metric", "failure of the new metric"
EXPOSURES = {
    "experiment": "the experiment as a whole: change × price is the impact",
    "participant": "each treated participant: change × price × participants",
    "day": "each day: change × price × days",
}
DIRECTIONS = {"higher_is_better": "More is better", "lower_is_better": "Less is better"}
PRICE_HELP = (
    "Money for one unit. For a conversion rate in %: if one more percentage point brings 200 more orders in the "
    "experiment, each with $10 of margin, enter 2000."
)
UNIT_HELP = (
    "What one unit is called, such as %, $, seconds. A metric in % stores fractions: 0.032 is read as 3.2 %."
)


def announce() -> None:
    """What became of the last metric that was to be priced."""
    if outcome := st.session_state.pop(DONE, None):
        st.success(f.plain(outcome), icon=":material/check:")
    if error := st.session_state.pop(FAILED, None):
        widgets.failure(error)


def create() -> None:
    """A form for a metric without a price."""
    st.text_input("Id", key="new id", placeholder="conversion_rate", help="Lower-case letters and underscores.")
    st.text_input("Name", key="new name", placeholder="Conversion rate")
    st.text_input("Unit", key="new unit", placeholder="%", help=UNIT_HELP)
    st.number_input("Price of one unit", key="new price", min_value=0.0, value=None, format="%g", help=PRICE_HELP)
    st.text_input("Currency", key="new currency", value="USD", help="Three letters, such as USD, EUR, JPY.")
    st.selectbox("The price is for", list(EXPOSURES), format_func=EXPOSURES.__getitem__, key="new exposure")
    _example()
    st.radio(
        "Direction", list(DIRECTIONS), format_func=DIRECTIONS.__getitem__, key="new direction", horizontal=True
    )
    st.selectbox("Kind of value", get_args(ValueType), format_func=f.words, key="new kind")
    st.selectbox("Category", CATEGORIES, format_func=f.words, key="new category")
    st.text_area("How the price was found", key="new description", help="10 to 500 letters; shown with results.")
    st.button("Create", type="primary", on_click=_attempt)


def _example() -> None:
    """What the typed price makes of a change of two units."""
    state: Any = st.session_state
    unit, amount = state["new unit"].strip(), state["new price"]
    if unit and amount:
        worth = f.price(2 * Decimal(str(amount)), state["new currency"].strip().upper())
        of = "2 percentage points" if unit == "%" else f"2 {f.one(unit)}s"
        st.caption(f.plain(f"For example: a change of {of} would count {worth} {PER[state['new exposure']]}."))


def _create() -> str:
    session.require("admin")
    state: Any = st.session_state
    fields = {
        "metricId": state["new id"].strip(),
        "name": state["new name"].strip(),
        "unit": state["new unit"].strip(),
        "dollarsPerUnit": state["new price"],
        "currency": state["new currency"].strip().upper(),
        "exposure": state["new exposure"],
        "direction": state["new direction"],
        "valueType": state["new kind"],
        "category": state["new category"],
        "description": state["new description"].strip(),
    }
    made = metric_values.create_metric_value(session.context(), _validated(fields))
    return f"{made.name} is priced. {sentence(made)}"


def _validated(fields: Mapping[str, Any]) -> CreateMetricValue:
    try:
        return CreateMetricValue.from_json(fields)
    except ValidationError as error:
        problems = [
            f"{f.words('_'.join(map(str, each['loc'])))}: {each['msg'].removeprefix('Value error, ')}"
            for each in error.errors()
        ]
        raise InvalidInput("; ".join(problems) + ".") from None


def _attempt() -> None:
    """Run the button's action; the page says what came of it."""
    try:
        st.session_state[DONE] = _create()
    except RallyError as error:
        st.session_state[FAILED] = error
