"""All experiments together: totals plain and shrunk, impacts with intervals, a list to search, sort and archive."""

from collections.abc import Callable, Sequence

import streamlit as st

from rallyuxr.dashboard import figures, session, widgets
from rallyuxr.dashboard import formatting as f
from rallyuxr.errors import RallyError
from rallyuxr.models import ExperimentDefinition, Interval
from rallyuxr.models.experiment import STATUSES
from rallyuxr.portfolio import PortfolioImpact
from rallyuxr.services import experiments, exports, portfolio
from rallyuxr.services.portfolio import Worth
from rallyuxr.store import Portfolio

Experiments = tuple[ExperimentDefinition, ...]
PAGE = 25
MOST_BARS = 40
EXACT, ROUNDED = (f.money, f.money_interval), (f.about, f.about_interval)
ARCHIVED, FAILED = "outcome of the archiving", "failure of the archiving"
ORDERS = {
    "Newest first": lambda one: -one.created_at.timestamp(),
    "Largest impact": lambda one: -(one.finding.total_impact or 0.0) if one.finding else 0.0,
    "Smallest impact": lambda one: (one.finding.total_impact or 0.0) if one.finding else 0.0,
    "Name": lambda one: one.name.casefold(),
}


def all_experiments(state: Portfolio) -> Experiments:
    """Every experiment, read again only when the portfolio has changed."""
    return _all_experiments(repr(state))


@st.cache_data(max_entries=4, show_spinner="Reading the experiments")
def _all_experiments(state: str) -> Experiments:  # noqa: ARG001
    return portfolio.newest_experiments(session.connection())


def totals(found: Experiments) -> None:
    """What all of them were worth, by currency, simulated ones apart; then what has no total."""
    worths = portfolio.worth(found)
    for worth in worths:
        if not worth.counted:
            continue
        with st.container(border=True):
            if worth.simulated:
                widgets.simulated_badge()
            observed, projected = st.columns(2)
            with observed:
                _total("Observed so far", worth.observed, worth.currency, EXACT)
            with projected:
                _total("Projected over each one's horizon", worth.projected, worth.currency, ROUNDED)
            absent = worth.observed.reason
            st.caption(
                f"{f.count(worth.counted, 'experiment')} counted. "
                + (f"No shrunk totals yet: {absent}. They" if absent else "Shrunk totals")
                + " take out the luck of the winners: each impact is pulled to zero by as much as it is noise."
            )
    if waiting := [worth for worth in worths if worth.omitted]:
        st.caption(f"Without a total yet: {', '.join(map(_omitted, waiting))}.")


def _omitted(worth: Worth) -> str:
    simulated = ", simulated" if worth.simulated else ""
    return f"{f.count(worth.omitted, 'experiment')} in {worth.currency}{simulated}"


def _total(
    title: str, impact: PortfolioImpact, currency: str, words: tuple[Callable[..., str], Callable[..., str]]
) -> None:
    amount, bounds = words
    with st.container(gap="xxsmall"):
        st.metric(title, amount(impact.total, currency, signed=True))
        st.caption(f.plain(f"95% interval {bounds(impact.total_interval, currency)}"))
        if impact.shrunk is None:
            return
        shrunk = amount(impact.shrunk, currency, signed=True)
        st.markdown(f.plain(f"Shrunk: {shrunk} ({bounds(impact.shrunk_interval, currency)})"))


def chosen(found: Experiments) -> Experiments:
    """Those that the search and the filter leave, in the order asked for."""
    search, status, order = st.columns([3, 4, 2])
    text = search.text_input("Search", key="search", bind="query-params", placeholder="name or description")
    kept = status.pills("Status", STATUSES, selection_mode="multi", format_func=f.words, key="status")
    by = order.selectbox("Order", list(ORDERS), key="order")
    words = (text or "").casefold().split()
    matching = (
        one
        for one in found
        if (one.status in kept if kept else one.status != "archived")
        and all(word in f"{one.name} {one.description}".casefold() for word in words)
    )
    return tuple(sorted(matching, key=ORDERS[by]))


