"""The pictures of the README's tour, taken from the real app: run by `make screenshots`, not with the tests."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from rallyuxr.models import ExperimentDefinition
from tests.browser.workbench import PROJECT, settled

IMAGES = PROJECT / "docs" / "images"
STOPS = {
    "overview": ("/", 760),
    "create": ("/create", 1150),
    "metric-values": ("/metric_values", 860),
    "results": ("/results?experiment={id}", 1700),
    "results-money": ("/results?experiment={id}&section=Money", 1180),
    "results-assumptions": ("/results?experiment={id}&section=Assumptions", 1250),
    "results-derivation": ("/results?experiment={id}&section=How it was made", 1180),
    "results-what-if": ("/results?experiment={id}&section=What if", 1180),
}


@pytest.mark.parametrize("name", STOPS)
def test_stop(visit: Callable[..., Page], example: ExperimentDefinition, name: str):
    path, height = STOPS[name]
    page = visit(path.format(id=example.id))
    page.set_viewport_size({"width": 1280, "height": height})
    settled(page)
    page.screenshot(path=IMAGES / f"{name}.png")
