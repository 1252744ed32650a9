"""Changed prices before they are saved: the rules, what each would do, two editors at once, and saving."""

from collections.abc import Sequence
from decimal import Decimal

import streamlit as st

from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard import price_draft, session, widgets
from rallyuxr.dashboard.price_draft import Draft
from rallyuxr.dashboard.price_table import rules
from rallyuxr.dashboard.tables import html_table
from rallyuxr.errors import RallyError, VersionConflict
from rallyuxr.models import MetricValue, UpdateMetricValue
from rallyuxr.services import metric_values, portfolio, repricing

SAVED, REFUSED = "prices saved", "prices not saved"


def changes(prices: Sequence[MetricValue]) -> None:
    """Every price that is typed and not saved, also those whose field the search or another page hides."""
    st.subheader("Changes")
    _announce()
    drafts = price_draft.drafts(prices)
    if not drafts:
        st.caption("Type another price in the table to see what it would do.")
        return
    with st.container(key="price-changes"):
        for draft in drafts:
            with st.container(border=True):
                _change(draft)
    _save_all(drafts)


def _announce() -> None:
    """What became of the last saving, price by price."""
    if saved := st.session_state.pop(SAVED, None):
        st.success(f.plain("\n\n".join(saved)), icon=":material/check:")
    if refused := st.session_state.pop(REFUSED, None):
        st.error(f.plain("\n\n".join(refused)), icon=":material/error:")


def _change(draft: Draft) -> None:
    price = draft.price
    now, then = (f.price(amount, price.currency) for amount in (price.dollars_per_unit, draft.proposed))
    st.markdown("#### " + f.plain(f"{price.name}: {now} → {then}"))
    for rule in rules(price):
        st.caption(f.plain(rule))
    if draft.overtaken:
        _conflict(draft, theirs=now, yours=then)
    if draft.problem:
        st.error(f.plain(f"{draft.problem}. Type another price."), icon=":material/error:")
    if draft.ready:
        with widgets.explained(f"preview of {price.metric_id}"):
            _preview(price, draft.proposed)
    st.text_input(
        "Reason for the change", key=price_draft.reason(price), placeholder="new margin", persist_state="session"
    )
    with st.container(horizontal=True):
        if draft.ready:
            st.button(
                "Save this price",
                type="primary",
                on_click=_save,
                args=([draft],),
                key=f"save {price.metric_id}",
            )
        st.button(
            "Undo",
            icon=":material/undo:",
            on_click=price_draft.drop,
            args=(price,),
            key=f"undo {price.metric_id}",
            help=f.plain(f"{price.name} goes back to {now}."),
        )


def _conflict(draft: Draft, *, theirs: str, yours: str) -> None:
    """Someone else was faster: show both prices and let the editor decide."""
    price = draft.price
    st.warning(
        f.plain(
            f"{price.updated_by or 'Someone'} changed this price to {theirs} while you were typing "
            f"(version {price.version}, you saw {draft.seen}). Yours is {yours}."
        ),
        icon=":material/group:",
    )
    with st.container(horizontal=True):
        st.button(
            f.plain(f"Keep {theirs}"), on_click=price_draft.drop, args=(price,), key=f"keep {price.metric_id}"
        )
        st.button(
            f.plain(f"Go on with {yours}"),
            on_click=price_draft.put,
            args=(price, float(draft.proposed)),
            key=f"go on {price.metric_id}",
        )


def _preview(price: MetricValue, proposed: Decimal) -> None:
    """What the price would make of every experiment that is analysed."""
    ctx = session.connection()
    active = metric_values.impacted_experiments(ctx, price.metric_id)
    st.markdown(
        f"**What {f.plain(f.price(proposed, price.currency))} would do** — {f.count(active, 'active experiment')} "
        f"{'uses' if active == 1 else 'use'} this metric. Stored analyses stay as they are; a re-run takes the new "
        "price."
    )
    preview = _previewed(price.metric_id, price.version, str(proposed), repr(portfolio.portfolio_state(ctx)))
    if not preview.experiments:
        st.caption("No experiment with this metric is analysed yet.")
        return
    rows = [
        {
            "Experiment": row.name,
            "Total now": f.money(row.before, price.currency),
            "Interval now": f.money_interval(row.before_interval, price.currency),
            "Total then": f.money(row.after, price.currency),
            "Interval then": f.money_interval(row.after_interval, price.currency),
        }
        for row in preview.experiments
    ]
    st.html(html_table(rows))
    if preview.omitted:
        st.caption(f"{preview.omitted:,} more experiments are not shown.")
    if not preview.complete:
        st.caption("So many experiments use this metric that not all were looked at.")


@st.cache_data(max_entries=100, show_spinner="Looking at the experiments")
def _previewed(metric_id: str, version: int, proposed: str, state: str) -> repricing.RepricePreview:  # noqa: ARG001
    """Computed again only when the price or the portfolio has changed, not for every field that is typed into."""
    return repricing.preview_reprice(session.connection(), metric_id, Decimal(proposed))


def _save_all(drafts: Sequence[Draft]) -> None:
    """All that can be saved at once, where there are several."""
    ready = [draft for draft in drafts if draft.ready]
    if len(ready) > 1:
        st.button(f"Save all {len(ready)} prices", type="primary", on_click=_save, args=(ready,))
    if len(drafts) > 1 and (waiting := len(drafts) - len(ready)):
        st.caption(f"{f.count(waiting, 'change')} cannot be saved yet: see above.")


def _save(drafts: Sequence[Draft]) -> None:
    """Save each under the version that was seen; what is refused stops no other and is said."""
    saved, refused = [], []
    for draft in drafts:
        try:
            saved.append(_saved(draft))
        except VersionConflict:
            refused.append(f"{draft.price.name} is not saved: someone changed it first. Decide below.")
        except RallyError as error:
            refused.append(f"{draft.price.name} is not saved: {error.message}")
    st.session_state[SAVED], st.session_state[REFUSED] = saved, refused


def _saved(draft: Draft) -> str:
    session.require("admin")
    price, reason = draft.price, price_draft.reason(draft.price)
    request = UpdateMetricValue(
        dollars_per_unit=draft.proposed,
        change_reason=st.session_state[reason].strip() or None,
        expected_version=draft.seen,
    )
    update = metric_values.update_metric_value(session.context(), price.metric_id, request)
    st.session_state[reason] = ""
    return (
        f"{price.name} is now {f.price(draft.proposed, price.currency)} (version {update.metric.version}), "
        f"before {f.price(update.previous_value, price.currency)}."
    )
