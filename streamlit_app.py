"""The workbench's frame: page configuration, sign-in, identity and navigation. Pages hold the rest."""

from pathlib import Path
from typing import Literal

import streamlit as st

from rallyuxr.dashboard import session, tables, widgets
from rallyuxr.errors import Forbidden
from rallyuxr.local import ensure_deployment
from rallyuxr.settings import LOCAL_STAGE, Settings

HERE = Path(__file__).parent
FOLDER = HERE / "pages"
IMAGES = HERE / "docs" / "images"
PAGES = (
    ("overview.py", "Overview", ":material/monitoring:"),
    ("create.py", "New experiment", ":material/add_circle:"),
    ("results.py", "Results", ":material/query_stats:"),
    ("metric_values.py", "Metric values", ":material/payments:"),
    ("merchants.py", "Merchants", ":material/storefront:"),
    ("order_form.py", "Order form", ":material/shopping_cart:"),
    ("operations.py", "Operations", ":material/health_metrics:"),
)


@st.cache_resource(show_spinner="Starting the embedded cloud")
def embedded_cloud() -> None:
    """Start the embedded cloud, or use the one that runs, where the environment names no deployment."""
    ensure_deployment()


def navigation(position: Literal["sidebar", "hidden"]) -> st.Page:
    """The pages that exist; without this call Streamlit would list the folder's files itself."""
    pages = [
        st.Page(FOLDER / file, title=title, icon=icon) for file, title, icon in PAGES if (FOLDER / file).exists()
    ]
    return st.navigation(pages, position=position)


def identity() -> None:
    """Which deployment this is, and who is signed in; who has no role is told so, with the way out beside it."""
    stage = Settings.from_environment().stage
    with st.sidebar:
        st.caption(
            ":material/laptop_mac: Embedded cloud on this machine"
            if stage == LOCAL_STAGE
            else f":material/cloud: Deployment **{stage}**"
        )
    try:
        caller = session.caller()
    except Forbidden as refusal:
        widgets.failure(refusal)
        sign_out()
        st.stop()
    with st.sidebar:
        sign_out()
        if caller.name:
            st.caption(f":material/person: {caller.name} ({caller.role})")


def sign_out() -> None:
    """The way out, where one signs in."""
    if session.sign_in_configured():
        st.button("Sign out", on_click=st.logout, icon=":material/logout:")


st.set_page_config(page_title="RallyUXR", page_icon=IMAGES / "icon.svg", layout="wide")
st.html(tables.STYLE)
st.html(widgets.STYLE)
st.logo(IMAGES / "logo.svg", size="large")
if session.sign_in_configured() and not st.user.get("is_logged_in"):
    navigation("hidden")
    st.title("RallyUXR")
    st.write("What was a product change worth, and how sure are we?")
    st.button("Sign in", on_click=st.login, type="primary", icon=":material/login:")
    st.stop()

page = navigation("sidebar")
session.enter()
with widgets.explained():
    embedded_cloud()
    identity()
    with st.sidebar:
        widgets.choose_image_format()
    page.run()
