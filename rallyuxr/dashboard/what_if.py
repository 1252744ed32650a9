"""What if prices, horizon, coverage or cost were different: recomputed from the stored analysis, stored nowhere."""

from decimal import Decimal

import streamlit as st

from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard import headline, widgets
from rallyuxr.economics import reprice
from rallyuxr.models import EconomicImpact, ExperimentAnalysis, ExperimentDefinition, PriceSnapshot, Projection


@st.fragment
def panel(experiment: ExperimentDefinition, analysis: ExperimentAnalysis) -> None:
    """Controls and the impact they give; only this part of the page reruns."""
    st.caption("Change anything: the impact below follows. Nothing is stored, and the analysis stays as it is.")
    inputs, outcome = st.columns([2, 3], gap="large")
    with inputs:
        prices = {key: _priced(key, price) for key, price in analysis.metric_values_snapshot.items()}
        projection = _projection(experiment.projection)
        cost = _cost(experiment)
    with outcome, widgets.explained():
        impact = reprice(analysis, prices, projection=projection, cost=cost)
        _difference(analysis.economic_impact, impact)
        headline.dollars(impact, experiment.confidence_level, columns=1)


def _priced(metric_id: str, stored: PriceSnapshot) -> PriceSnapshot:
    entered = st.number_input(
        f.plain(f"{stored.name}: {stored.currency} per {f.one(stored.unit)} and {stored.exposure}"),
        min_value=0.0,
        value=float(stored.dollars_per_unit),
        step=10.0 ** (stored.dollars_per_unit.adjusted() - 1),
        format="%.4g",
        help=f.plain(f"Version {stored.version} says {f.price(stored.dollars_per_unit, stored.currency)}."),
        key=f"what if price of {metric_id}",
    )
    return stored.model_copy(update={"dollars_per_unit": Decimal(str(entered))})


def _projection(planned: Projection) -> Projection:
    recurring = st.toggle("The effect recurs", planned.recurring, help="Off for a one-off, such as a campaign.")
    horizon = st.slider("Horizon in days", 7, 1095, min(max(planned.horizon_days, 7), 1095), disabled=not recurring)
    coverage = st.number_input(
        "Coverage: all future traffic over the traffic treated",
        0.01,
        1000.0,
        planned.coverage,
        disabled=not recurring,
    )
    decay = st.slider(
        "Share of the effect lost in a year",
        0,
        95,
        round(100 * planned.annual_decay),
        format="%d%%",
        disabled=not recurring,
    )
    return Projection(recurring=recurring, horizon_days=horizon, coverage=coverage, annual_decay=decay / 100)


def _cost(experiment: ExperimentDefinition) -> Decimal | None:
    entered = st.number_input(
        f"Cost in {experiment.currency}",
        min_value=0.0,
        value=float(experiment.cost) if experiment.cost is not None else None,
        placeholder="none entered",
        help="What the change cost to make and run. Without a cost there is no return.",
    )
    return Decimal(str(entered)) if entered else None


def _difference(before: EconomicImpact, after: EconomicImpact) -> None:
    if before.total_impact is None or after.total_impact is None:
        return
    moved = after.total_impact - before.total_impact
    same = abs(moved) < 1e-9 * max(abs(before.total_impact), 1)
    stored = f.money(before.total_impact, before.currency, signed=True)
    text = "as stored" if same else f"{f.money(moved, after.currency, signed=True)} against the stored {stored}"
    st.markdown(f"**Observed impact {f.plain(text)}**")
