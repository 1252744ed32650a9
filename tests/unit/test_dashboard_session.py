"""Who may do what: nobody signs in on loopback, everybody does elsewhere, and roles come from verified claims."""

import ast
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from rallyuxr.dashboard import session
from rallyuxr.dashboard.session import Caller, granted_role
from rallyuxr.errors import Forbidden

ENTRYPOINT = Path(__file__).parents[2] / "streamlit_app.py"
RULES = {"admin": ["ada@example.com"], "analyst": ["*@example.com"], "claim": "cognito:groups"}


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"email": "ADA@example.com", "email_verified": True}, "admin"),
        ({"email": "bob@example.com", "email_verified": True}, "analyst"),
        ({"email": "ada@example.com", "email_verified": False}, None),
        ({"email": "ada@example.com"}, None),
        ({"email": "eve@example.com.evil.org", "email_verified": True}, None),
        ({"cognito:groups": ["viewer"]}, "viewer"),
        ({"cognito:groups": "analyst"}, "analyst"),
        ({"roles": ["admin"]}, None),
        ({"cognito:groups": ["viewer"], "merchant_id": "berlin-books"}, None),
        ({"email": "ada@example.com", "email_verified": True, "merchant_id": []}, None),
        ({}, None),
    ],
)
def test_the_role_is_the_highest_that_verified_claims_give(claims: dict[str, object], role: str | None):
    assert granted_role(claims, RULES) == role


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost"])
def test_on_loopback_nobody_signs_in(monkeypatch: pytest.MonkeyPatch, address: str):
    monkeypatch.setattr(st, "get_option", lambda name: address)
    assert session.caller() == Caller(None, "admin")


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "192.0.2.7", "workbench.example.com"])
def test_where_others_can_reach_it_nothing_works_without_sign_in(
    monkeypatch: pytest.MonkeyPatch, address: str | None
):
    monkeypatch.setattr(st, "get_option", lambda name: address)
    with pytest.raises(Forbidden, match="nobody has to sign in"):
        session.caller()


def test_a_viewer_is_told_which_role_is_needed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(session, "caller", lambda: Caller("vera", "viewer"))
    with pytest.raises(Forbidden, match="needs the role analyst; you are signed in as viewer"):
        session.require("analyst")


def test_with_an_identity_provider_the_first_thing_is_a_sign_in():
    page = AppTest.from_file(str(ENTRYPOINT), default_timeout=30)
    page.secrets["auth"] = {"redirect_uri": "http://localhost/oauth2callback", "client_id": "rallyuxr"}
    page.run()
    assert not page.exception
    assert [button.label for button in page.button] == ["Sign in"]
    assert not page.sidebar.caption


def test_every_page_starts_over_through_the_entrypoint():
    for page in (ENTRYPOINT.parent / "pages").glob("*.py"):
        statements = ast.parse(page.read_text()).body[1:]
        first = next(line for line in statements if not isinstance(line, ast.Import | ast.ImportFrom))
        assert ast.unparse(first) == "session.through_entrypoint()", page.name
