"""All metrics of one analysis in one table: roles, effects, adjusted p-values, dollars and verdicts."""

from collections.abc import Sequence

import streamlit as st

from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard.reading import reading
from rallyuxr.dashboard.tables import html_table
from rallyuxr.models import DidResult, ExperimentAnalysis, MetricImpact

ADJUSTMENTS = {"holm": "Holm", "benjamini_hochberg": "Benjamini-Hochberg"}


def rows(analysis: ExperimentAnalysis) -> list[dict[str, str]]:
    """One row a metric, as text a person can read aloud.

    While an experiment runs the interval is the always-valid one, because the page is looked at before the end.
    """
    impacts = analysis.economic_impact.metric_breakdown
    return [
        _row(analysis, metric_id, did, impacts.get(metric_id)) for metric_id, did in analysis.did_results.items()
    ]


def draw(analysis: ExperimentAnalysis) -> None:
    """Who took part, the table, and what its columns mean."""
    st.caption(participants(analysis))
    st.html(html_table(rows(analysis)))
    adjusted = sorted({did.adjustment or "none" for did in analysis.did_results.values()} & ADJUSTMENTS.keys())
    notes = (
        ["The experiment is running: intervals and p-values may be looked at every hour."]
        if analysis.running
        else []
    )
    notes += [
        f"p-values of primary metrics are adjusted for their number by {ADJUSTMENTS[name]}." for name in adjusted
    ]
    st.caption(" ".join((*notes, "Relative effects divide by what the treated arm would have been.")))


def participants(analysis: ExperimentAnalysis) -> str:
    """How many took part in each arm; the range where metrics were seen on different ones."""
    results = analysis.did_results.values()
    treated = _range([did.sample_size_treatment for did in results])
    control = _range([did.sample_size_control for did in results])
    return f"Participants: {treated} treated, {control} control."


def _range(sizes: Sequence[float]) -> str:
    """One size, or the smallest and the largest.

    >>> _range([1200.0, 1200.0]), _range([1200.0, 80.0])
    ('1,200', '80 to 1,200')
    """
    lowest, highest = f.number(min(sizes)), f.number(max(sizes))
    return lowest if lowest == highest else f"{lowest} to {highest}"


def _row(
    analysis: ExperimentAnalysis, metric_id: str, did: DidResult, impact: MetricImpact | None
) -> dict[str, str]:
    metric = reading(analysis, metric_id)
    lower, upper, p = _uncertainty(did, analysis.running)
    return {
        "Metric": metric.name,
        "Role": did.role.capitalize(),
        "Effect": metric.change(did.estimate.estimate),
        f"{did.confidence_level:.0f}% interval": metric.interval(lower, upper),
        "Relative": f.relative(did.estimate.relative.estimate),
        "p-value": f.pvalue(p),
        "Dollars": metric.money(impact.dollar_impact) if impact else f.ABSENT,
        "Verdict": _verdict(did),
    }


def _uncertainty(did: DidResult, running: bool) -> tuple[float | None, float | None, float | None]:
    if running:
        return did.always_valid.ci_lower, did.always_valid.ci_upper, did.always_valid.pvalue
    adjusted = did.p_value if did.adjusted_p_value is None else did.adjusted_p_value
    return did.estimate.ci_lower, did.estimate.ci_upper, adjusted


def _verdict(did: DidResult) -> str:
    if did.role == "guardrail" and did.non_inferior is not None:
        return "Guardrail holds" if did.non_inferior else "Guardrail not shown to hold"
    return f.words(did.verdict.outcome)
