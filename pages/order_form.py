"""Enter an order by hand, watch its total, and see it among the newest."""

import streamlit as st

from rallyuxr.dashboard import merchant_loaders, merchant_widgets, order_entry, session, widgets

session.through_entrypoint()
RECENT = 15

st.title("Order form")
merchants = merchant_loaders.merchants()
session.require("analyst")
if not merchants:
    widgets.empty("No merchants yet", "Register the first one; then enter its orders here.")
    merchant_widgets.register_merchant()
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    merchant = merchant_widgets.pick_merchant(merchants)
    with st.popover("Register a merchant", icon=":material/storefront:"):
        merchant_widgets.register_merchant()

order = order_entry.details(merchant, session.connection().clock())
st.subheader("Articles")
order["items"] = order_entry.lines(merchant)
total, button = st.columns([3, 1], vertical_alignment="bottom")
total.metric("Total", order_entry.running_total(merchant, order))
if button.button("Place order", type="primary", icon=":material/shopping_cart_checkout:", width="stretch"):
    order_entry.place(order)

st.subheader("Newest orders")
newest = merchant_loaders.newest_orders(merchant.merchant_id, RECENT)
if newest:
    order_entry.recent(newest)
else:
    widgets.empty("No orders yet", "Place the first one above.")
