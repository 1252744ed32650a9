"""What may be done to an experiment from its results, and watching it while it moves on its own."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import streamlit as st

from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard import loaders, session, widgets
from rallyuxr.errors import RallyError
from rallyuxr.models import ExperimentDefinition, Status
from rallyuxr.models.experiment import ALLOWED_MOVES
from rallyuxr.services import analyses, experiments, progress

MOVES: dict[Status, tuple[str, str, str]] = {
    "running": ("Start", ":material/play_arrow:", "Marks it as running."),
    "complete": ("Complete", ":material/task_alt:", "Marks it as finished. Data after its end changes nothing."),
    "archived": ("Archive", ":material/archive:", "Takes it out of the portfolio's lists. Nothing is deleted."),
}
COST = "cost to store"
STEPS = {
    "saved": "Saved",
    "data": "Data arrived",
    "analysis": "Delivered and analysed",
    "done": "Done",
}


def actions(experiment: ExperimentDefinition) -> None:
    """The moves that its status and the caller's role allow."""
    if not session.caller().may("analyst"):
        return
    with st.container(horizontal=True):
        st.button(
            "Re-run with today's prices",
            icon=":material/refresh:",
            on_click=_attempt,
            args=(_rerun, experiment),
            disabled=experiment.finding is None,
            help="Makes a new analysis of the newest data; the old one is kept.",
        )
        with st.popover("Cost", icon=":material/payments:"):
            _cost_form(experiment)
        for status in ALLOWED_MOVES[experiment.status]:
            label, icon, consequence = MOVES[status]
            with st.popover(label, icon=icon):
                st.write(consequence)
                st.button(f"{label} now", type="primary", on_click=_attempt, args=(_move, experiment, status))
    if message := st.session_state.pop("outcome of the action", None):
        st.success(message, icon=":material/check:")
    if error := st.session_state.pop("failure of the action", None):
        widgets.failure(error)


@st.fragment(run_every="2s")
def watch_pipeline(experiment: ExperimentDefinition) -> None:
    """The way from saved to analysed, followed live; the whole page returns when it has arrived."""
    with widgets.explained():
        if loaders.experiment(experiment.id).finding is not None:
            st.rerun()
        pipeline(experiment.id)


def way_on(experiment: ExperimentDefinition) -> None:
    """Where a file is taken and where one can still cancel."""
    if session.caller().may("analyst"):
        st.page_link(
            "pages/create.py",
            label="Upload its file, or cancel it" if experiment.data_source == "upload" else "Cancel it",
            icon=":material/arrow_forward:",
            query_params={"experiment": experiment.id},
        )


def pipeline(experiment_id: str) -> None:
    """The steps as they are now, and a way on from one that failed."""
    found = progress.pipeline_progress(session.connection(), experiment_id)
    for step in found.steps:
        _step(step, since=found.steps[0].at)
    if found.failed:
        st.page_link("pages/operations.py", label="Open operations", icon=":material/health_metrics:")


def _step(step: progress.Step, *, since: datetime | None) -> None:
    name = STEPS.get(step.name, f.words(step.name))
    if step.failed:
        st.markdown(f":material/error: **{name}** failed: {f.plain(step.failed)} {f.plain(step.hint or '')}")
    elif step.at:
        took = (step.at - since).total_seconds() if since else 0.0
        later = f", {f.number(took)} s after it was saved" if took else ""
        st.markdown(f":material/check_circle: **{name}** at {f.moment(step.at, session.time_zone())}{later}")
    else:
        st.markdown(f":material/pending: {name}: {f.plain(step.hint or 'waiting')}")


@st.fragment(run_every="15s")
def watch_news(experiment: ExperimentDefinition) -> None:
    """Show a newer analysis, or a new status, as soon as there is one."""
    with widgets.explained():
        if loaders.experiment(experiment.id) != experiment:
            st.rerun()


def _cost_form(experiment: ExperimentDefinition) -> None:
    """What the change cost, for the return on it."""
    st.number_input(
        f"Cost in {experiment.currency}",
        min_value=0.0,
        value=float(experiment.cost) if experiment.cost is not None else None,
        placeholder="none entered",
        help="What the change cost to make and run.",
        key=COST,
    )
    st.button("Save and analyse again", type="primary", on_click=_attempt, args=(_set_cost, experiment))


def _set_cost(experiment: ExperimentDefinition) -> str:
    session.require("analyst")
    entered = st.session_state[COST]
    cost = Decimal(str(entered)) if entered else None
    experiments.set_cost(session.context(), experiment.id, cost, expected_version=experiment.version)
    analyses.rerun_analysis(session.context(), experiment.id)
    return "The cost is saved, and the return follows from it."


def _rerun(experiment: ExperimentDefinition) -> str:
    session.require("analyst")
    analyses.rerun_analysis(session.context(), experiment.id)
    return "Analysed again with today's prices. Compare shows what changed."


def _move(experiment: ExperimentDefinition, status: Status) -> str:
    session.require("analyst")
    experiments.move_status(session.context(), experiment.id, status, expected_version=experiment.version)
    return f"The experiment is now {status}."


def _attempt(action: Callable[..., str], *arguments: object) -> None:
    """Run a button's action; the page shows what came of it."""
    try:
        st.session_state["outcome of the action"] = action(*arguments)
    except RallyError as error:
        st.session_state["failure of the action"] = error
