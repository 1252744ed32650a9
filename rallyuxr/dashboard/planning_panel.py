"""What the design can detect, in units and in money, before anything is created."""

import re
from collections.abc import Mapping
from datetime import timedelta

import streamlit as st

from rallyuxr.dashboard import figures, portfolio_panels, session, widgets
from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard.draft import value
from rallyuxr.models import CreateExperiment, MetricValue, SimulatedMetric
from rallyuxr.planning import PlanCurve
from rallyuxr.services import portfolio
from rallyuxr.services.planning import PlanQuestion, plan_from_history, plan_from_noise, typical_noise
from rallyuxr.simulation import default_metric

DURATIONS = (7, 14, 21, 28, 42, 56)
HOURS_A_DAY = 24


@st.fragment
def panel(plan: CreateExperiment | None, prices: Mapping[str, MetricValue], problems: Mapping[str, str]) -> None:
    """A curve of detectable effects for one metric, and the point of this design."""
    st.subheader("What can this detect?", anchor=False)
    if plan is None:
        words = (f.words(re.sub("([A-Z])", r"_\1", name)).lower() for name in problems)
        missing = ", ".join("merchants" if word == "orders" else word for word in words)
        st.caption(f"What effect the experiment would find stands here once these are in order: {missing}.")
        return
    names = {metric: prices[metric].name if metric in prices else metric for metric in plan.metrics}
    metric_id = st.selectbox(
        "Metric",
        plan.metrics,
        format_func=f.told_apart(names).__getitem__,
        key="planned metric",
    )
    days = max(1, round((plan.end_date - plan.start_date) / timedelta(days=1)))
    with widgets.explained("planning"):
        _answer(_curve(plan, metric_id, days), days, prices.get(metric_id))


def _curve(plan: CreateExperiment, metric_id: str, days: int) -> PlanCurve:
    """From what an earlier experiment showed, or from what the metric is said to be like."""
    question = PlanQuestion(
        durations=tuple(sorted({*DURATIONS, days})),
        baseline_days=plan.baseline_days,
        confidence_level=plan.confidence_level / 100,
    )
    earlier = _earlier(metric_id)
    chosen = st.selectbox(
        "Noise and traffic as in",
        [None, *earlier],
        format_func=lambda name: earlier[name] if name else "what is typed below",
        key=f"history of {metric_id}",
    )
    if chosen:
        return plan_from_history(session.connection(), chosen, metric_id, question)
    metric, daily = _stated(plan, metric_id)
    share = plan.simulation.treatment_share if plan.simulation else 0.5
    noise = typical_noise(metric, daily, treatment_share=share)
    asked = {
        "level": metric.baseline or None,
        "participants_per_day": daily * share,
        "effect": metric.effect or None,
    }
    return plan_from_noise(session.connection(), metric_id, noise, question.model_copy(update=asked))


def _earlier(metric_id: str) -> dict[str, str]:
    """The analysed experiments with this metric, by id, the newest first."""
    known = portfolio_panels.all_experiments(portfolio.portfolio_state(session.connection()))
    return f.told_apart({one.id: one.name for one in known if one.finding and metric_id in one.metrics})


def _stated(plan: CreateExperiment, metric_id: str) -> tuple[SimulatedMetric, int]:
    """The metric and the traffic as typed; first as the simulator has them, or as such metrics usually are."""
    planted = plan.simulation.metrics.get(metric_id) if plan.simulation else None
    usual = planted or default_metric(metric_id, plan.expected_outcome)
    traffic = (plan.simulation.participants_per_hour if plan.simulation else 1000) * HOURS_A_DAY
    mean, people = st.columns(2)
    level = mean.number_input(
        "Mean, as stored", value=usual.baseline, format="%g", key=f"mean {metric_id} {usual.baseline}"
    )
    daily = people.number_input("People a day", value=traffic, min_value=1, key=f"people a day {traffic}")
    return usual.model_copy(update={"baseline": level}), daily


def _answer(curve: PlanCurve, days: int, price: MetricValue | None) -> None:
    point = next(point for point in curve.points if point.duration_days == days)
    st.markdown(f"**{f.plain(f.said(point.sentence))}**")
    if price and point.impact is not None:
        st.markdown(f.plain(f"That is {f.money(point.impact, price.currency)} over the {days} days."))
    if curve.required_days and value("source") == "simulator":
        st.markdown(f"The planted effect needs {curve.required_days} days to be found.")
    unit = price.unit if price else "stored value"
    widgets.chart(
        figures.detectable(
            [point.duration_days for point in curve.points],
            [point.effect_in_unit for point in curve.points],
            axis=f"Detectable effect ({'percentage points' if unit == '%' else unit})",
        ),
        name="detectable-effect",
        alt=f"The smallest detectable effect falls with duration; at {days} days: {point.sentence}",
    )
    st.caption(
        f"With {f.share(curve.planned_power)} power at {curve.confidence_level:.0%} confidence. Only the baseline "
        "and the window count; hours that remember each other are allowed for."
    )
