"""The results page as a person uses it, in Chromium."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from rallyuxr.models import ExperimentDefinition, UpdateMetricValue
from rallyuxr.services.analyses import current_analysis
from rallyuxr.services.context import Context
from rallyuxr.services.experiments import create_experiment, get_experiment
from rallyuxr.services.metric_values import get_metric_value, update_metric_value
from tests.browser.conftest import Barriers, Picture, Screen, Visit
from tests.browser.seeds import analysed_example, example_plan
from tests.browser.workbench import OUTPUT, WIDTHS, go_to, settled

pytestmark = pytest.mark.browser
SECTIONS = ("Metrics", "Money", "Assumptions", "How it was made", "What if", "Compare", "Export")


def open_section(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
    settled(page)


@pytest.mark.slow
def test_every_section_reads_at_every_width_and_in_both_schemes(
    visit: Visit, picture: Picture, barriers: Barriers, example: ExperimentDefinition, screen: Screen
):
    page = visit(f"/results?experiment={example.id}", width=screen.width, scheme=screen.scheme)
    expect(page.get_by_role("heading", name=example.name)).to_be_visible()
    expect(page.get_by_text("SIMULATED").locator("visible=true").first).to_be_visible()
    found: list[str] = []
    for section in SECTIONS:
        open_section(page, section)
        picture(page, f"-{section.replace(' ', '-')}")
        expect(page.get_by_test_id("stException")).to_have_count(0)
        found += [f"{section}: {barrier}" for barrier in barriers(page)]
    assert not found, "\n".join(found)


def test_the_address_names_experiment_and_section(walk: Visit, example: ExperimentDefinition):
    page = walk(f"/results?experiment={example.id}&section=Assumptions")
    expect(page.get_by_role("tab", name="Assumptions")).to_have_attribute("aria-selected", "true")
    go_to(page, "Overview")


def test_what_if_moves_the_figures_and_stores_nothing(walk: Visit, ctx: Context, example: ExperimentDefinition):
    before = current_analysis(ctx, example.id)
    page = walk(f"/results?experiment={example.id}&section=What if")
    expect(page.get_by_text("Observed impact as stored")).to_be_visible()
    price = page.get_by_role("spinbutton", name="Average order value")
    price.fill("0.70")
    price.press("Enter")
    expect(page.get_by_text("against the stored")).to_be_visible()
    handle = page.get_by_role("slider", name="Average order value")
    expect(handle).to_have_value("0.7")
    handle.press("ArrowRight")
    expect(price).to_have_value("0.701")
    page.get_by_role("slider", name="Coverage").press("ArrowRight")
    expect(page.get_by_role("spinbutton", name="Coverage")).to_have_value("1.05")
    page.get_by_text("The change had a cost").click()
    expect(page.get_by_text("No cost was entered").last).to_be_visible()
    assert current_analysis(ctx, example.id) == before


def test_todays_prices_make_a_second_analysis_to_compare_with(walk: Visit, ctx: Context):
    mine = analysed_example(ctx, example_plan("Shorter form", seed=8))
    today = get_metric_value(ctx, "conversion_rate")
    update_metric_value(
        ctx,
        "conversion_rate",
        UpdateMetricValue(dollars_per_unit=today.dollars_per_unit + 100, change_reason="new margin"),
    )
    page = walk(f"/results?experiment={mine.id}&section=Compare")
    expect(page.get_by_text("Only one analysis yet")).to_be_visible()
    page.get_by_role("button", name="Re-run with today's prices").click()
    expect(page.get_by_text("Analysed again with today's prices")).to_be_visible()
    expect(page.get_by_text(f"version {today.version + 1}")).to_be_visible()


def test_an_experiment_can_be_archived(walk: Visit, ctx: Context):
    mine = analysed_example(ctx, example_plan("To be archived", seed=9))
    page = walk(f"/results?experiment={mine.id}")
    page.get_by_role("button", name="Archive").click()
    page.get_by_role("button", name="Archive now").click()
    expect(page.get_by_text("The experiment is now archived.")).to_be_visible()
    assert get_experiment(ctx, mine.id).status == "archived"


def test_the_page_follows_the_pipeline_without_a_reload(walk: Visit, ctx: Context):
    created = create_experiment(ctx, example_plan("Followed live", seed=10))
    page = walk(f"/results?experiment={created.id}")
    expect(page.get_by_role("tab", name="Metrics")).to_be_visible(timeout=60_000)


@pytest.mark.slow
def test_the_report_works_offline_and_prints(
    walk: Visit, browser: Browser, example: ExperimentDefinition, tmp_path: Path
):
    page = walk(f"/results?experiment={example.id}&section=Export")
    with page.expect_download() as download:
        page.get_by_role("button", name="Report as HTML").click()
    report = tmp_path / "report.html"
    download.value.save_as(report)
    errors: list[str] = []
    offline = browser.new_context(offline=True).new_page()
    offline.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    offline.goto(report.as_uri())
    expect(offline.get_by_role("heading", name=example.name)).to_be_visible()
    expect(offline.get_by_text("SIMULATED: the simulator made this data")).to_be_visible()
    charts = offline.locator("figure")
    assert charts.count() == offline.locator("figure .main-svg:first-child").count() == 4 + 4 * len(example.metrics)
    with offline.expect_download() as image:
        offline.get_by_role("button", name="Save as SVG").first.click()
    assert image.value.suggested_filename == "breakdown.svg"
    OUTPUT.mkdir(exist_ok=True)
    assert offline.pdf(path=OUTPUT / "report.pdf", format="A4").startswith(b"%PDF")
    assert not errors


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_without_experiments_the_page_says_what_to_do(
    visit: Visit, picture: Picture, barriers: Barriers, empty_app: str, width: int
):
    page = visit("/results", address=empty_app, width=width)
    expect(page.get_by_text("No experiment yet")).to_be_visible()
    picture(page)
    assert not barriers(page)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_cloud_that_does_not_answer_is_a_sentence_and_a_way_on(
    visit: Visit, picture: Picture, barriers: Barriers, broken_app: str, width: int
):
    page = visit("/results", address=broken_app, width=width)
    expect(page.get_by_text("Nothing was lost")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    picture(page)
    assert not barriers(page)


def test_a_wrong_address_says_so_and_shows_a_way_on(walk: Visit, ctx: Context):
    page = walk("/results?experiment=nobody")
    expect(page.get_by_text("There is no experiment 'nobody'.")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
