"""Prices in words, and as they were."""

from collections.abc import Sequence
from datetime import tzinfo

import plotly.graph_objects as go
import streamlit as st

from rallyuxr.dashboard import figures, session, widgets
from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard.tables import html_table
from rallyuxr.models import MetricValue, MetricValueVersion
from rallyuxr.services import exports, metric_values

PER = {
    "participant": "for each treated participant",
    "day": "for each day of the experiment",
    "experiment": "over the whole experiment",
}
MORE = {"higher_is_better": "more", "lower_is_better": "less"}


def sentence(price: MetricValue) -> str:
    """What the price says, in words.

    >>> from rallyuxr.models import MetricValue
    >>> sentence(MetricValue(metric_id="ctr", name="CTR", dollars_per_unit=3, unit="%", unit_scale=100,
    ...     description="ten letters", category="other", last_updated="2025-01-01", version=1))
    'One percentage point more is worth $3.00 over the whole experiment.'
    """
    more = MORE[price.direction]
    worth = f.price(price.dollars_per_unit, price.currency)
    return f"One {f.one(price.unit)} {more} is worth {worth} {PER[price.exposure]}."


def pick(prices: Sequence[MetricValue]) -> MetricValue:
    """The metric to look at; the address names it, `?metric=…`."""
    by_id = {price.metric_id: price for price in prices}
    names = {metric_id: price.name for metric_id, price in by_id.items()}
    return by_id[str(widgets.choose_by_address("Metric", names, parameter="metric", first=True))]


def history(price: MetricValue) -> None:
    """Every version with its reason and author, as a step chart, a table and a file."""
    versions, zone = metric_values.metric_history(session.connection(), price.metric_id), session.time_zone()
    widgets.chart(
        _steps(versions, price, zone),
        name=f"price-of-{price.metric_id}",
        alt=f"The price of {price.name} over time: {len(versions)} versions, "
        f"now {f.price(price.dollars_per_unit, price.currency)}.",
    )
    rows = [
        {
            "Version": str(entry.version),
            "Price": f.price(entry.dollars_per_unit, price.currency),
            "When": f.moment(entry.updated_at, zone),
            "Who": entry.updated_by or "nobody signed in",
            "Why": entry.change_reason or f.ABSENT,
        }
        for entry in versions
    ]
    st.html(html_table(rows))
    widgets.download(
        "History as CSV",
        lambda: exports.price_history_csv(session.connection(), price.metric_id),
        file_name=f"{price.metric_id}-history.csv",
        mime="text/csv",
    )


def _steps(versions: Sequence[MetricValueVersion], price: MetricValue, zone: tzinfo) -> go.Figure:
    oldest_first = versions[::-1]
    return figures.steps(
        [entry.updated_at for entry in oldest_first],
        [float(entry.dollars_per_unit) for entry in oldest_first],
        until=session.connection().clock(),
        axis=f"{price.currency} per {f.one(price.unit)}",
        zone=zone,
    )
