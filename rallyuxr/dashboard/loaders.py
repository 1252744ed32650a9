"""What pages read. Data that never changes once written is cached by its version; the rest is read anew.

An analysis is a function of its id and a data version never changes, so neither can go stale: what moves is the
definition, one small read per rerun, and it names the newest of both.
"""

import streamlit as st

from rallyuxr.dashboard.session import connection
from rallyuxr.models import ExperimentAnalysis, ExperimentDefinition, PublishedData
from rallyuxr.services import analyses, experiments, listing, results
from rallyuxr.store import AnalysisSummary

IMMUTABLE_ENTRIES = 64


def experiment(experiment_id: str) -> ExperimentDefinition:
    """The definition as it is now."""
    return experiments.get_experiment(connection(), experiment_id)


def newest_experiments(limit: int) -> tuple[ExperimentDefinition, ...]:
    """The newest experiments as they are now."""
    return listing.list_experiments(connection(), limit=limit).experiments


def current_analysis(experiment: ExperimentDefinition) -> ExperimentAnalysis | None:
    """The newest analysis, or None before the first."""
    return analysis(experiment.id, experiment.finding.analysis_id) if experiment.finding else None


def analyses_of(experiment: ExperimentDefinition) -> tuple[AnalysisSummary, ...]:
    """Every analysis of one experiment, newest first; read anew when there is a newer one."""
    return _analyses_of(experiment.id, experiment.finding.analysis_id) if experiment.finding else ()


@st.cache_data(max_entries=IMMUTABLE_ENTRIES, show_spinner=False)
def _analyses_of(experiment_id: str, newest: str) -> tuple[AnalysisSummary, ...]:  # noqa: ARG001
    return analyses.list_analyses(connection(), experiment_id)


@st.cache_data(max_entries=IMMUTABLE_ENTRIES, show_spinner=False)
def analysis(experiment_id: str, analysis_id: str) -> ExperimentAnalysis:
    """One stored analysis."""
    return analyses.get_analysis(connection(), experiment_id, analysis_id)


@st.cache_data(max_entries=IMMUTABLE_ENTRIES, show_spinner="Loading the results")
def published(experiment_id: str, data_version: int) -> PublishedData:
    """One stored data version."""
    return results.load_results(connection(), experiment_id, data_version)
