"""The portfolio: every experiment, newest first."""

import streamlit as st

from rallyuxr.dashboard import loaders, widgets
from rallyuxr.dashboard.formatting import plain

st.title("Experiments", anchor=False)
experiments = loaders.newest_experiments(50)
if not experiments:
    widgets.empty("No experiment yet", "Create one: its results appear here.")
for experiment in experiments:
    st.page_link("app_pages/results.py", label=plain(experiment.name), query_params={"experiment": experiment.id})
    if experiment.finding:
        st.caption(plain(experiment.finding.sentence))
