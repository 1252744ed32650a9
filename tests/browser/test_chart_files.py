"""Each chart as a file: what the camera and the report's buttons save is a picture with the chart in it."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from rallyuxr.models import ExperimentDefinition
from tests.browser.conftest import Visit
from tests.browser.workbench import OUTPUT, fold, settled, unfold

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SVG = "{http://www.w3.org/2000/svg}"
METRIC = "conversion_rate"
FIGURES = {
    "all-metrics",
    f"{METRIC}-arms",
    f"{METRIC}-daily-effect",
    f"{METRIC}-cumulative",
    f"{METRIC}-distribution",
}
TOTALS = {"breakdown", "distribution", "cumulative"}


def test_the_camera_of_each_chart_saves_a_png_and_an_svg(
    walk: Visit, example: ExperimentDefinition, tmp_path: Path
):
    page = walk(f"/results?experiment={example.id}")
    images = saved_charts(page, tmp_path, count=len(FIGURES))
    page.get_by_role("tab", name="Money").click()
    images += saved_charts(page, tmp_path, count=len(TOTALS))
    assert {image.name for image in images} == {f"{name}.png" for name in FIGURES | TOTALS}
    for image in images:
        shows_a_chart(image)
    choose(page, "SVG")
    images = saved_charts(page, tmp_path, count=len(TOTALS))
    page.get_by_role("tab", name="Metrics").click()
    images += saved_charts(page, tmp_path, count=len(FIGURES))
    assert {image.name for image in images} == {f"{name}.svg" for name in FIGURES | TOTALS}
    for image in images:
        draws_a_chart(image, "SIMULATED")
    draws_a_chart(
        tmp_path / f"{METRIC}-arms.svg", "Control", "Treatment", "Without the change", "Baseline", "Day (UTC)"
    )
    draws_a_chart(tmp_path / "breakdown.svg", "Conversion rate", "Average order value", "Total")


def test_the_overviews_chart_is_a_file_too(walk: Visit, example: ExperimentDefinition, tmp_path: Path):
    page = walk(f"/?search={example.name}")
    (image,) = saved_charts(page, tmp_path, count=1)
    shows_a_chart(image)
    choose(page, "SVG")
    (image,) = saved_charts(page, tmp_path, count=1)
    draws_a_chart(image, example.name, "Observed impact with its interval (USD)")


def test_each_chart_of_the_report_saves_itself(
    visit: Visit, browser: Browser, example: ExperimentDefinition, tmp_path: Path
):
    page = visit(f"/results?experiment={example.id}&section=Export")
    with page.expect_download() as download:
        page.get_by_role("button", name="Report as HTML").click()
    report = tmp_path / "report.html"
    download.value.save_as(report)
    offline = browser.new_context(offline=True).new_page()
    offline.goto(report.as_uri())
    charts = offline.locator("figure")
    assert charts.count() == len(TOTALS) + 1 + 4 * len(example.metrics)
    for number in range(charts.count()):
        chart = charts.nth(number)
        for kind, check in (("PNG", shows_a_chart), ("SVG", draws_a_chart)):
            image = saved(offline, chart.get_by_role("button", name=f"Save as {kind}"), tmp_path)
            assert image.name == f"{chart.get_attribute('id')}.{kind.lower()}"
            check(image)


def choose(page: Page, kind: str) -> None:
    """Choose what the cameras save."""
    folded = unfold(page)
    page.get_by_test_id("stSidebar").get_by_role("radio", name=kind).click()
    if folded:
        fold(page)
    settled(page)


def saved_charts(page: Page, folder: Path, *, count: int) -> list[Path]:
    """What the cameras of all charts in sight save, once what they say about it has gone."""
    charts = page.get_by_test_id("stPlotlyChart").locator("visible=true")
    expect(charts).to_have_count(count, timeout=60_000)
    settled(page)
    images = [saved_chart(page, charts.nth(number), folder) for number in range(count)]
    expect(page.locator(".notifier-note")).to_have_count(0, timeout=15_000)
    return images


def saved_chart(page: Page, chart: Locator, folder: Path) -> Path:
    chart.hover()
    return saved(page, chart.locator(".modebar-btn[data-title^=Download]"), folder)


def saved(page: Page, button: Locator, folder: Path) -> Path:
    """The file that a button gives, kept among the tests' output too."""
    with page.expect_download() as download:
        button.click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / f"chart-{path.name}").write_bytes(path.read_bytes())
    return path


def shows_a_chart(path: Path) -> None:
    """A PNG of twice the chart's size on the page, with lines or bars in a chart's colours on its ground."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        image.load()
        assert image.width > 500
        assert image.height > 250
        pixels = image.convert("RGB").getcolors(maxcolors=2**24)
    coloured = sum(
        count for count, (red, green, blue) in pixels if max(red, green, blue) - min(red, green, blue) > 60
    )
    ground = max(count for count, _ in pixels)
    assert coloured > 200
    assert ground > coloured / 2


def draws_a_chart(path: Path, *words: str) -> None:
    """An SVG with drawn traces, and these words as text."""
    root = ElementTree.parse(path).getroot()
    assert root.tag == f"{SVG}svg"
    text = [("".join(element.itertext())) for element in root.iter(f"{SVG}text")]
    traces = [element for element in root.iter(f"{SVG}g") if "trace" in element.get("class", "").split()]
    assert traces
    assert all(list(trace.iter(f"{SVG}path")) for trace in traces)
    for word in words:
        assert any(word in line for line in text), f"{word} is not in {path.name}: {text}"
