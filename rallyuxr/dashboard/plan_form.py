"""The form of a new experiment: keyed widgets over its draft, each with its mistakes beside it."""

from collections.abc import Mapping
from typing import get_args

import streamlit as st

from rallyuxr.dashboard import draft
from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard.draft import SENTENCES, key, value
from rallyuxr.dashboard.templates import TEMPLATES
from rallyuxr.models import MetricValue
from rallyuxr.models.experiment import MAX_METRICS, ExpectedOutcome, Role

ROLE_HELP = (
    "Primary metrics decide, and their p-values are adjusted for their number. Guardrails must not get worse than "
    "their margin. Secondary metrics explain."
)


def templates() -> None:
    """A button for each template; it fills the form and changes nothing else."""
    st.caption("Start from a template, or type below.")
    with st.container(horizontal=True):
        for name, template in TEMPLATES.items():
            st.button(template.title, icon=template.icon, on_click=draft.fill, args=(name,), key=f"template {name}")


def what(found: Mapping[str, str]) -> None:
    """What is changed and what is expected of it."""
    st.text_input("Name", key=key("name"), persist_state="session", max_chars=200, placeholder="One-page checkout")
    problem(found, "name")
    st.text_area(
        "What is changed, against what", key=key("description"), persist_state="session", max_chars=1000, height=80
    )
    problem(found, "description")
    st.radio(
        "Expected outcome",
        get_args(ExpectedOutcome),
        format_func=f.words,
        key=key("expected"),
        persist_state="session",
        horizontal=True,
    )


def metrics(prices: Mapping[str, MetricValue], found: Mapping[str, str]) -> None:
    """What is watched, each metric with its role."""
    chosen = st.multiselect(
        "Metrics",
        sorted({*prices, *value("metrics", [])}),
        key=key("metrics"),
        persist_state="session",
        max_selections=MAX_METRICS,
        accept_new_options=True,
        placeholder="Choose, or type a new id such as conversion_rate",
        help="Up to ten. A metric without a price is analysed too; its dollars are absent until it has one.",
    )
    problem(found, "metrics")
    for metric_id in chosen:
        name, role, margin = st.columns([3, 2, 2], vertical_alignment="bottom")
        price = prices.get(metric_id)
        name.markdown(f"**{f.plain(price.name if price else metric_id)}**")
        name.caption(
            f.plain(f"{f.price(price.dollars_per_unit, price.currency)} {f.per(price.unit, price.exposure)}")
            if price
            else "no price yet"
        )
        st.session_state.setdefault(key(f"role {metric_id}"), "primary")
        picked = role.selectbox(
            "Role",
            get_args(Role),
            format_func=f.words,
            key=key(f"role {metric_id}"),
            persist_state="session",
            help=ROLE_HELP,
        )
        if picked == "guardrail":
            margin.number_input(
                "Margin",
                min_value=0.0,
                value=None,
                format="%g",
                key=key(f"margin {metric_id}"),
                persist_state="session",
                help="How much worse it may become, in its unit, and still pass. Empty: it must not get worse.",
            )


def when() -> None:
    """The window, its baseline, and whether both hold whole weeks."""
    first, last, baseline = st.columns(3)
    first.date_input("First day (UTC)", key=key("first day"), persist_state="session")
    last.date_input("Last day (UTC)", key=key("last day"), persist_state="session")
    baseline.number_input(
        "Baseline, days before",
        min_value=0,
        max_value=365,
        key=key("baseline"),
        persist_state="session",
        help="What both arms did before the start. Without it the result is a difference in means.",
    )
    days = (value("last day") - value("first day")).days + 1
    uneven = [
        f"the {what} has {f.count(count, 'day')}"
        for what, count in (("experiment", days), ("baseline", value("baseline")))
        if count % 7
    ]
    if days < 1:
        st.markdown(f":material/error: {SENTENCES['endDate']}")
    elif uneven:
        st.markdown(
            f":material/info: {' and '.join(uneven)}. Whole weeks are safer: weekdays weigh alike before and after."
        )
    else:
        st.caption(f"{days} days after {f.count(value('baseline'), 'day')} of baseline: whole weeks.")


def money(found: Mapping[str, str]) -> None:
    """Cost, currency, and how an observed effect is carried on."""
    cost, currency, confidence = st.columns(3)
    cost.number_input(
        "Cost (optional)",
        min_value=0.0,
        value=None,
        format="%g",
        key=key("cost"),
        persist_state="session",
        help="What the change cost to make and run. Without it no return on it is shown.",
    )
    currency.text_input(
        "Currency", key=key("currency"), persist_state="session", max_chars=3, help="Three letters: USD, EUR, JPY."
    )
    confidence.selectbox(
        "Confidence",
        [80, 90, 95, 99],
        format_func=lambda level: f"{level} %",
        key=key("confidence"),
        persist_state="session",
    )
    for field in ("cost", "currency"):
        problem(found, field)
    with st.expander("Projection", icon=":material/trending_up:"):
        recurring = st.toggle(
            "The effect goes on after the experiment",
            key=key("recurring"),
            persist_state="session",
            help="Off for a one-off campaign.",
        )
        if recurring:
            horizon, coverage, decay = st.columns(3)
            horizon.number_input(
                "Days ahead", min_value=1, max_value=3650, key=key("horizon"), persist_state="session"
            )
            coverage.number_input(
                "Coverage",
                min_value=0.01,
                max_value=1000.0,
                key=key("coverage"),
                persist_state="session",
                help="All future traffic over the traffic that was treated: 2 if half of it was.",
            )
            decay.number_input(
                "Lost in a year",
                min_value=0.0,
                max_value=0.99,
                step=0.05,
                key=key("decay"),
                persist_state="session",
            )


def problem(found: Mapping[str, str], field: str) -> None:
    """What is wrong with a field, beside it; said from the first attempt to create on."""
    if field in found and value("attempted"):
        st.markdown(f":material/error: {f.plain(found[field])}")
