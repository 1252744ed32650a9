"""Every experiment: what all of them were worth, which ones, and how sure that is."""

import streamlit as st

from rallyuxr.dashboard import example, portfolio_panels, session, widgets
from rallyuxr.services import portfolio

session.through_entrypoint()
if example.just_loaded():
    st.switch_page("pages/create.py")
st.title("Overview")
experiments = portfolio_panels.all_experiments(portfolio.portfolio_state(session.connection()))
if not experiments:
    widgets.empty(
        "What was it worth, and how sure are we?",
        "Create an experiment from a file, from orders or from the simulator; or load a finished example first. "
        "The example is simulated and says so everywhere.",
        icon=":material/query_stats:",
    )
    with st.container(horizontal=True, horizontal_alignment="center", vertical_alignment="center"):
        example.button()
        st.page_link("pages/create.py", label="Create the first experiment", icon=":material/add_circle:")
    st.stop()

portfolio_panels.totals(experiments)
shown = portfolio_panels.chosen(experiments)
if not shown:
    widgets.empty("Nothing matches", "Change the search or the filter.")
    st.stop()
by_impact, as_list = st.tabs(["By impact", "List"])
with by_impact:
    portfolio_panels.impacts(shown)
with as_list:
    portfolio_panels.listing(shown)
portfolio_panels.downloads()
