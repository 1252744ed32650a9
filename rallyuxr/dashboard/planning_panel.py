"""What the design can detect, in units and in money, before anything is created."""

from collections.abc import Mapping

import plotly.graph_objects as go
import streamlit as st

from rallyuxr.dashboard import figures, session, widgets
from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard.plan_form import value
from rallyuxr.errors import RallyError
from rallyuxr.models import CreateExperiment, MetricValue
from rallyuxr.planning import PlanCurve
from rallyuxr.services.planning import PlanQuestion, plan_from_noise
from rallyuxr.stats.planning import sampling_noise

DURATIONS = (7, 14, 21, 28, 42, 56)


def panel(plan: CreateExperiment | None, prices: Mapping[str, MetricValue]) -> None:
    """A curve of detectable effects for one metric, and the point of this design."""
    st.subheader("What can this detect?", anchor=False)
    metrics = value("metrics", [])
    if plan is None or not metrics:
        st.caption("Choose metrics and dates: this panel then says what effect the experiment would find.")
        return
    metric_id = st.selectbox("Metric", metrics, key="planned metric")
    price = prices.get(metric_id)
    mean, spread, people = st.columns(3)
    level = mean.number_input(
        "Mean", value=float(value(f"baseline of {metric_id}") or 0.05), format="%g", key=f"mean {metric_id}"
    )
    proportion = (price is not None and price.value_type == "proportion") or 0 < level < 1
    usual = (level * (1 - level)) ** 0.5 if proportion and 0 < level < 1 else abs(level)
    deviation = spread.number_input(
        "Spread",
        value=float(usual),
        min_value=0.0,
        format="%g",
        key=f"spread {metric_id} {level}",
        help="Standard deviation between participants. For a rate p it is √(p(1 − p)).",
    )
    daily = people.number_input("Participants a day", value=24_000, min_value=1, key="planned participants")
    if not deviation:
        st.caption("Enter how much participants differ.")
        return
    days = max(1, round((plan.end_date - plan.start_date).total_seconds() / 86_400))
    try:
        question = PlanQuestion(
            durations=tuple(sorted({*DURATIONS, days})),
            baseline_days=plan.baseline_days,
            confidence_level=plan.confidence_level / 100,
            level=level or None,
            participants_per_day=daily / 2,
        )
        curve = plan_from_noise(session.connection(), metric_id, sampling_noise(deviation, daily), question)
    except RallyError as error:
        widgets.failure(error)
        return
    _answer(curve, days, price)


def _answer(curve: PlanCurve, days: int, price: MetricValue | None) -> None:
    point = next(point for point in curve.points if point.duration_days == days)
    st.markdown(f"**{f.plain(point.sentence)}**")
    widgets.chart(
        _figure(curve, price),
        name="detectable-effect",
        alt=f"The smallest detectable effect falls with duration; at {days} days: {point.sentence}",
    )
    st.caption(
        f"With {f.share(curve.planned_power)} power, participants as the only noise: hours that remember "
        "each other need longer. After the first experiment, plan with its history over the API."
    )


def _figure(curve: PlanCurve, price: MetricValue | None) -> go.Figure:
    unit = price.unit if price else "stored value"
    return figures.detectable(
        [point.duration_days for point in curve.points],
        [point.effect_in_unit for point in curve.points],
        axis=f"Detectable effect ({'percentage points' if unit == '%' else unit})",
    )
