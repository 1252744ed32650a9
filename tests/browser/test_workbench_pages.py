"""Every page of the workbench in Chromium: legible and accessible at every width, in light and dark."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Barriers, Picture, Visit
from tests.browser.workbench import WIDTHS

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", ["/", "/create", "/metric_values", "/operations", "/order_form"])
def test_every_page_reads_at_every_width_and_in_both_schemes(
    visit: Visit,
    barriers: Barriers,
    picture: Picture,
    example: object,
    path: str,
    width: str,
    scheme: str,
):
    page = visit(path, width=WIDTHS[width], scheme=scheme)
    expect(page.get_by_test_id("stHeading").first).to_be_visible()
    picture(page)
    assert not barriers(page)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
