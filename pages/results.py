"""One experiment's results: what it was worth, how sure that is, and why."""

import streamlit as st

from rallyuxr.dashboard import (
    comparison,
    files,
    headline,
    lifecycle,
    loaders,
    metric_detail,
    picker,
    session,
    what_if,
    widgets,
)
from rallyuxr.dashboard.formatting import plain

session.through_entrypoint()
experiment_id = picker.experiment_id()
if experiment_id is None:
    st.stop()

experiment = loaders.experiment(experiment_id)
headline.title(experiment)
analysis = loaders.current_analysis(experiment)
if analysis is None:
    st.subheader("On its way", anchor=False)
    lifecycle.watch_pipeline(experiment)
    lifecycle.way_on(experiment)
    st.stop()

lifecycle.watch_news(experiment)
headline.verdict(analysis)
headline.dollars(analysis.economic_impact, experiment.confidence_level)
lifecycle.actions(experiment)
if analysis.status == "failed":
    widgets.empty("This analysis failed", plain(analysis.failure_reason or "No reason was stored."))
    st.stop()

headline.truth(analysis)
data = loaders.published(experiment.id, analysis.data_version).data
panels = {
    "Metrics": lambda: metric_detail.panel(analysis, data),
    "Money": lambda: metric_detail.money(analysis, data),
    "Assumptions": lambda: metric_detail.assumption_list(analysis),
    "How it was made": lambda: metric_detail.derivations(analysis),
    "What if": lambda: what_if.panel(experiment, analysis),
    "Compare": lambda: comparison.panel(experiment, analysis),
    "Export": lambda: files.panel(experiment, analysis),
}
for tab, draw in zip(st.tabs(list(panels), key="section", bind="query-params"), panels.values(), strict=True):
    if tab.open:
        with tab:
            draw()
