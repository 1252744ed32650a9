"""Sign-in by OIDC from the first click to the sign-out, with a provider of the test's own."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from rallyuxr.local import Deployment
from rallyuxr.models import ExperimentDefinition
from tests.browser.conftest import Barriers, Picture, Screen
from tests.browser.identity_provider import CLIENT, identity_provider
from tests.browser.workbench import serve, settled, unfold

pytestmark = pytest.mark.browser
SECRETS = """
[auth]
redirect_uri = "{app}/oauth2callback"
cookie_secret = "only-for-this-test-0123456789abcdef"
client_id = "{client}"
client_secret = "secret"
server_metadata_url = "{issuer}/.well-known/openid-configuration"

[roles]
analyst = ["ann@example.com"]
viewer = ["*@example.com"]
"""
SignIn = Callable[[Mapping[str, Any], str], Page]


@pytest.fixture
def sign_in(
    deployment: Deployment,
    browser: Browser,
    screen: Screen,
    console: Callable[[Page], None],
    barriers: Barriers,
    picture: Picture,
    tmp_path: Path,
):
    """Sign in with these claims at this path; the page is settled when it comes back."""
    with ExitStack() as stack:

        def open_page(claims: Mapping[str, Any], path: str) -> Page:
            issuer = stack.enter_context(identity_provider(claims))
            secrets = tmp_path / "secrets.toml"
            secrets.write_text("")
            options = {"STREAMLIT_SECRETS_FILES": str(secrets)}
            app = stack.enter_context(serve({**deployment.environment(), **options}))
            secrets.write_text(SECRETS.format(app=app, client=CLIENT, issuer=issuer))
            size = {"width": screen.width, "height": 900}
            page = stack.enter_context(browser.new_context(viewport=size, color_scheme=screen.scheme)).new_page()
            console(page)
            page.goto(app + path)
            settled(page)
            expect(page.get_by_test_id("stMetric")).to_have_count(0)
            expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(0)
            assert not barriers(page)
            picture(page, "-before")
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("button", name="Sign out")).to_be_attached(timeout=60_000)
            page.goto(app + path)
            settled(page)
            return page

        yield open_page


def test_a_viewer_reads_and_changes_nothing(
    sign_in: SignIn, example: ExperimentDefinition, picture: Picture, barriers: Barriers
):
    page = sign_in({"email": "vera@example.com", "email_verified": True}, f"/results?experiment={example.id}")
    unfold(page)
    expect(page.get_by_text("vera@example.com (viewer)")).to_be_visible()
    expect(page.get_by_role("heading", name=example.name)).to_be_visible()
    expect(page.get_by_role("button", name="Re-run with today's prices")).to_have_count(0)
    picture(page)
    assert not barriers(page)


@pytest.mark.slow
def test_an_analyst_may_run_again(sign_in: SignIn, example: ExperimentDefinition):
    page = sign_in({"email": "ann@example.com", "email_verified": True}, f"/results?experiment={example.id}")
    expect(page.get_by_role("button", name="Re-run with today's prices")).to_be_visible()


@pytest.mark.slow
def test_an_address_that_nobody_verified_opens_nothing(
    sign_in: SignIn, example: ExperimentDefinition, picture: Picture, barriers: Barriers
):
    page = sign_in({"email": "ann@example.com", "email_verified": False}, f"/results?experiment={example.id}")
    expect(page.get_by_text("has no role here")).to_be_visible()
    expect(page.get_by_test_id("stMetric")).to_have_count(0)
    picture(page)
    assert not barriers(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
