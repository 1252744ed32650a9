"""What one unit of each metric is worth: read it, change it under its version, see what that does first."""

import streamlit as st

from rallyuxr.dashboard import price_editing, price_history, session, widgets
from rallyuxr.services import metric_values

session.through_entrypoint()
st.title("Metric values")
st.caption("What one more unit of a metric is worth. Analyses keep the price they were made with.")
prices = metric_values.list_metric_values(session.connection())
price_editing.announce()

with st.popover("New metric", icon=":material/add:"):
    price_editing.create()
if not prices:
    widgets.empty("No metric has a price yet", "Press *New metric* and say what one unit of it is worth.")
    st.stop()

price_history.overview(prices)
chosen = price_history.pick(prices)
edit, history = st.tabs(["Change", "History"])
with edit:
    price_editing.change(chosen)
with history:
    price_history.history(chosen)
