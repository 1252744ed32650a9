"""What if prices, horizon, coverage or cost were different: recomputed from the stored analysis, stored nowhere."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import streamlit as st

from rallyuxr.dashboard import dials, headline, widgets
from rallyuxr.dashboard import formatting as f
from rallyuxr.economics import reprice
from rallyuxr.models import EconomicImpact, ExperimentAnalysis, ExperimentDefinition, PriceSnapshot, Projection

HORIZON = dials.Dial("Horizon in days", (7, 1095), (1, 3650), 1, format="%d")
DECAY = dials.Dial("Percent of the effect lost in a year", (0.0, 95.0), (0.0, 99.9999), 1.0)
COVERAGE_STEP = 0.05
USUAL_COST = 1_000.0
"""Where a cost's handle begins when neither a cost nor a total says of which size it is."""


@st.fragment
def panel(experiment: ExperimentDefinition, analysis: ExperimentAnalysis) -> None:
    """Sliders, fields for exact numbers and the impact they give; only this part of the page reruns."""
    stored = _stored(experiment, analysis)
    for key, value in stored.items():
        st.session_state.setdefault(key, value)
    st.caption("Change anything: the impact follows. Nothing is stored, and the analysis stays as it is.")
    short = st.container(key="outcome in short")
    inputs, outcome = st.columns(2, gap="large")
    with inputs:
        prices = {
            metric: _price(metric, price, analysis) for metric, price in analysis.metric_values_snapshot.items()
        }
        projection = _projection(analysis, experiment.projection)
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
        with short:
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
        "horizon": planned.horizon_days,
        "coverage": planned.coverage,
        "decay": min(round(100 * planned.annual_decay, 6), 99.9999),
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
    handle, step = dials.around(float(stored.dollars_per_unit))
    setting = dials.Dial(
        f.plain(f"{stored.name}: {stored.currency} {f.per(stored.unit, stored.exposure)}"),
        handle,
        (0.0, None),
        step,
        help=f.plain(f"Version {stored.version} says {f.price(stored.dollars_per_unit, stored.currency)}."),
    )
    entered = dials.dial(setting, key=_key(f"price of {metric_id}", analysis))
    return stored.model_copy(update={"dollars_per_unit": Decimal(str(entered))})


def _projection(analysis: ExperimentAnalysis, planned: Projection) -> Projection:
    recurring = st.toggle(
        "The effect recurs", help="Off for a one-off, such as a campaign.", key=_key("recurring", analysis)
    )
    coverage = dials.Dial(
        "Coverage: all future traffic over the traffic treated",
        (COVERAGE_STEP, dials.around(max(planned.coverage, 1.0))[0][1]),
        (1e-6, 1000.0),
        COVERAGE_STEP,
        help="2 where half of the traffic was treated and all of it will be.",
    )
    settings = {"horizon": HORIZON, "coverage": coverage, "decay": DECAY}
    horizon, covered, decay = (
        dials.dial(setting, key=_key(name, analysis), disabled=not recurring) for name, setting in settings.items()
    )
    return Projection(
        recurring=recurring, horizon_days=int(horizon), coverage=covered, annual_decay=round(decay / 100, 6)
    )


def _cost(analysis: ExperimentAnalysis) -> Decimal | None:
    """What the change cost; without one there is no return on it."""
    counted = st.toggle(
        "The change had a cost",
        help="Off: no cost is counted, and there is no return on it.",
        key=_key("has cost", analysis),
    )
    impact = analysis.economic_impact
    handle, step = dials.around(float(impact.cost or 0) or abs(impact.total_impact or 0) or USUAL_COST)
    setting = dials.Dial(
        f"Cost in {impact.currency}", handle, (0.0, None), step, help="What the change cost to make and run."
    )
    entered = dials.dial(setting, key=_key("cost", analysis), disabled=not counted)
    return Decimal(str(entered)) if counted and entered else None


def _difference(before: EconomicImpact, after: EconomicImpact) -> None:
    """The outcome in a line, which stays in sight."""
    if before.total_impact is None or after.total_impact is None:
        return
    stored, now, moved = (
        f.money(amount, after.currency, signed=True)
        for amount in (before.total_impact, after.total_impact, after.total_impact - before.total_impact)
    )
    same = abs(after.total_impact - before.total_impact) < 1e-9 * max(abs(before.total_impact), 1)
    text = f"as stored: {now}" if same else f"{now}, {moved} against the stored {stored}"
    if after.annualized_impact is not None:
        text += f". Projected {f.about(after.annualized_impact, after.currency, signed=True)}"
    st.markdown(f"**Observed impact {f.plain(text)}.**")
