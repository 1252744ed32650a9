"""Parts of the merchants' pages: what to look at, how current it is, and the tiles."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st
from pydantic import ValidationError

from rallyuxr.aggregation.calendar import running_start
from rallyuxr.dashboard import merchant_figures, session, widgets
from rallyuxr.dashboard.formatting import day, level, moment, money, number, relative
from rallyuxr.errors import RallyError
from rallyuxr.models.aggregate import Analytics, AnalyticsGranularity, AnalyticsRow, Comparison, Freshness
from rallyuxr.models.order import Merchant
from rallyuxr.services.analytics import MOST_DAYS
from rallyuxr.services.merchants import add_merchant

MOST_HOURLY_DAYS = 91
DEFAULT_DAYS = 28
_TILES = ("Net sales", "Orders", "Average order value", "New customers")
_MONEY_TILES = ("Net sales", "Average order value")
_COMPARISONS: dict[str, Comparison | None] = {
    "the range before": "previous",
    "52 weeks earlier": "last_year",
    "nothing": None,
}


def pick_merchant(merchants: Sequence[Merchant]) -> Merchant:
    """The merchant to look at; the address names it, `?merchant=…`."""
    by_id = {each.merchant_id: each for each in merchants}
    names = {merchant_id: each.name for merchant_id, each in by_id.items()}
    return by_id[str(widgets.choose_by_address("Merchant", names, parameter="merchant", first=True))]


def pick_range(merchant: Merchant, now: datetime) -> tuple[date, date]:
    """The days to look at, as `[first, last)`; the page stops until both ends are chosen."""
    today = merchant.day_of(now)
    chosen = st.date_input(
        f"Days ({merchant.time_zone})",
        value=(today - timedelta(days=DEFAULT_DAYS - 1), today),
        max_value=today,
        key=f"days {merchant.merchant_id}",
    )
    if not isinstance(chosen, tuple) or len(chosen) != 2:
        st.info("Choose the last day as well.")
        st.stop()
    first, last = chosen
    return max(first, last + timedelta(days=1 - MOST_DAYS["daily"])), last + timedelta(days=1)


def pick_granularity(first: date, last: date) -> AnalyticsGranularity:
    """Hours or days; hours for at most a quarter of a year."""
    short = last - first <= timedelta(days=MOST_HOURLY_DAYS)
    chosen = st.segmented_control(
        "By", ["Day", "Hour"], default="Day", required=True, disabled=not short, key="granularity"
    )
    return "hourly" if short and chosen == "Hour" else "daily"


def pick_comparison() -> Comparison | None:
    """What to compare with."""
    return _COMPARISONS[st.selectbox("Compare with", list(_COMPARISONS), key="compare")]


def freshness(merchant: Merchant, known: Freshness) -> None:
    """When the newest order was placed and counted, in the reader's time zone."""
    if known.last_order_at is None:
        st.caption(f"{merchant.name} has no orders yet.")
        return
    zone = session.time_zone()
    counted = moment(known.aggregated_at, zone) if known.aggregated_at else "not yet"
    st.caption(f":material/schedule: Newest order {moment(known.last_order_at, zone)}; its day counted {counted}.")


def not_over(analytics: Analytics, now: datetime) -> None:
    """Which hour or day of the merchant the charts show as far as it has come."""
    if not merchant_figures.runs(analytics, now):
        return
    zone_name, hourly = analytics.merchant.time_zone, analytics.granularity == "hourly"
    zone = ZoneInfo(zone_name)
    start = running_start(analytics.merchant, analytics.granularity, now).astimezone(zone)
    which = f"The hour from {start:%H:%M}" if hourly else day(start, zone)
    compared = " The tiles' changes leave it out." if analytics.comparison else ""
    st.caption(
        f":material/hourglass_bottom: {which} ({zone_name}) is not over: its points are hollow, its bar is hatched."
        + compared
    )


def tiles(analytics: Analytics, now: datetime) -> None:
    """The range in numbers, each with its change against the comparison; conversion where visits were counted.

    A change leaves out the hour or day that is not over, and what it would be compared with.
    """
    currency, shown = analytics.merchant.currency, _tallied(analytics.range.rows)
    finished, earlier = merchant_figures.finished(analytics, now)
    changes = {name: _change(value, _tallied(earlier).get(name)) for name, value in _tallied(finished).items()}
    with st.container(horizontal=True):
        for label in _TILES:
            amount = shown.get(label)
            written = money(amount, currency) if label in _MONEY_TILES else number(amount)
            st.metric(label, written, border=True, **changes.get(label, {}))
        if (conversion := shown.get("Conversion")) is not None:
            hours = number(sum(row.visit_hours or 0 for row in analytics.range.rows))
            st.metric(
                "Conversion",
                level(100 * conversion, "%"),
                border=True,
                **changes.get("Conversion", {}),
                help=f"Orders per visit in the {hours} hours whose visits were counted",
            )


def register_merchant() -> None:
    """A form that registers a merchant."""
    with st.form("merchant form", clear_on_submit=True):
        merchant_id = st.text_input("Id", placeholder="berlin-books", help="Letters, digits, - and _")
        name = st.text_input("Name", placeholder="Berlin Books")
        time_zone = st.text_input("Time zone", value="UTC", help="Decides which day an order belongs to; it stays")
        currency = st.text_input("Currency", value="USD", max_chars=3, help="Of all its orders; it stays")
        sent = st.form_submit_button("Register merchant", icon=":material/storefront:")
    if sent:
        _register(merchant_id, name, time_zone, currency)


def _register(merchant_id: str, name: str, time_zone: str, currency: str) -> None:
    try:
        merchant = Merchant(merchant_id=merchant_id, name=name, time_zone=time_zone, currency=currency.upper())
        add_merchant(session.context(), merchant)
    except ValidationError as problem:
        st.error("; ".join(f"{each['loc'][0]}: {each['msg']}" for each in problem.errors()))
    except RallyError as problem:
        st.error(problem.message)
    else:
        st.rerun()


def _change(amount: float | None, earlier: float | None) -> dict[str, Any]:
    """What a tile says of the change, relative to before; nothing where there was nothing."""
    if amount is None or not earlier:
        return {}
    moved = amount / earlier - 1
    if not moved:
        return {"delta": relative(moved), "delta_color": "off", "delta_arrow": "off"}
    fell = moved < 0
    return {
        "delta": relative(moved),
        "delta_color": "inverse" if fell else "normal",
        "delta_arrow": "down" if fell else "up",
    }


def _tallied(rows: Sequence[AnalyticsRow]) -> dict[str, float]:
    """The tiles' numbers of these hours or days together, without those that would divide by nothing."""
    net, orders = float(sum(row.net or 0 for row in rows)), sum(row.orders or 0 for row in rows)
    visits, came = (sum(getattr(row, name) or 0 for row in rows) for name in ("visits", "visit_orders"))
    tallied = {"Net sales": net, "Orders": float(orders)}
    if orders:
        tallied["Average order value"] = net / orders
    tallied["New customers"] = float(sum(row.new_customers or 0 for row in rows))
    return tallied | ({"Conversion": came / visits} if visits else {})
