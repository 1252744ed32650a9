"""A new experiment: what is changed, what is watched, what it could detect, and where its data comes from."""

import streamlit as st

from rallyuxr.dashboard import draft, launch, plan_data, plan_form, planning_panel, session
from rallyuxr.services import metric_values

session.through_entrypoint()
st.title("New experiment")
session.require("analyst")
prices = {price.metric_id: price for price in metric_values.list_metric_values(session.connection())}
if launch.watch(prices):
    st.stop()

draft.begin()
plan_form.templates()
plan, problems = draft.plan()
left, right = st.columns([3, 2], gap="large")
with left:
    plan_form.what(problems)
    plan_form.metrics(prices, problems)
    plan_form.when()
    plan_form.money(problems)
with right:
    planning_panel.panel(plan, prices, problems)
plan_data.source()
upload = plan_data.details(plan, prices, problems)
launch.button(plan, upload, problems)