def impacts(shown: Experiments) -> None:
    """Impact by experiment with its interval, one chart for each currency."""
    measured = [one for one in shown if one.finding and one.finding.total_impact is not None]
    if not measured:
        st.caption("None of these has a total yet.")
        return
    for currency in sorted({one.currency for one in measured}):
        of_currency = [one for one in measured if one.currency == currency][:MOST_BARS]
        names = f.told_apart({one.id: one.name for one in of_currency})
        bars = [_bar(one, names[one.id]) for one in of_currency]
        widgets.chart(
            figures.forest(bars, f"Observed impact with its interval ({currency})", currency=currency),
            name=f"impact-by-experiment-{currency}",
            alt=f"Observed impact with its interval of {len(of_currency)} experiments in {currency}.",
        )
    if len(measured) > MOST_BARS:
        st.caption(f"The first {MOST_BARS} in the chosen order; the list has all.")


def _bar(one: ExperimentDefinition, name: str) -> figures.Estimate:
    """One line of the chart."""
    finding = one.finding
    assert finding is not None
    assert finding.total_impact is not None
    label = f"{name} (SIMULATED)" if one.is_simulated else name
    amount = f.money(finding.total_impact, one.currency, signed=True)
    words = f"{amount} ({f.money_interval(_interval(one), one.currency)})"
    return figures.Estimate(label, finding.total_impact, finding.total_lower, finding.total_upper, words)


def _interval(one: ExperimentDefinition) -> Interval | None:
    finding = one.finding
    if finding is None or finding.total_lower is None or finding.total_upper is None:
        return None
    return Interval(lower=finding.total_lower, upper=finding.total_upper)


def listing(shown: Sequence[ExperimentDefinition]) -> None:
    """A page of them with links, and archiving of those that are ticked."""
    pages = -(-len(shown) // PAGE)
    page = st.number_input("Page", 1, pages, key="page") if pages > 1 else 1
    for one in shown[(int(page) - 1) * PAGE : int(page) * PAGE]:
        _line(one)
    _archiving(shown)


def _line(one: ExperimentDefinition) -> None:
    with st.container(border=True):
        tick, name, status, money = st.columns([1, 6, 3, 5], vertical_alignment="center")
        tick.checkbox(f"Mark {one.name}", key=f"mark {one.id}", label_visibility="collapsed")
        name.page_link("pages/results.py", label=f"**{f.plain(one.name)}**", query_params={"experiment": one.id})
        with status.container(horizontal=True):
            st.badge(f.words(one.status), color="green" if one.status == "complete" else "blue")
            if one.is_simulated:
                widgets.simulated_badge()
        if one.finding is None:
            money.caption("Not analysed yet")
            return
        money.markdown(
            f"**{f.plain(f.money(one.finding.total_impact, one.currency, signed=True))}** "
            f"({f.plain(f.money_interval(_interval(one), one.currency))})"
        )
        name.caption(f.plain(f.said(one.finding.sentence)))


def _archiving(shown: Sequence[ExperimentDefinition]) -> None:
    if done := st.session_state.pop(ARCHIVED, None):
        st.success(done, icon=":material/check:")
    if error := st.session_state.pop(FAILED, None):
        widgets.failure(error)
    marked = [one for one in shown if st.session_state.get(f"mark {one.id}") and one.status != "archived"]
    if not session.caller().may("analyst"):
        return
    if not marked:
        st.caption("Tick experiments to archive them together.")
        return
    with st.popover(f"Archive {len(marked)} marked", icon=":material/archive:", type="primary"):
        st.write("Takes them out of the list and the totals for good. Nothing of them is deleted.")
        st.button("Archive now", type="primary", on_click=_archive, args=(marked,))


def _archive(marked: Sequence[ExperimentDefinition]) -> None:
    done = 0
    try:
        session.require("analyst")
        for one in marked:
            experiments.move_status(session.context(), one.id, "archived", expected_version=one.version)
            done += 1
    except RallyError as error:
        st.session_state[FAILED] = error
    if done:
        st.session_state[ARCHIVED] = f"{done} archived. Nothing of them is deleted; the status Archived shows them."


def downloads() -> None:
    """The whole list as files."""
    with st.container(horizontal=True):
        widgets.download(
            "All as CSV",
            lambda: exports.portfolio_csv(session.connection()),
            file_name="experiments.csv",
            mime="text/csv",
        )
        widgets.download(
            "All as JSON",
            lambda: exports.portfolio_json(session.connection()),
            file_name="experiments.json",
            mime="application/json",
        )
