"""The form of a new experiment: keyed widgets, kept over reruns and pages, read into one checked plan."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, get_args

import streamlit as st
from pydantic import ValidationError

from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard.templates import TEMPLATES
from rallyuxr.models import CreateExperiment, MetricValue
from rallyuxr.models.experiment import MAX_METRICS, ExpectedOutcome, Role

PREFIX = "plan "
ROLE_HELP = (
    "Primary metrics decide, and their p-values are adjusted for their number. Guardrails must not get worse than "
    "their margin. Secondary metrics explain."
)
PLAN = "plan"
"""The field of a problem that no one field has."""
SENTENCES = {
    "name": "Give it a name of at most 200 letters.",
    "description": "At most 1,000 letters.",
    "metrics": "Choose 1 to 10 metrics; their ids are lower-case letters and underscores.",
    "currency": "Three capital letters, such as USD, EUR or JPY.",
    "endDate": "The last day must not be before the first, nor more than two years after it.",
    "orders": "Choose merchants, of which some but not all are treated where merchants are the arms.",
}


def key(name: str) -> str:
    """The session's key of a field."""
    return PREFIX + name


def value(name: str, default: Any = None) -> Any:
    """What a field holds now."""
    return st.session_state.get(key(name), default)


def begin() -> None:
    """Set what is not typed yet. What is typed stays for the session, on other pages too."""
    today = datetime.now(UTC).date()
    defaults = {
        "name": "",
        "description": "",
        "metrics": [],
        "first day": today - timedelta(days=14),
        "last day": today - timedelta(days=1),
        "baseline": 14,
        "expected": "positive",
        "confidence": 95,
        "currency": "USD",
        "recurring": True,
        "horizon": 365,
        "coverage": 1.0,
        "decay": 0.0,
        "source": "upload",
    }
    for name, default in defaults.items():
        st.session_state.setdefault(key(name), default)


def clear() -> None:
    """Forget what was typed: the experiment is created."""
    for name in [name for name in st.session_state if str(name).startswith(PREFIX)]:
        del st.session_state[name]


def templates() -> None:
    """A button for each template; it fills the form and changes nothing else."""
    st.caption("Start from a template, or type below.")
    with st.container(horizontal=True):
        for name, template in TEMPLATES.items():
            st.button(template.title, icon=template.icon, on_click=_fill, args=(name,), key=f"template {name}")


def _fill(name: str) -> None:
    template = TEMPLATES[name]
    last = datetime.now(UTC).date() - timedelta(days=1)
    filled: dict[str, Any] = {
        "name": template.name,
        "description": template.description,
        "metrics": list(template.metrics),
        "first day": last - timedelta(days=7 * template.weeks - 1),
        "last day": last,
        "baseline": 14,
        "expected": template.expected,
        "recurring": template.recurring,
        "source": "simulator",
        "template": name,
    }
    for metric_id, role in template.metrics.items():
        filled[f"role {metric_id}"] = role
    for metric_id, planted in template.simulated.items():
        filled |= {
            f"baseline of {metric_id}": planted.baseline,
            f"effect of {metric_id}": planted.effect,
            f"kind of {metric_id}": planted.kind,
        }
    st.session_state.update({key(field): filling for field, filling in filled.items()})


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
            f.plain(f"{f.price(price.dollars_per_unit, price.currency)} per {f.one(price.unit)}")
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
        f"the {what} has {count} days"
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
        st.caption(f"{days} days after {value('baseline')} days of baseline: whole weeks.")


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


def plan() -> tuple[CreateExperiment | None, dict[str, str]]:
    """The checked plan, or what is wrong by field, in the contract's names."""
    try:
        return CreateExperiment.from_json(_fields()), {}
    except ValidationError as error:
        return None, {
            field: SENTENCES.get(field, each["msg"].removeprefix("Value error, "))
            for each in error.errors()
            for field in [_field(each["loc"], each["msg"])]
        }


def problem(found: Mapping[str, str], field: str) -> None:
    """What is wrong with a field, beside it; said from the first attempt to create on."""
    if field in found and value("attempted"):
        st.markdown(f":material/error: {f.plain(found[field])}")


def _field(place: tuple[int | str, ...], message: str) -> str:
    """Which field a problem belongs to; a problem of several fields says in its words which."""
    if place:
        return str(place[0])
    return next((name for name in ("endDate", "orders", "simulation", "metrics") if name in message), PLAN)


def _fields() -> dict[str, Any]:
    chosen: list[str] = value("metrics", [])
    start = datetime.combine(value("first day"), time(), tzinfo=UTC)
    end = datetime.combine(value("last day"), time(), tzinfo=UTC) + timedelta(days=1)
    cost = value("cost")
    return {
        "name": value("name").strip(),
        "description": value("description").strip(),
        "metrics": chosen,
        "startDate": start,
        "endDate": end,
        "expectedOutcome": value("expected"),
        "dataSource": value("source"),
        "baselineDays": value("baseline"),
        "confidenceLevel": value("confidence"),
        "cost": Decimal(str(cost)) if cost else None,
        "currency": value("currency").strip().upper(),
        "metricPlans": {metric_id: _metric_plan(metric_id) for metric_id in chosen},
        "projection": {
            "recurring": value("recurring"),
            "horizonDays": value("horizon", 365),
            "coverage": value("coverage", 1.0),
            "annualDecay": value("decay", 0.0),
        },
        "simulation": _simulation(chosen) if value("source") == "simulator" else None,
        "orders": _orders(chosen) if value("source") == "orders" else None,
    }


def _metric_plan(metric_id: str) -> dict[str, Any]:
    role = value(f"role {metric_id}", "primary")
    margin = value(f"margin {metric_id}") if role == "guardrail" else None
    return {"role": role, "nonInferiorityMargin": margin or None}


def _simulation(chosen: list[str]) -> dict[str, Any]:
    planted = {
        metric_id: {
            "baseline": value(f"baseline of {metric_id}"),
            "effect": value(f"effect of {metric_id}", 0.0),
            "kind": value(f"kind of {metric_id}", "mean"),
        }
        for metric_id in chosen
        if value(f"baseline of {metric_id}") is not None
    }
    return {"seed": value("seed", 1), "participantsPerHour": value("participants", 1000), "metrics": planted}


def _orders(chosen: list[str]) -> dict[str, Any]:
    by = value("arms from", "arm")
    return {
        "by": by,
        "merchants": value("merchants", []),
        "treatedMerchants": value("treated merchants", []) if by == "merchant" else [],
        "measures": {metric_id: value(f"measure {metric_id}", "orders_per_hour") for metric_id in chosen},
    }
