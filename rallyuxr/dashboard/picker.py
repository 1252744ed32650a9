"""Which experiment a page is about: the address says it, a list lets one choose."""

import streamlit as st

from rallyuxr.dashboard import loaders, widgets

NEWEST = 50


def experiment_id() -> str | None:
    """The experiment in the address, `?experiment=…`, or the one chosen from the list; None while there is none."""
    if "experiment" not in st.query_params:
        st.title("Results")
    listed = {row.id: f"{row.name} ({row.status})" for row in loaders.newest_experiments(NEWEST)}
    if "experiment" not in st.query_params and not listed:
        widgets.empty(
            "No experiment yet", "Create one, or load the example from the overview: its results appear here."
        )
        return None
    chosen = widgets.choose_by_address(
        "Experiment", listed, parameter="experiment", placeholder="Choose an experiment"
    )
    if chosen is None:
        st.caption(
            f"The {NEWEST} newest are listed here; the overview finds every experiment and ranks them by worth."
        )
        st.page_link("pages/overview.py", label="Open the overview", icon=":material/monitoring:")
    return chosen
