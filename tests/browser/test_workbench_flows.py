"""What a person does with the workbench, from an empty one to dollars, in a real browser."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rallyuxr.models import UpdateMetricValue
from rallyuxr.services import listing, metric_values
from rallyuxr.services.context import Context
from tests.browser.conftest import Visit
from tests.browser.workbench import WIDTHS, settled

pytestmark = pytest.mark.browser
PIPELINE = 60_000
HEADER = "timestamp,metric,arm,value,sample_size\n"


def hourly_csv(*, lift: float, damage: str = "") -> str:
    """Four weeks of hours of one metric, the last two with `lift`; `damage` is one more line."""

    def value(day: int, hour: int, arm: str, shift: int) -> float:
        wave = 0.004 * ((day * 7 + hour * 5 + shift) % 11) / 11
        return 0.12 + wave + (lift if arm == "treatment" and day > 14 else 0)

    rows = [
        f"2025-01-{day:02d}T{hour:02d}:00:00Z,conversion_rate,{arm},{value(day, hour, arm, shift):.6f},1000"
        for day in range(1, 29)
        for hour in range(24)
        for arm, shift in (("treatment", 3), ("control", 0))
    ]
    return HEADER + "\n".join(rows) + "\n" + damage


def choose_days(page: Page, first: str, last: str) -> None:
    """Type both days, as eight digits; the field moves on from year to month to day by itself."""
    for label, digits in (("First day (UTC)", first), ("Last day (UTC)", last)):
        page.get_by_role("spinbutton", name=f"year, {label}").click()
        page.keyboard.type(digits)
        page.keyboard.press("Tab")
        settled(page)


def test_the_example_leads_from_an_empty_workbench_to_dollars(
    visit: Visit, empty_app: str, picture: Callable[..., None]
):
    page = visit("/", address=empty_app)
    expect(page.get_by_text("What was it worth, and how sure are we?")).to_be_visible()
    picture(page, "-empty")
    page.get_by_role("button", name="Load the example").click()
    expect(page.get_by_role("link", name="Open its results")).to_be_visible(timeout=30_000)
    expect(page.get_by_text(re.compile("Better|Worse|No detectable|Cannot tell")).first).to_be_visible(
        timeout=PIPELINE
    )
    page.get_by_role("link", name="Open its results").click()
    expect(page.get_by_text("Observed impact").first).to_be_visible(timeout=30_000)
    expect(page.get_by_text("SIMULATED").first).to_be_visible()
    picture(page, "-results")
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_text("Observed so far")).to_be_visible(timeout=30_000)
    picture(page, "-overview")


def test_a_template_and_the_simulator_make_an_experiment_that_is_followed_live(visit: Visit, ctx: Context):
    page = visit("/create")
    page.get_by_role("button", name="Checkout flow").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("One-page checkout")
    settled(page)
    expect(page.get_by_text("What can this detect?")).to_be_visible()
    page.get_by_role("button", name="Create the experiment").click()
    expect(page.get_by_text(re.compile("Better|Worse|No detectable|Cannot tell")).first).to_be_visible(
        timeout=PIPELINE
    )
    newest = listing.list_experiments(ctx, limit=1).experiments[0]
    assert newest.name == "One-page checkout"
    assert newest.status == "complete"


def test_a_file_with_mistakes_is_explained_then_accepted(
    visit: Visit, ctx: Context, tmp_path: Path, picture: Callable[..., None]
):
    page = visit("/create")
    page.get_by_label("Name", exact=True).fill("From a file")
    page.get_by_label("Name", exact=True).press("Tab")
    settled(page)
    metrics = page.get_by_test_id("stMultiSelect").locator("input")
    metrics.fill("conversion_rate")
    metrics.press("Enter")
    page.keyboard.press("Escape")
    settled(page)
    choose_days(page, "20250115", "20250128")
    wrong, right = tmp_path / "wrong.csv", tmp_path / "right.csv"
    damage = "2025-01-28T23:00:00Z,conversion_rate,treatment,abc,-5\n"
    wrong.write_text(hourly_csv(lift=0.004, damage=damage))
    right.write_text(hourly_csv(lift=0.004))
    chooser = page.locator("input[type=file]")
    chooser.set_input_files(wrong)
    expect(page.get_by_text("Nothing is stored until they are mended")).to_be_visible(timeout=30_000)
    before = listing.list_experiments(ctx, limit=1).summary.total_experiments
    page.get_by_role("button", name="Create the experiment").click()
    expect(page.get_by_text("Not created: choose a file that reads without problems")).to_be_visible(timeout=30_000)
    assert listing.list_experiments(ctx, limit=1).summary.total_experiments == before
    expect(page.get_by_role("button", name="All problems as CSV")).to_be_visible()
    picture(page, "-problems")
    chooser.set_input_files(right)
    expect(page.get_by_text("Ready:")).to_be_visible(timeout=30_000)
    expect(page.get_by_label("Name", exact=True)).to_have_value("From a file")
    settled(page)
    page.get_by_role("button", name="Create the experiment").click()
    expect(page.get_by_text(re.compile("Better|Worse|No detectable|Cannot tell")).first).to_be_visible(
        timeout=PIPELINE
    )
    newest = listing.list_experiments(ctx, limit=1).experiments[0]
    assert (newest.name, newest.data_source) == ("From a file", "upload")


def test_a_price_is_previewed_saved_and_two_editors_both_learn_of_it(
    visit: Visit, ctx: Context, example: object, picture: Callable[..., None]
):
    page = visit("/metric_values?metric=conversion_rate")
    field = page.get_by_label(re.compile("^Price of one percentage point"))
    field.fill("1300")
    field.press("Enter")
    expect(page.get_by_text("would do")).to_be_visible(timeout=30_000)
    picture(page, "-preview")
    metric_values.update_metric_value(ctx, "conversion_rate", UpdateMetricValue(dollars_per_unit="1250"))
    page.get_by_role("button", name="Save this price").click()
    expect(page.get_by_text("while you were typing")).to_be_visible(timeout=30_000)
    picture(page, "-conflict")
    page.get_by_role("button", name=re.compile("Go on with")).click()
    settled(page)
    page.get_by_role("button", name="Save this price").click()
    expect(page.get_by_text("Conversion rate is now $1,300.00")).to_be_visible(timeout=30_000)
    assert metric_values.get_metric_value(ctx, "conversion_rate").dollars_per_unit == 1300
    metric_values.update_metric_value(ctx, "conversion_rate", UpdateMetricValue(dollars_per_unit="1200"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", ["/", "/create", "/metric_values", "/operations"])
def test_every_page_reads_at_every_width_and_in_both_schemes(
    visit: Visit,
    barriers: Callable[[Page], list[str]],
    picture: Callable[..., None],
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
