"""A new experiment: what is changed, what is watched, what it could detect, and where its data comes from."""

import streamlit as st

from rallyuxr.dashboard import launch, plan_data, plan_form, planning_panel, session
from rallyuxr.services import metric_values

session.through_entrypoint()
st.title("New experiment")
session.require("analyst")
if launch.watch():
    st.stop()

prices = {price.metric_id: price for price in metric_values.list_metric_values(session.connection())}
plan_form.keep()
plan_form.templates()
left, right = st.columns([3, 2], gap="large")
with left:
    plan_form.what()
    plan_form.metrics(prices)
    plan_form.when()
    plan_form.money()
    plan_data.source()
with right:
    plan, problems = plan_form.plan()
    planning_panel.panel(plan, prices)
with left:
    upload = plan_data.details(plan, prices)
    plan_form.problems(problems)
    launch.button(plan, upload)
