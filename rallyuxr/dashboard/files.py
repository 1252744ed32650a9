"""Everything about one experiment as files."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from rallyuxr.dashboard import loaders, session, widgets
from rallyuxr.dashboard.report import html_report
from rallyuxr.models import ExperimentAnalysis, ExperimentDefinition
from rallyuxr.services import exports
from rallyuxr.services.context import Context

DATA_FILES: tuple[tuple[str, str, str, Callable[[Context, str], bytes]], ...] = (
    ("Hourly results as CSV", "csv", "text/csv", exports.experiment_csv),
    ("Hourly results as Parquet", "parquet", "application/vnd.apache.parquet", exports.experiment_parquet),
    ("Everything as JSON", "json", "application/json", exports.experiment_json),
)


def panel(experiment: ExperimentDefinition, analysis: ExperimentAnalysis) -> None:
    """One button a file; a file is made when it is asked for."""
    st.markdown("**Report for people** who do not open this app: one HTML file, works offline, prints to PDF.")
    widgets.download(
        "Report as HTML",
        partial(_report, experiment, analysis),
        file_name=f"{experiment.id}.html",
        mime="text/html",
    )
    st.markdown("**Data for programs**, labelled with where it came from.")
    for label, suffix, mime, make in DATA_FILES:
        widgets.download(
            label,
            partial(make, session.connection(), experiment.id),
            file_name=f"{experiment.id}.{suffix}",
            mime=mime,
        )
    st.caption(
        "Each chart has a camera in its corner that saves it as PNG or SVG, whichever is chosen in the sidebar."
    )


def _report(experiment: ExperimentDefinition, analysis: ExperimentAnalysis) -> str:
    context = session.connection()
    data = loaders.published(experiment.id, analysis.data_version).data
    return html_report(experiment, analysis, data, made_at=context.clock(), zone=session.time_zone())
