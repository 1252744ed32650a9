"""How long a reader waits for a chart: the results page against a plain Streamlit app that draws the same figure.

Both run in one Chromium, turn by turn; medians and their ratio are printed as a Markdown table. The plain app
reads the figure's data from a file and calls `st.plotly_chart`, nothing else: no storage, no theme, no navigation.

| column  | from … until …                                                                   |
|---------|----------------------------------------------------------------------------------|
| first   | opening the address in a new browser context, the first chart has its axes drawn |
| change  | choosing another metric, the chart shows it                                      |

    python -m benchmarks.pages              # 14 days and a year of hours, 10 metrics: some minutes
    python -m benchmarks.pages --rounds 3
"""

import argparse
import os
import pickle
import tempfile
import time
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, sync_playwright

from rallyuxr.dashboard import evidence
from rallyuxr.dashboard.formatting import words
from rallyuxr.dashboard.reading import readings
from rallyuxr.local import deploy, ensure_running, release
from rallyuxr.models import CreateMetricValue, ExperimentDefinition, SimulatedMetric, SimulationPlan
from rallyuxr.services.analyses import current_analysis
from rallyuxr.services.context import Context, connect
from rallyuxr.services.metric_values import create_metric_value
from rallyuxr.services.results import load_results
from tests.browser.seeds import analysed_example, example_plan
from tests.browser.workbench import PROJECT, launch, serve

METRICS = tuple(f"metric_{letter}" for letter in "abcdefghij")
SIZES = {"14 days": 14, "a year": 365}
CHART = '[data-testid="stPlotlyChart"] .main-svg'
PLAIN_APP = """
import pickle
import streamlit as st
with open({path!r}, "rb") as file:
    figures = pickle.load(file)
name = st.selectbox("Metric", list(figures))
for figure in figures[name]:
    st.plotly_chart(figure)
"""


def price(metric_id: str) -> CreateMetricValue:
    """Something for every metric to be worth."""
    return CreateMetricValue(
        metric_id=metric_id,
        name=words(metric_id),
        dollars_per_unit=Decimal("2.50"),
        unit="clicks",
        description="What one more click is worth",
        category="engagement",
    )


def seed(ctx: Context, days: int) -> ExperimentDefinition:
    """Ten metrics, hour by hour."""
    plan = example_plan(f"{days} days", days=days)
    truth = {name: SimulatedMetric(baseline=10, effect=0.1) for name in METRICS}
    return analysed_example(
        ctx,
        plan.model_copy(
            update={"metrics": METRICS, "metric_plans": {}, "simulation": SimulationPlan(metrics=truth)}
        ),
    )


def plain_app(ctx: Context, experiment: ExperimentDefinition, folder: Path) -> Path:
    """A script that draws the figures of the results page and does nothing else."""
    analysis = current_analysis(ctx, experiment.id)
    assert analysis is not None
    data = load_results(ctx, experiment.id, analysis.data_version).data
    figures = {
        reading.name: [
            exhibit.figure for exhibit in evidence.metric_exhibits(analysis, data, metric_id, zone=UTC, daily=True)
        ]
        for metric_id, reading in readings(analysis).items()
    }
    path = folder / f"{experiment.id}.pickle"
    path.write_bytes(pickle.dumps(figures))
    script = path.with_suffix(".py")
    script.write_text(PLAIN_APP.format(path=str(path)))
    return script


def first_chart(browser: Browser, address: str) -> tuple[Page, float]:
    """Open the address as a new reader; the page and the seconds until its first chart."""
    page = browser.new_context(viewport={"width": 1280, "height": 2000}).new_page()
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_selector(CHART, timeout=120_000)
    return page, time.perf_counter() - began


def next_chart(page: Page, metric: str) -> float:
    """Choose another metric; the seconds until a chart of it is drawn."""
    page.wait_for_timeout(1500)
    drawn = "chart => [...document.querySelectorAll(chart)].map(one => one.innerHTML).join()"
    before = page.evaluate(drawn, CHART)
    page.get_by_role("combobox", name="Metric").click()
    began = time.perf_counter()
    page.get_by_role("option", name=metric, exact=True).click()
    page.wait_for_function(f"([chart, before]) => ({drawn})(chart) !== before", arg=[CHART, before])
    return time.perf_counter() - began


def measure(browser: Browser, address: str) -> tuple[float, float]:
    """Seconds of both waits, in a browser context of their own."""
    page, first = first_chart(browser, address)
    change = next_chart(page, "Metric d")
    page.context.close()
    return first, change


def compare(ctx: Context, browser: Browser, app: str, size: str, rounds: int) -> str:
    """The table's lines of one size; the first turn of each app warms its caches and is not counted."""
    experiment = seed(ctx, SIZES[size])
    with tempfile.TemporaryDirectory() as folder, serve({}, plain_app(ctx, experiment, Path(folder))) as plain:
        addresses = (f"{app}/results?experiment={experiment.id}", plain)
        turns = [[measure(browser, address) for address in addresses] for _ in range(rounds + 1)][1:]
    lines = []
    for wait, name in enumerate(("first", "change")):
        ours, bare = (median(turn[app][wait] for turn in turns) for app in (0, 1))
        lines.append(f"| {size} | {name} | {ours:.2f} | {bare:.2f} | {ours / bare:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        endpoint = ensure_running(Path(folder), port=0, layers_dir=PROJECT / "build" / "layers")
        environment = deploy(endpoint).environment()
        os.environ.update(environment)
        ctx = connect(actor="benchmark")
        for name in METRICS:
            create_metric_value(ctx, price(name))
        with serve(environment) as app, sync_playwright() as playwright, launch(playwright) as browser:
            print("| size | wait | results page, s | plain app, s | ratio |\n|---|---|---|---|---|")
            for size in SIZES:
                print(compare(ctx, browser, app, size, rounds), flush=True)
        release(endpoint.data_dir)


if __name__ == "__main__":
    main()
