"""Pricing a metric and changing its price: what is typed, what it would do, and two editors at once."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, get_args

import streamlit as st
from pydantic import ValidationError

from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard import session, widgets
from rallyuxr.dashboard.price_history import MORE, PER, sentence
from rallyuxr.dashboard.tables import html_table
from rallyuxr.errors import InvalidInput, RallyError, VersionConflict
from rallyuxr.models import CreateMetricValue, MetricValue, UpdateMetricValue
from rallyuxr.models.metric_value import CATEGORIES, ValueType
from rallyuxr.services import metric_values, repricing

DONE, FAILED = "outcome of the price", "failure of the price"
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
    """What became of the last change."""
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
    st.button("Create", type="primary", on_click=_attempt, args=(_create,))


def _example() -> None:
    """What the typed price makes of a change of two units."""
    state: Any = st.session_state
    unit, amount = state["new unit"].strip(), state["new price"]
    if unit and amount:
        worth = f.price(2 * Decimal(str(amount)), state["new currency"].strip().upper())
        of = "2 percentage points" if unit == "%" else f"2 {f.one(unit)}s"
        st.caption(f.plain(f"For example: a change of {of} would count {worth} {PER[state['new exposure']]}."))


def change(price: MetricValue) -> None:
    """A new price with its reason, what it would do to every experiment, and saving it under its version."""
    if not session.caller().may("admin"):
        st.info("Only administrators change prices.")
        return
    left, right = st.columns(2)
    with left:
        typed = st.number_input(
            f.plain(f"One {f.one(price.unit)} {MORE[price.direction]} is worth, in {price.currency}"),
            min_value=0.0,
            value=float(price.dollars_per_unit),
            format="%g",
            help=PRICE_HELP,
            key=f"price of {price.metric_id}",
        )
    with right:
        st.text_input("Reason for the change", key=f"reason {price.metric_id}", placeholder="new margin")
    for rule in _rules(price):
        st.caption(rule)
    st.markdown(f.plain(sentence(price)))
    seen = _seen_version(price)
    if seen != price.version:
        _conflict(price, seen)
        return
    proposed = Decimal(str(typed))
    if proposed == price.dollars_per_unit:
        st.caption("Type another price to see what it would do.")
        return
    with widgets.explained():
        _preview(price, proposed)
        st.button("Save this price", type="primary", on_click=_attempt, args=(_save, price, proposed))


def _seen_version(price: MetricValue) -> int:
    """The version that stood here when the editor began."""
    key = f"version seen {price.metric_id}"
    if key not in st.session_state or st.session_state[f"price of {price.metric_id}"] == float(
        price.dollars_per_unit
    ):
        st.session_state[key] = price.version
    return int(st.session_state[key])


def _conflict(price: MetricValue, seen: int) -> None:
    """Someone else was faster: show both prices and let the editor decide."""
    typed = Decimal(str(st.session_state[f"price of {price.metric_id}"]))
    theirs, yours = f.price(price.dollars_per_unit, price.currency), f.price(typed, price.currency)
    st.warning(
        f"{f.plain(price.updated_by or 'Someone')} changed this price to {f.plain(theirs)} while you were typing "
        f"(version {price.version}, you saw {seen}). Yours is {f.plain(yours)}."
    )
    keep, overwrite = st.columns(2)
    keep.button(f"Keep {f.plain(theirs)}", on_click=_take_over, args=(price, float(price.dollars_per_unit)))
    overwrite.button(f"Go on with {f.plain(yours)}", on_click=_take_over, args=(price, float(typed)))


def _take_over(price: MetricValue, amount: float) -> None:
    st.session_state[f"version seen {price.metric_id}"] = price.version
    st.session_state[f"price of {price.metric_id}"] = amount


def _preview(price: MetricValue, proposed: Decimal) -> None:
    preview = repricing.preview_reprice(session.connection(), price.metric_id, proposed)
    active = metric_values.impacted_experiments(session.connection(), price.metric_id)
    st.markdown(
        f"**What {f.plain(f.price(proposed, price.currency))} would do** — {active} active experiments use this "
        "metric. Stored analyses stay as they are; a re-run takes the new price."
    )
    if not preview.experiments:
        st.caption("No experiment with this metric is analysed yet.")
        return
    rows = [
        {
            "Experiment": row.name,
            "Total now": f.money(row.before, price.currency),
            "Interval now": f.money_interval(row.before_interval, price.currency),
            "Total then": f.money(row.after, price.currency),
            "Interval then": f.money_interval(row.after_interval, price.currency),
        }
        for row in preview.experiments
    ]
    st.html(html_table(rows))
    if preview.omitted:
        st.caption(f"{preview.omitted:,} more experiments are not shown.")
    if not preview.complete:
        st.caption("So many experiments use this metric that not all were looked at.")


def _rules(price: MetricValue) -> list[str]:
    rules = price.validation_rules
    if rules is None:
        return []
    parts = {
        "at least {}": rules.min_value and f.price(rules.min_value, price.currency),
        "at most {}": rules.max_value and f.price(rules.max_value, price.currency),
        "{} decimal places": rules.decimal_places,
    }
    stated = ", ".join(text.format(value) for text, value in parts.items() if value is not None)
    return [f"Rules: {f.plain(stated)}."] if stated else []


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


def _save(price: MetricValue, proposed: Decimal) -> str:
    session.require("admin")
    request = UpdateMetricValue(
        dollars_per_unit=proposed,
        change_reason=st.session_state[f"reason {price.metric_id}"].strip() or None,
        expected_version=price.version,
    )
    saved = metric_values.update_metric_value(session.context(), price.metric_id, request)
    return (
        f"{price.name} is now {f.price(proposed, price.currency)} (version {saved.metric.version}), "
        f"before {f.price(saved.previous_value, price.currency)}."
    )


def _attempt(action: Callable[..., str], *arguments: object) -> None:
    """Run a button's action; the page says what came of it, and a conflict is shown beside the field."""
    try:
        st.session_state[DONE] = action(*arguments)
    except VersionConflict:
        pass
    except RallyError as error:
        st.session_state[FAILED] = error
