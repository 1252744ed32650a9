"""What the merchants' pages read. Every cached answer is kept under the merchant it belongs to."""

from datetime import date

import streamlit as st

from rallyuxr.dashboard.session import connection
from rallyuxr.models.aggregate import Analytics, AnalyticsGranularity, Comparison
from rallyuxr.models.order import Merchant, Order
from rallyuxr.services.analytics import AnalyticsQuery, read_analytics
from rallyuxr.services.merchants import list_merchants
from rallyuxr.services.orders import recent_orders

FRESH_SECONDS = 5
ENTRIES = 64


def merchants() -> tuple[Merchant, ...]:
    """Every merchant, as of now."""
    return list_merchants(connection())


@st.cache_data(ttl=FRESH_SECONDS, max_entries=ENTRIES, show_spinner=False)
def analytics(
    merchant_id: str,
    granularity: AnalyticsGranularity,
    first: date,
    last: date,
    compare: Comparison | None = None,
) -> Analytics:
    """One merchant's rows of the days `[first, last)`, every page of them."""
    parts = []
    token = None
    while True:
        query = AnalyticsQuery(granularity, first, last, compare=compare, next_token=token)
        found = read_analytics(connection(), merchant_id, query).analytics
        assert found is not None, "without a known version there is always an answer"
        parts.append(found)
        token = found.next_token
        if token is None:
            return _joined(parts)


def newest_orders(merchant_id: str, limit: int) -> tuple[Order, ...]:
    """One merchant's newest orders, as of now."""
    return recent_orders(connection(), merchant_id, limit=limit).orders


def _joined(parts: list[Analytics]) -> Analytics:
    first = parts[0]
    whole = first.range.model_copy(update={"rows": tuple(row for part in parts for row in part.range.rows)})
    earlier = first.comparison and first.comparison.model_copy(
        update={"rows": tuple(row for part in parts if part.comparison for row in part.comparison.rows)}
    )
    return first.model_copy(update={"range": whole, "comparison": earlier, "next_token": None})
