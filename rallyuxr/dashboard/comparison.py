"""Two analyses of one experiment side by side: what differs in, and what differs out."""

from collections.abc import Iterator

import streamlit as st

from rallyuxr.dashboard import figures, loaders, session, widgets
from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard.reading import reading, readings
from rallyuxr.dashboard.tables import html_table
from rallyuxr.models import ExperimentAnalysis, ExperimentDefinition


@st.fragment
def panel(experiment: ExperimentDefinition, shown: ExperimentAnalysis) -> None:
    """Choose another analysis and see both."""
    others = {
        row.analysis_id: row for row in loaders.analyses_of(experiment) if row.analysis_id != shown.analysis_id
    }
    if not others:
        widgets.empty(
            "Only one analysis yet",
            "New data or changed prices make another one. Re-run with today's prices to see what they change.",
        )
        return
    zone = session.time_zone()
    names = {
        key: f"{f.moment(row.analysis_timestamp, zone)}, data version {row.data_version}"
        for key, row in others.items()
    }
    chosen = st.selectbox(
        "Compare the newest analysis with",
        list(others),
        format_func=f.told_apart(names).__getitem__,
        key="compared analysis",
    )
    other = loaders.analysis(experiment.id, chosen)
    pair = {"Newest": shown, "Compared": other}
    figure = figures.forest(
        list(_totals(pair)),
        f"Observed impact ({shown.economic_impact.currency})",
        currency=shown.economic_impact.currency,
    )
    widgets.chart(
        figures.mark_simulated(figure) if shown.data_source == "simulator" else figure,
        name="comparison",
        alt="; ".join(f"{name}: {_total(analysis)}" for name, analysis in pair.items()),
    )
    st.html(html_table(list(differences(shown, other))))


def _totals(pair: dict[str, ExperimentAnalysis]) -> Iterator[figures.Estimate]:
    for name, analysis in pair.items():
        impact = analysis.economic_impact
        if impact.total_impact is not None:
            interval = impact.total_interval
            yield figures.Estimate(
                name,
                impact.total_impact,
                interval.lower if interval else None,
                interval.upper if interval else None,
                _total(analysis),
            )


def differences(newest: ExperimentAnalysis, other: ExperimentAnalysis) -> Iterator[dict[str, str]]:
    yield _line("Total", _total(newest), _total(other))
    yield _line("Data version", str(newest.data_version), str(other.data_version))
    yield _line("Algorithm", newest.version, other.version)
    for metric_id, metric in readings(newest).items():
        yield _line(f"{metric.name}: effect", _effect(newest, metric_id), _effect(other, metric_id))
        yield _line(f"{metric.name}: price", _price(newest, metric_id), _price(other, metric_id))


def _line(what: str, newest: str, other: str) -> dict[str, str]:
    same = "same" if newest == other else "differs"
    return {"What": what, "Newest": newest, "Compared": other, "Change": same}


def _total(analysis: ExperimentAnalysis) -> str:
    impact = analysis.economic_impact
    return (
        f"{f.money(impact.total_impact, impact.currency, signed=True)} "
        f"({f.money_interval(impact.total_interval, impact.currency)})"
    )


def _effect(analysis: ExperimentAnalysis, metric_id: str) -> str:
    did = analysis.did_results.get(metric_id)
    return reading(analysis, metric_id).change(did.estimate.estimate) if did else f.ABSENT


def _price(analysis: ExperimentAnalysis, metric_id: str) -> str:
    price = analysis.metric_values_snapshot.get(metric_id)
    return f"{f.price(price.dollars_per_unit, price.currency)}, version {price.version}" if price else f.ABSENT
