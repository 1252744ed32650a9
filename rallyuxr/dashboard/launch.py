"""Creating the experiment once, however often the button is pressed, and following it until it is analysed."""

from uuid import uuid4

import streamlit as st

from rallyuxr.dashboard import lifecycle, loaders, plan_form, session, widgets
from rallyuxr.dashboard.formatting import plain
from rallyuxr.errors import RallyError
from rallyuxr.ingest import Upload
from rallyuxr.models import CreateExperiment
from rallyuxr.services import experiments, results

CREATED, REQUEST, FAILED = "created experiment", "id of the creating request", "failure of the creation"


def button(plan: CreateExperiment | None, upload: Upload | None) -> None:
    """Create the experiment; its file is published with it."""
    if error := st.session_state.pop(FAILED, None):
        widgets.failure(error)
    missing = plan is not None and plan.data_source == "upload" and (upload is None or upload.data is None)
    if missing:
        st.caption("Choose a file that reads without problems, or another source.")
    st.button(
        "Create the experiment",
        type="primary",
        icon=":material/add_circle:",
        disabled=plan is None or missing,
        on_click=_create,
        args=(plan, upload),
    )


def watch() -> bool:
    """Follow the experiment just created; False when there is none."""
    experiment_id = st.session_state.get(CREATED)
    if experiment_id is None:
        return False
    experiment = loaders.experiment(experiment_id)
    st.subheader(plain(experiment.name), anchor=False)
    if experiment.finding is None:
        st.caption("Saved. You may leave this page; it goes on without you.")
        lifecycle.watch_pipeline(experiment)
    else:
        st.success(plain(experiment.finding.sentence), icon=":material/check_circle:")
    with st.container(horizontal=True):
        st.page_link(
            "pages/results.py",
            label="Open its results",
            icon=":material/query_stats:",
            query_params={"experiment": experiment_id},
        )
        st.button("Create another", icon=":material/add:", on_click=_forget)
    return True


def _create(plan: CreateExperiment, upload: Upload | None) -> None:
    request_id = st.session_state.setdefault(REQUEST, str(uuid4()))
    try:
        session.require("analyst")
        context = session.context()
        made = experiments.create_experiment(context, plan, request_id=request_id)
        if upload is not None:
            results.publish_results(context, made.id, upload.require())
    except RallyError as error:
        st.session_state[FAILED] = error
        return
    st.session_state[CREATED] = made.id
    del st.session_state[REQUEST]
    plan_form.clear()


def _forget() -> None:
    st.session_state.pop(CREATED, None)
