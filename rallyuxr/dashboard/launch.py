"""Creating the experiment once, however often the button is pressed, and following it until it is analysed."""

from collections.abc import Mapping
from uuid import NAMESPACE_OID, uuid4, uuid5

import streamlit as st

from rallyuxr.dashboard import draft, lifecycle, loaders, plan_file, plan_form, session, widgets
from rallyuxr.dashboard.formatting import plain, said
from rallyuxr.errors import RallyError
from rallyuxr.ingest import Upload
from rallyuxr.models import CreateExperiment, ExperimentDefinition, MetricValue
from rallyuxr.services import experiments, results

CREATED, DRAFT, FAILED = "created experiment", "id of the draft", "failure of the creation"


def button(plan: CreateExperiment | None, upload: Upload | None, problems: Mapping[str, str]) -> None:
    """Create the experiment; its file is published with it."""
    if error := st.session_state.pop(FAILED, None):
        widgets.failure(error)
    missing = plan is not None and plan.data_source == "upload" and (upload is None or upload.data is None)
    if draft.value("attempted") and problems:
        st.error("Not created: correct what is marked above.", icon=":material/error:")
        plan_form.problem(problems, draft.PLAN)
    if draft.value("attempted") and missing:
        st.error(
            "Not created: choose a file that reads without problems, or another source.", icon=":material/error:"
        )
    st.button(
        "Create the experiment",
        type="primary",
        icon=":material/add_circle:",
        on_click=_create,
        args=(None if missing else plan, upload),
    )


def watch(prices: Mapping[str, MetricValue]) -> bool:
    """Follow the experiment just created, or the one in the address, `?experiment=…`; False without either."""
    experiment_id = st.query_params.get("experiment", st.session_state.get(CREATED))
    if experiment_id is None:
        return False
    st.query_params["experiment"] = experiment_id
    experiment = loaders.experiment(experiment_id)
    st.subheader(plain(experiment.name), anchor=False)
    if error := st.session_state.pop(FAILED, None):
        widgets.failure(error)
    if experiment.finding is None:
        st.caption("Saved. You may leave this page; it goes on without you.")
        lifecycle.watch_pipeline(experiment)
        _late_file(experiment, prices)
    else:
        st.success(plain(said(experiment.finding.sentence)), icon=":material/check_circle:")
        lifecycle.pipeline(experiment.id)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            "pages/results.py",
            label="Open its results",
            icon=":material/query_stats:",
            query_params={"experiment": experiment_id},
        )
        st.button("Create another", icon=":material/add:", on_click=_forget)
        if experiment.finding is None:
            with st.popover("Cancel", icon=":material/cancel:"):
                st.write("Archives the experiment. What is under way ends without a trace in the lists.")
                st.button("Cancel it now", type="primary", on_click=_cancel, args=(experiment,))
    return True


def _late_file(experiment: ExperimentDefinition, prices: Mapping[str, MetricValue]) -> None:
    """An upload for an experiment that is stored and waits for its data."""
    if experiment.data_source != "upload" or experiment.status != "draft":
        return
    upload = plan_file.upload(experiment, prices)
    st.button(
        "Publish this file",
        type="primary",
        icon=":material/upload:",
        disabled=upload is None or upload.data is None,
        on_click=_publish,
        args=(experiment.id, upload),
    )


def _create(plan: CreateExperiment | None, upload: Upload | None) -> None:
    st.session_state[draft.key("attempted")] = True
    if plan is None:
        return
    identity = st.session_state.setdefault(DRAFT, str(uuid4()))
    request_id = str(uuid5(NAMESPACE_OID, identity + plan.model_dump_json()))
    try:
        session.require("analyst")
        made = experiments.create_experiment(session.context(), plan, request_id=request_id)
    except RallyError as error:
        st.session_state[FAILED] = error
        return
    st.session_state[CREATED] = made.id
    del st.session_state[DRAFT]
    draft.clear()
    if upload is not None:
        _publish(made.id, upload)


def _publish(experiment_id: str, upload: Upload) -> None:
    try:
        session.require("analyst")
        results.publish_results(session.context(), experiment_id, upload.require())
    except RallyError as error:
        st.session_state[FAILED] = error


def _cancel(experiment: ExperimentDefinition) -> None:
    try:
        session.require("analyst")
        experiments.move_status(session.context(), experiment.id, "archived")
    except RallyError as error:
        st.session_state[FAILED] = error
    else:
        _forget()


def _forget() -> None:
    st.session_state.pop(CREATED, None)
    st.query_params.pop("experiment", None)
