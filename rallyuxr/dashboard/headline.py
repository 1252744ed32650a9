"""The top of the results page: the experiment, its verdict and what it was worth."""

from typing import Literal

import streamlit as st

from rallyuxr.dashboard import evidence, session, widgets
from rallyuxr.dashboard import formatting as f
from rallyuxr.models import EconomicImpact, ExperimentAnalysis, ExperimentDefinition, Status

STATUS_COLOURS: dict[Status, Literal["gray", "blue", "green"]] = {
    "draft": "gray",
    "running": "blue",
    "complete": "green",
    "archived": "gray",
}
OUTCOME_ICONS = {
    "better": ":material/trending_up:",
    "worse": ":material/trending_down:",
    "no_detectable_effect": ":material/trending_flat:",
    "cannot_tell": ":material/help:",
}


def title(experiment: ExperimentDefinition) -> None:
    """Name, labels, window and description."""
    st.title(f.plain(experiment.name), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(experiment.status.capitalize(), color=STATUS_COLOURS[experiment.status])
        if experiment.data_source == "simulator":
            widgets.simulated_badge()
        zone = session.time_zone()
        st.caption(
            f"{f.moment(experiment.start_date, zone)} to {f.moment(experiment.end_date, zone)}, "
            f"baseline of {experiment.baseline_days} days before"
        )
    if experiment.description:
        st.markdown(f.plain(experiment.description))


def verdict(analysis: ExperimentAnalysis) -> None:
    """One sentence: the number, its interval and the main doubt."""
    with st.container(border=True):
        st.subheader(f.plain(analysis.verdict.sentence), icon=OUTCOME_ICONS[analysis.verdict.outcome], anchor=False)


def dollars(impact: EconomicImpact, confidence_level: float, *, columns: int = 4) -> None:
    """Observed first, projected second, each with its interval; what cannot be known says why."""
    currency, level = impact.currency, f"{confidence_level:.0f}% interval"
    chance = impact.probability_positive
    cards = (
        (
            "Observed impact",
            f.money(impact.total_impact, currency, signed=True),
            _interval_words(level, f.money_interval(impact.total_interval, currency), impact.reason),
        ),
        (
            f"Projected over {impact.horizon_days} days" if impact.horizon_days else "Projected",
            f.money(impact.annualized_impact, currency, signed=True),
            _interval_words(level, f.money_interval(impact.annualized_interval, currency), impact.reason)
            if impact.horizon_days
            else "A one-off effect is not carried into the future.",
        ),
        (
            "Return on cost",
            f.ABSENT if impact.roi_percentage is None else f.relative(impact.roi_percentage / 100),
            _return_words(impact, level),
        ),
        (
            "Chance that it gained",
            f.ABSENT if chance is None else f.share(chance),
            "under the same uncertainty as the interval",
        ),
    )
    for first in range(0, len(cards), columns):
        for column, (label, value, words) in zip(st.columns(columns), cards[first : first + columns], strict=True):
            with column.container(border=True, gap="xxsmall", height="stretch"):
                st.metric(label, value)
                st.caption(words)


def truth(analysis: ExperimentAnalysis) -> None:
    """Planted truth against interval, where the simulator planted one."""
    sentences = list(evidence.truth_sentences(analysis))
    if not sentences:
        return
    caught = sum(sentence.endswith("inside the interval.") for sentence in sentences)
    with st.expander(
        f"{caught} of {len(sentences)} planted truths are inside their intervals", icon=":material/science:"
    ):
        for sentence in sentences:
            st.markdown(f"- {f.plain(sentence)}")


def _interval_words(level: str, bounds: str, reason: str | None) -> str:
    return f.plain(reason or "No interval is known.") if bounds == f.ABSENT else f.plain(f"{level} {bounds}")


def _return_words(impact: EconomicImpact, level: str) -> str:
    if impact.cost is None:
        return "No cost was entered; add one to see the return."
    cost = f.money(impact.cost, impact.currency)
    if impact.roi_interval is None:
        return f.plain(f"on a cost of {cost}")
    bounds = f"{f.relative(impact.roi_interval.lower / 100)} to {f.relative(impact.roi_interval.upper / 100)}"
    return f.plain(f"{level} {bounds}, on a cost of {cost}")
