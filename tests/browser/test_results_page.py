"""The results page as a person uses it, in Chromium."""

import pytest
from playwright.sync_api import Page, expect

from rallyuxr.models import ExperimentDefinition
from tests.browser.workbench import WIDTHS, settled

pytestmark = pytest.mark.browser
SECTIONS = ("Metrics", "Money", "Assumptions", "How it was made", "What if", "Compare", "Export")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_every_section_reads_at_every_width_and_in_both_schemes(
    visit, picture, barriers, example: ExperimentDefinition, width: int, scheme: str
):
    page: Page = visit(f"/results?experiment={example.id}", width=width, scheme=scheme)
    expect(page.get_by_role("heading", name=example.name)).to_be_visible()
    for section in SECTIONS:
        page.get_by_role("tab", name=section).click()
        settled(page)
        picture(page, f"-{section.replace(' ', '-')}")
        assert not page.get_by_test_id("stException").count(), section
        assert not barriers(page), section
