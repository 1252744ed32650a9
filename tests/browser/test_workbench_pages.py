"""Every page of the workbench in Chromium: legible and accessible at every width, in light and dark."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Barriers, Picture, Screen, Visit

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("path", ["/", "/create", "/metric_values", "/operations", "/order_form"])
def test_every_page_reads_at_every_width_and_in_both_schemes(
    visit: Visit, barriers: Barriers, picture: Picture, example: object, path: str, screen: Screen
):
    page = visit(path, width=screen.width, scheme=screen.scheme)
    expect(page.get_by_test_id("stHeading").first).to_be_visible()
    picture(page)
    assert not barriers(page)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
