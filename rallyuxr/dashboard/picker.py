"""Which experiment a page is about: the address says it, a list lets one choose."""

import streamlit as st

from rallyuxr.dashboard import loaders, widgets

NEWEST = 50


def experiment_id() -> str | None:
    """The experiment in the address, `?experiment=…`, or the one chosen from the list; None while there is none."""
    linked = st.query_params.get("experiment")
    if linked is None:
        st.title("Results")
    listed = {row.id: row for row in loaders.newest_experiments(NEWEST)}
    if linked is None and not listed:
        widgets.empty(
            "No experiment yet", "Create one, or load the example from the overview: its results appear here."
        )
        return None
    options = list(listed) if linked is None or linked in listed else [linked, *listed]
    chosen = st.selectbox(
        "Experiment",
        options,
        index=options.index(linked) if linked else None,
        format_func=lambda key: f"{listed[key].name} ({listed[key].status})" if key in listed else key,
        placeholder="Choose an experiment",
        key=f"experiment shown, from {linked}",
    )
    if chosen is None:
        st.caption(
            f"The {NEWEST} newest are listed here; the overview finds every experiment and ranks them by worth."
        )
        st.page_link("pages/overview.py", label="Open the overview", icon=":material/monitoring:")
    elif chosen != linked:
        st.query_params["experiment"] = chosen
        if linked is None:
            st.rerun()
    return chosen
