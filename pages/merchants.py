"""One merchant's orders: how much, when, what, by whom, against an earlier range."""

from datetime import timedelta
from functools import partial

import streamlit as st

from rallyuxr.aggregation.calendar import orders_by_hour_of_week, table_csv
from rallyuxr.dashboard import merchant_figures, merchant_loaders, merchant_widgets, session, widgets
from rallyuxr.dashboard.formatting import money, plain

session.through_entrypoint()
st.title("Merchants")
merchants = merchant_loaders.merchants()
if not merchants:
    widgets.empty("No merchants yet", "Register the first one, then enter its first order.")
    st.page_link("pages/order_form.py", label="Open the order form", icon=":material/shopping_cart:")
    st.stop()

now = session.connection().clock()
who, when, by, against = st.columns([3, 4, 2, 3])
with who:
    merchant = merchant_widgets.pick_merchant(merchants)
with when:
    first, last = merchant_widgets.pick_range(merchant, now)
with by:
    granularity = merchant_widgets.pick_granularity(first, last)
with against:
    compare = merchant_widgets.pick_comparison()

analytics = merchant_loaders.analytics(merchant.merchant_id, granularity, first, last, compare)
current, last_day = analytics.range, last - timedelta(days=1)
st.header(plain(merchant.name))
merchant_widgets.freshness(merchant, analytics.freshness)
if not current.rows:
    widgets.empty("No orders in this range", "Choose a longer range, or look at another merchant.")
    st.stop()

merchant_widgets.not_over(analytics, now)
merchant_widgets.tiles(analytics, now)
for title, measure in (
    (f"Net sales ({merchant.currency})", lambda row: float(row.net)),
    ("Orders", lambda row: row.orders),
):
    figure = merchant_figures.over_time(analytics, measure, title=title, until=now)
    widgets.chart(figure, name=f"{merchant.merchant_id} {title}", alt=f"{title} over time, {first} to {last_day}")

st.subheader("When customers order")
heat_first = max(first, last - timedelta(days=merchant_widgets.MOST_HOURLY_DAYS))
hourly = merchant_loaders.analytics(merchant.merchant_id, "hourly", heat_first, last)
heat = orders_by_hour_of_week(hourly.range.rows, merchant, heat_first, last, until=now)
widgets.chart(
    merchant_figures.hour_of_week(heat), name="hour of week", alt="Mean orders by weekday and hour of the day"
)
st.caption(f"Mean orders in each hour of the week that is over, {heat_first} to {last_day}, {merchant.time_zone}.")

products, channels = st.columns(2)
with products:
    st.subheader("Products")
    best = current.totals.products or ()
    figure = merchant_figures.shares(
        [part.sku for part in best],
        [float(part.gross) for part in best],
        title=f"Gross sales ({merchant.currency})",
    )
    widgets.chart(figure, name="products", alt="Gross sales of the best-selling products")
with channels:
    st.subheader("Channels")
    parts = current.totals.channels or {}
    figure = merchant_figures.shares(
        list(parts), [float(part.net) for part in parts.values()], title=f"Net sales ({merchant.currency})"
    )
    widgets.chart(figure, name="channels", alt="Net sales by channel")

st.subheader("New and returning customers")
widgets.chart(
    merchant_figures.customers(analytics, until=now),
    name="customers",
    alt="New and returning customers over time",
)
st.caption("A customer is new where their first order with this merchant was placed, whatever became of it.")

refunded = money(current.totals.refunds, merchant.currency)
st.caption(
    plain(f"Net sales are goods after discounts and refunds ({refunded} refunded), without shipping and tax.")
)
widgets.download(
    "Download these rows",
    partial(table_csv, current.rows),
    file_name=f"{merchant.merchant_id}-{granularity}-{first}-{last}.csv",
    mime="text/csv",
)
