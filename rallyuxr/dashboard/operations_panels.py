"""The pipeline's health, its failures and their repair, stored sizes, and the audit trail."""

from datetime import timedelta

import streamlit as st

from rallyuxr.dashboard import audit_words, session, widgets
from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard.tables import html_table
from rallyuxr.errors import RallyError
from rallyuxr.services import audit, exports, lag, operations, reconciliation
from rallyuxr.store import AuditEntry

OUTCOME = "outcome of the repair"
CONDITIONS = {
    "healthy": (":material/check_circle:", "Healthy"),
    "degraded": (":material/warning:", "Degraded"),
    "down": (":material/error:", "Down"),
}
PARTS = {
    "database": "Database",
    "analysis_engine": "Analysis",
    "results_generator": "Simulator",
}
WIRE = {"database": "database", "analysis_engine": "analysisEngine", "results_generator": "resultsGenerator"}


@st.fragment(run_every="10s")
def health() -> None:
    """Each part's condition and why, how far analyses are behind, looked at again every ten seconds."""
    with widgets.explained("health"):
        report = operations.health(session.connection())
        parts = [(PARTS[name], getattr(report.services, name), WIRE[name]) for name in PARTS]
        for column, (title, condition, wire) in zip(st.columns(len(parts)), parts, strict=True):
            with column.container(border=True):
                icon, word = CONDITIONS[condition]
                st.markdown(f"{icon} **{title}**: {word}")
                if reason := report.explanations.get(wire):
                    st.caption(f.plain(reason))
        _lag()
        if report.last_analysis_at:
            st.caption(f"Last analysis {f.moment(report.last_analysis_at, session.time_zone())}.")


def _lag() -> None:
    found = lag.stream_lag(session.connection())
    if found.waiting_since:
        since = f.moment(found.waiting_since, session.time_zone())
        st.warning(f"Waiting for their analysis: {len(found.waiting)}, the oldest since {since}.")
    elif found.last_took is not None:
        seconds = found.last_took / timedelta(seconds=1)
        st.caption(f"No data waits. The newest was analysed {f.number(seconds)} seconds after it was published.")
    elif found.looked_at:
        st.caption("None of the newest experiments has data yet.")


def failures() -> None:
    """What could not be processed, and a way to send each through again."""
    waiting = operations.list_failures(session.connection())
    if not waiting:
        widgets.empty("No failures", "Every record that arrived was processed.", icon=":material/task_alt:")
        return
    may_repair = session.caller().may("admin")
    for failure in waiting:
        with st.container(border=True):
            at = f.moment(failure.at, session.time_zone())
            st.markdown(f"**{f.plain(failure.function)}** could not process a record at {at}.")
            st.markdown(f.plain(failure.reason))
            if failure.experiment_id:
                st.caption(f"Experiment {f.plain(failure.experiment_id)}")
            st.button(
                "Send through again",
                icon=":material/replay:",
                key=f"redrive {failure.id}",
                on_click=_redrive,
                args=(failure.id,),
                disabled=not may_repair,
            )
    if len(waiting) > 1:
        st.button("Send all through again", on_click=_redrive, args=(None,), disabled=not may_repair)


def repair() -> None:
    """What became of a repair, and the reconciliation by hand."""
    if outcome := st.session_state.pop(OUTCOME, None):
        st.success(outcome, icon=":material/check:")
    if error := st.session_state.pop("failure of the repair", None):
        widgets.failure(error)
    st.button(
        "Look for anything missed",
        icon=":material/troubleshoot:",
        on_click=_reconcile,
        disabled=not session.caller().may("admin"),
        help="Analyses data whose event was lost, asks again for simulated data, tidies interrupted uploads. "
        "Runs by itself every five minutes.",
    )


def _redrive(failure_id: str | None) -> None:
    try:
        session.require("admin")
        sent = operations.redrive(session.context(), failure_id)
        st.session_state[OUTCOME] = f"{sent} sent through again. What fails again comes back here."
    except RallyError as error:
        st.session_state["failure of the repair"] = error


def _reconcile() -> None:
    try:
        session.require("admin")
        report = reconciliation.reconcile(session.context())
        st.session_state[OUTCOME] = (
            f"Looked at {report.experiments} experiments: {len(report.analysed)} analysed, "
            f"{len(report.regenerated)} simulated again, {len(report.followed_orders)} brought up to their orders, "
            f"{report.chunks_tidied} leftovers removed."
        )
    except RallyError as error:
        st.session_state["failure of the repair"] = error


def sizes() -> None:
    """What each table holds."""
    rows = [
        {"Table": one.table, "Items": f.number(one.items), "Size": f"{one.size_bytes / 1e6:,.2f} MB"}
        for one in operations.stored_size(session.connection())
    ]
    st.html(html_table(rows))
    st.caption("As the cloud counts it, which may be some hours behind.")


def audit_trail() -> None:
    """Every change of some days, and the same as a file."""
    today = session.connection().clock().date()
    chosen = st.date_input(
        "Days (UTC)", value=(today - timedelta(days=6), today), max_value=today, key="audit days"
    )
    if not isinstance(chosen, tuple) or len(chosen) != 2:
        st.info("Choose the last day too.")
        return
    subject = st.text_input("Experiment or metric (optional)", key="audit subject").strip() or None
    entries = audit.audit_trail(session.connection(), *chosen, subject=subject)
    if not entries:
        widgets.empty("No changes", "Nothing was changed on these days.")
        return
    widgets.download("All as CSV", lambda: exports.audit_csv(entries), file_name="audit.csv", mime="text/csv")
    st.html(html_table([_entry(entry) for entry in entries[:200]]))
    st.caption("The file holds every field before and after each change.")
    if len(entries) > 200:
        st.caption(f"The newest 200 of {len(entries):,}; the file holds all.")


def _entry(entry: AuditEntry) -> dict[str, str]:
    return {
        "When": f.moment(entry.at, session.time_zone()),
        "Who": audit_words.author(entry),
        "What": audit_words.action(entry),
        "Of": entry.subject,
        "Change": audit_words.changes(entry.before, entry.after),
    }
