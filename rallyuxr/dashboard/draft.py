"""The draft of a new experiment: what is typed, kept over reruns and pages, and read into one checked plan."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, get_args

import streamlit as st
from pydantic import ValidationError

from rallyuxr.dashboard.templates import TEMPLATES
from rallyuxr.models import CreateExperiment
from rallyuxr.models.experiment import OrderMeasure

PREFIX = "plan "
PLAN = "plan"
"""The field of a problem that no one field has."""
SENTENCES = {
    "name": "Give it a name of at most 200 letters.",
    "description": "At most 1,000 letters.",
    "metrics": "Choose 1 to 10 metrics; their ids are lower-case letters and underscores.",
    "currency": "Three capital letters, such as USD, EUR or JPY.",
    "endDate": "The last day must not be before the first, nor more than two years after it.",
    "orders": "Choose merchants; where treated merchants stand against the others, some but not all are treated.",
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


def fill(name: str) -> None:
    """Type a template into the form; what it does not say stays as it was."""
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


def usual_measure(metric_id: str) -> str:
    """What a metric of this id most likely measures on orders.

    >>> usual_measure("average_order_value"), usual_measure("conversion_rate"), usual_measure("orders")
    ('average_order_value', 'conversion', 'orders_per_hour')
    """
    measures: tuple[str, ...] = get_args(OrderMeasure)
    return next((one for one in measures if metric_id.startswith(one)), measures[0])


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
        "measures": {metric_id: value(f"measure {metric_id}", usual_measure(metric_id)) for metric_id in chosen},
    }
