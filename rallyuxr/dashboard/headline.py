"""The top of the results page: the experiment, its verdict and what it was worth."""

from collections.abc import Callable
from typing import Literal

import streamlit as st

from rallyuxr.dashboard import evidence, session, widgets
from rallyuxr.dashboard import formatting as f
from rallyuxr.models import EconomicImpact, ExperimentAnalysis, ExperimentDefinition, Interval, Status

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
        if experiment.is_simulated:
            widgets.simulated_badge()
        zone = session.time_zone()
        before = (
            f"{experiment.baseline_days} days of baseline before" if experiment.baseline_days else "no baseline"
        )
        st.caption(f"{f.window(experiment.start_date, experiment.end_date, zone)}, {before}")
    if experiment.description:
        st.markdown(f.plain(experiment.description))


def verdict(analysis: ExperimentAnalysis) -> None:
    """One sentence: the number, its interval and the main doubt."""
    with st.container(border=True, key="verdict"):
        sentence = f.plain(f.said(analysis.verdict.sentence))
        st.subheader(sentence, icon=OUTCOME_ICONS[analysis.verdict.outcome], anchor=False)


def dollars(impact: EconomicImpact, confidence_level: float, *, columns: int = 3) -> None:
    """Observed first, projected second, each with its interval; what cannot be known says why."""
    level = f"{confidence_level:.0f}% interval"
    cards = (_observed(impact, level), _projected(impact, level), _paid_back(impact, level))
    for first in range(0, len(cards), columns):
        for column, (label, value, words) in zip(st.columns(columns), cards[first : first + columns], strict=True):
            with column.container(border=True, gap="xxsmall", height="stretch"):
                st.metric(label, value)
                st.caption(f.plain(words))


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


def _observed(impact: EconomicImpact, level: str) -> tuple[str, str, str]:
    words = _interval(level, impact.total_interval, impact)
    if impact.probability_positive is not None:
        words += f". The chance that it gained is {f.share(impact.probability_positive)}"
    return "Observed impact", f.money(impact.total_impact, impact.currency, signed=True), f"{words}."


def _projected(impact: EconomicImpact, level: str) -> tuple[str, str, str]:
    if not impact.horizon_days:
        return "Projected", f.ABSENT, "A one-off effect is not carried into the future."
    amount = f.about(impact.annualized_impact, impact.currency, signed=True)
    return (
        f"Projected over {impact.horizon_days} days",
        amount,
        f"{_interval(level, impact.annualized_interval, impact, f.about_interval)}.",
    )


def _paid_back(impact: EconomicImpact, level: str) -> tuple[str, str, str]:
    if impact.cost is None:
        return "Return on cost", f.ABSENT, "No cost was entered; add one to see the return."
    words = f"on a cost of {f.money(impact.cost, impact.currency)}."
    if impact.roi_percentage is None or impact.roi_interval is None:
        return "Return on cost", f.ABSENT, words
    bounds = " to ".join(
        f.relative(bound / 100) for bound in (impact.roi_interval.lower, impact.roi_interval.upper)
    )
    return "Return on cost", f.relative(impact.roi_percentage / 100), f"{level} {bounds}, {words}"


def _interval(
    level: str,
    interval: Interval | None,
    impact: EconomicImpact,
    in_words: Callable[[Interval | None, str], str] = f.money_interval,
) -> str:
    if interval is None:
        return _absent(impact)
    return f"{level} {in_words(interval, impact.currency)}"


def _absent(impact: EconomicImpact) -> str:
    """Why there is no amount: what keeps each metric out of the total, or what the analysis says of the total."""
    kept_out = dict.fromkeys(part.reason for part in impact.metric_breakdown.values() if part.reason)
    if impact.total_impact is None and kept_out:
        return f"No metric enters the total: {'; '.join(map(str, kept_out))}"
    return (impact.reason or "The data give no interval").capitalize()
