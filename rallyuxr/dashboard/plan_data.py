"""Where a new experiment's data comes from: a file, the simulator with its truth, orders, API."""

from collections.abc import Mapping
from typing import get_args

import streamlit as st

from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard import plan_file, session, widgets
from rallyuxr.dashboard.draft import key, usual_measure, value
from rallyuxr.dashboard.plan_form import problem
from rallyuxr.dashboard.reading import Reading
from rallyuxr.ingest import Upload
from rallyuxr.models import CreateExperiment, MetricValue, SimulatedMetric
from rallyuxr.models.experiment import OrderMeasure
from rallyuxr.services import merchants
from rallyuxr.simulation import default_metric

SOURCES = {
    "upload": "File",
    "simulator": "Simulator",
    "orders": "Orders",
    "api": "API, later",
}


def source() -> None:
    """The choice of a source."""
    st.segmented_control(
        "Data from",
        list(SOURCES),
        format_func=SOURCES.__getitem__,
        key=key("source"),
        persist_state="session",
        required=True,
    )


def details(
    plan: CreateExperiment | None, prices: Mapping[str, MetricValue], found: Mapping[str, str]
) -> Upload | None:
    """What the chosen source needs; the inspected file where there is one."""
    chosen = value("source")
    if chosen == "upload":
        return plan_file.upload(plan, prices)
    if chosen == "simulator":
        _simulator(prices)
    elif chosen == "orders":
        _orders(found)
    else:
        st.info("The experiment waits for its data: send it to POST /experiments/{id}/results.")
    return None


def _simulator(prices: Mapping[str, MetricValue]) -> None:
    """What is planted, in stored values; the results page shows whether the interval caught it."""
    widgets.simulated_badge()
    st.caption("Made-up data with an effect that you set, to try the design and to see what its intervals catch.")
    participants, seed = st.columns(2)
    st.session_state.setdefault(key("participants"), 1000)
    st.session_state.setdefault(key("seed"), 1)
    participants.number_input(
        "Participants an hour", min_value=1, max_value=10_000_000, key=key("participants"), persist_state="session"
    )
    seed.number_input(
        "Seed", min_value=0, key=key("seed"), persist_state="session", help="The same seed gives the same data."
    )
    for metric_id in value("metrics", []):
        _planted(metric_id, default_metric(metric_id, value("expected")), prices.get(metric_id))


def _planted(metric_id: str, usual: SimulatedMetric, price: MetricValue | None) -> None:
    for name, default in (("baseline", usual.baseline), ("effect", usual.effect), ("kind", usual.kind)):
        st.session_state.setdefault(key(f"{name} of {metric_id}"), default)
    level, effect, kind = st.columns(3)
    level.number_input(
        f"Mean of {metric_id}", format="%g", key=key(f"baseline of {metric_id}"), persist_state="session"
    )
    effect.number_input(
        f"True effect on {metric_id}", format="%g", key=key(f"effect of {metric_id}"), persist_state="session"
    )
    kinds = get_args(SimulatedMetric.model_fields["kind"].annotation)
    kind.selectbox(
        f"Values of {metric_id}",
        kinds,
        format_func=f.words,
        key=key(f"kind of {metric_id}"),
        persist_state="session",
    )
    before, planted = value(f"baseline of {metric_id}"), value(f"effect of {metric_id}")
    if before is not None and planted is not None:
        st.caption(
            f.plain(f"The truth: {truth(metric_id, before, planted, price)}. The analysis does not know it.")
        )


def truth(metric_id: str, before: float, planted: float, price: MetricValue | None) -> str:
    """A planted effect in words, in the metric's unit where it has one.

    >>> truth("visits", 40.0, 2.0, None), truth("support_contacts", 0.012, 0.0, None)
    ('Visits goes from 40 to 42, +2', 'Support contacts stays at 0.012')
    """
    metric = Reading(price.name, price.unit, price.unit_scale) if price else Reading(f.words(metric_id), "", 1.0)
    level = metric.level if price else f.number
    if not planted:
        return f"{metric.name} stays at {level(before)}"
    return f"{metric.name} goes from {level(before)} to {level(before + planted)}, {metric.change(planted).strip()}"


def _orders(found: Mapping[str, str]) -> None:
    """Which merchants, where the arms come from, and what each metric measures."""
    known = f.told_apart({one.merchant_id: one.name for one in merchants.list_merchants(session.connection())})
    if not known:
        widgets.empty("No merchants yet", "Register one on the page Order form first.")
        return
    chosen = st.multiselect(
        "Merchants", list(known), format_func=known.__getitem__, key=key("merchants"), persist_state="session"
    )
    problem(found, "orders")
    ways = {"arm": "the arm on each order", "merchant": "treated merchants against the others"}
    st.session_state.setdefault(key("arms from"), "arm")
    by = st.radio(
        "Arms are", list(ways), format_func=ways.__getitem__, key=key("arms from"), persist_state="session"
    )
    if by == "merchant":
        st.multiselect(
            "Treated merchants",
            chosen,
            format_func=known.__getitem__,
            key=key("treated merchants"),
            persist_state="session",
        )
    for metric_id in value("metrics", []):
        st.session_state.setdefault(key(f"measure {metric_id}"), usual_measure(metric_id))
        st.selectbox(
            f"{metric_id} measures",
            get_args(OrderMeasure),
            format_func=f.words,
            key=key(f"measure {metric_id}"),
            persist_state="session",
        )
