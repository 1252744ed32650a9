"""What one unit of each metric is worth: read it, change it under its version, see what that does first."""

import streamlit as st

from rallyuxr.dashboard import price_changes, price_draft, price_form, price_history, price_table, session, widgets
from rallyuxr.services import metric_values

session.through_entrypoint()
st.title("Metric values")
st.caption("What one more unit of a metric is worth. Analyses keep the price they were made with.")
prices = metric_values.list_metric_values(session.connection())
price_form.announce()

with st.popover("New metric", icon=":material/add:"):
    price_form.create()
if not prices:
    widgets.empty("No metric has a price yet", "Press *New metric* and say what one unit of it is worth.")
    st.stop()

table, history = st.tabs(["Prices", "History"])
with table:
    shown = price_table.chosen(prices)
    if session.caller().may("admin"):
        price_draft.follow(prices)
        price_table.fields(shown)
        price_changes.changes(prices)
    else:
        price_table.overview(shown)
        st.info("Only administrators change prices.")
with history:
    price_history.history(price_history.pick(prices))
