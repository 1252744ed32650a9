"""One metric at a time: its figures, its assumptions and how its number was made."""

import streamlit as st

from rallyuxr.dashboard import assumptions, derivation, evidence, metric_table, session, widgets
from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard.reading import readings
from rallyuxr.dashboard.tables import html_table
from rallyuxr.models import ExperimentAnalysis, ExperimentData


def panel(analysis: ExperimentAnalysis, data: ExperimentData | None) -> None:
    """All metrics in a table and on one scale, then the figures of one."""
    metric_table.draw(analysis)
    draw(list(evidence.comparison_exhibits(analysis)))
    charts(analysis, data)


def money(analysis: ExperimentAnalysis, data: ExperimentData | None) -> None:
    """Where the dollars come from, how plausible each total is, how they came in, and how they were added up."""
    draw(list(evidence.total_exhibits(analysis, data)))
    steps(derivation.total_steps(analysis))


def choose(analysis: ExperimentAnalysis) -> str:
    """The metric to look at; part of the address, so that it can be linked to."""
    names = f.told_apart({key: metric.name for key, metric in readings(analysis).items()})
    return st.selectbox("Metric", list(names), format_func=names.__getitem__, key="metric of the figures")


@st.fragment
def charts(analysis: ExperimentAnalysis, data: ExperimentData | None) -> None:
    """The figures of the chosen metric, side by side where there is room."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric_id = choose(analysis)
        daily = st.segmented_control(
            "Detail", ["Days", "Hours"], default="Days", required=True, key="detail of the series"
        )
    exhibits = list(
        evidence.metric_exhibits(analysis, data, metric_id, zone=session.time_zone(), daily=daily == "Days")
    )
    if not exhibits:
        reason = analysis.did_results[metric_id].estimate.reason
        widgets.empty("Nothing to draw", f.plain(reason or "The data of this metric cannot bear an estimate."))
    draw(exhibits)


def draw(exhibits: list[evidence.Exhibit]) -> None:
    """Figures two in a row, one in a row on a phone; an odd one out takes the whole width."""
    for left in range(0, len(exhibits), 2):
        pair = exhibits[left : left + 2]
        for column, exhibit in zip(st.columns(len(pair)), pair, strict=True):
            with column:
                st.markdown(f"##### {exhibit.title}")
                widgets.chart(exhibit.figure, name=exhibit.name, alt=exhibit.alt)


def assumption_list(analysis: ExperimentAnalysis) -> None:
    """Each metric's diagnostics in words; the doubtful ones come first and are marked."""
    for position, (metric_id, metric) in enumerate(readings(analysis).items()):
        did = analysis.did_results[metric_id]
        found = assumptions.findings(did, metric)
        doubts = sum(finding.doubt for finding in found)
        label = (
            f"{metric.name}: {doubts} of {len(found)} checks raise a doubt"
            if doubts
            else f"{metric.name}: no check raises a doubt"
        )
        with st.expander(f.plain(label), expanded=bool(doubts) or position == 0):
            widgets.cautions(did.estimate.warnings)
            for finding in found:
                icon = ":material/warning:" if finding.doubt else ":material/radio_button_unchecked:"
                st.markdown(f"{icon} **{finding.title}.** {f.plain(finding.sentence)}")


def derivations(analysis: ExperimentAnalysis) -> None:
    """Every factor of every dollar figure, then the total, then what it is a function of."""
    for metric_id, metric in readings(analysis).items():
        st.markdown(f"##### {f.plain(metric.name)}")
        steps(derivation.metric_steps(analysis, metric_id))
    st.markdown("##### Total")
    steps(derivation.total_steps(analysis))
    st.markdown("##### Made from")
    steps(derivation.provenance(analysis))


def steps(lines: tuple[derivation.Step, ...]) -> None:
    """A derivation as a table."""
    st.html(html_table(derivation.rows(lines)))
