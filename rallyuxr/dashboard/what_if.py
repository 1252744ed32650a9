"""What if prices, horizon, coverage or cost were different: recomputed from the stored analysis, stored nowhere."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import streamlit as st

from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard import headline, widgets
from rallyuxr.economics import reprice
from rallyuxr.models import EconomicImpact, ExperimentAnalysis, ExperimentDefinition, PriceSnapshot, Projection

HORIZON = (7, 1095)


@st.fragment
def panel(experiment: ExperimentDefinition, analysis: ExperimentAnalysis) -> None:
    """Controls and the impact they give; only this part of the page reruns."""
    stored = _stored(experiment, analysis)
    for key, value in stored.items():
        st.session_state.setdefault(key, value)
    st.caption("Change anything: the impact follows. Nothing is stored, and the analysis stays as it is.")
    inputs, outcome = st.columns([2, 3], gap="large")
    with inputs:
        prices = {
            metric: _price(metric, price, analysis) for metric, price in analysis.metric_values_snapshot.items()
        }
        projection = _projection(analysis)
        cost = _cost(analysis)
        st.button(
            "Back to the stored values",
            icon=":material/undo:",
            on_click=_restore,
            args=(stored,),
            disabled=all(st.session_state[key] == value for key, value in stored.items()),
            help="Sets every input back to what the analysis used.",
        )
    with outcome, widgets.explained():
        impact = reprice(analysis, prices, projection=projection, cost=cost)
        _difference(analysis.economic_impact, impact)
        headline.dollars(impact, experiment.confidence_level, columns=1)


def _key(name: str, analysis: ExperimentAnalysis) -> str:
    """An input's key: another analysis begins with its own values."""
    return f"what if {name} {analysis.analysis_id}"


def _stored(experiment: ExperimentDefinition, analysis: ExperimentAnalysis) -> dict[str, Any]:
    """What every input says for the analysis as it is."""
    planned, cost = experiment.projection, analysis.economic_impact.cost
    values = {
        "recurring": planned.recurring,
        "horizon": min(max(planned.horizon_days, HORIZON[0]), HORIZON[1]),
        "coverage": planned.coverage,
        "decay": round(100 * planned.annual_decay),
        "has cost": cost is not None,
        "cost": None if cost is None else float(cost),
    }
    prices = {
        f"price of {key}": float(price.dollars_per_unit) for key, price in analysis.metric_values_snapshot.items()
    }
    return {_key(name, analysis): value for name, value in {**prices, **values}.items()}


def _restore(stored: Mapping[str, Any]) -> None:
    st.session_state.update(stored)


def _price(metric_id: str, stored: PriceSnapshot, analysis: ExperimentAnalysis) -> PriceSnapshot:
    entered = st.number_input(
        f.plain(f"{stored.name}: {stored.currency} {f.per(stored.unit, stored.exposure)}"),
        min_value=0.0,
        step=10.0 ** (stored.dollars_per_unit.adjusted() - 1),
        format="%.4g",
        help=f.plain(f"Version {stored.version} says {f.price(stored.dollars_per_unit, stored.currency)}."),
        key=_key(f"price of {metric_id}", analysis),
    )
    return stored.model_copy(update={"dollars_per_unit": Decimal(str(entered))})


def _projection(analysis: ExperimentAnalysis) -> Projection:
    recurring = st.toggle(
        "The effect recurs", help="Off for a one-off, such as a campaign.", key=_key("recurring", analysis)
    )
    once = not recurring
    horizon = st.slider("Horizon in days", *HORIZON, disabled=once, key=_key("horizon", analysis))
    coverage = st.number_input(
        "Coverage: all future traffic over the traffic treated",
        0.01,
        1000.0,
        step=0.1,
        disabled=once,
        help="2 where half of the traffic was treated and all of it will be.",
        key=_key("coverage", analysis),
    )
    decay = st.slider(
        "Share of the effect lost in a year", 0, 95, format="%d%%", disabled=once, key=_key("decay", analysis)
    )
    return Projection(recurring=recurring, horizon_days=horizon, coverage=coverage, annual_decay=decay / 100)


def _cost(analysis: ExperimentAnalysis) -> Decimal | None:
    """What the change cost; without one there is no return on it."""
    counted = st.toggle(
        "The change had a cost",
        help="Off: no cost is counted, and there is no return on it.",
        key=_key("has cost", analysis),
    )
    entered = st.number_input(
        f"Cost in {analysis.economic_impact.currency}",
        min_value=0.0,
        step=100.0,
        format="%.12g",
        disabled=not counted,
        placeholder="none entered",
        help="What the change cost to make and run.",
        key=_key("cost", analysis),
    )
    return Decimal(str(entered)) if counted and entered else None


def _difference(before: EconomicImpact, after: EconomicImpact) -> None:
    if before.total_impact is None or after.total_impact is None:
        return
    moved = after.total_impact - before.total_impact
    same = abs(moved) < 1e-9 * max(abs(before.total_impact), 1)
    stored = f.money(before.total_impact, before.currency, signed=True)
    text = "as stored" if same else f"{f.money(moved, after.currency, signed=True)} against the stored {stored}"
    st.markdown(f"**Observed impact {f.plain(text)}**")
