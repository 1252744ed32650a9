"""Is the pipeline healthy, what waits, what failed and why, and who changed what."""

import streamlit as st

from rallyuxr.dashboard import operations_panels as panels
from rallyuxr.dashboard import session

session.through_entrypoint()
st.title("Operations")
panels.health()
failures, sizes, trail = st.tabs(["Failures", "Stored", "Who changed what"])
with failures:
    panels.failures()
    panels.repair()
with sizes:
    panels.sizes()
with trail:
    panels.audit_trail()
