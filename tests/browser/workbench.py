"""The real app as a process, and a real browser in front of it: for tests, pictures and benchmarks."""

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright

from rallyuxr.local.cloud import free_port

PROJECT = Path(__file__).parents[2]
OUTPUT = PROJECT / "test-output"
WIDTHS = {"desktop": 1280, "phone": 420}
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
START_SECONDS = 180.0
BUSY = '[data-testid="stApp"]:not([data-test-script-state="notRunning"])'


@contextmanager
def serve(environment: Mapping[str, str], script: Path = PROJECT / "streamlit_app.py") -> Iterator[str]:
    """The address of a Streamlit server of its own, stopped afterwards."""
    port = free_port(0)
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    command += ["--server.fileWatcherType", "none"]
    with subprocess.Popen(
        command, cwd=PROJECT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    ) as process:
        try:
            yield _answering(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


def launch(playwright: Playwright) -> Browser:
    """The machine's Chromium, headless and quiet."""
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    return playwright.chromium.launch(executable_path=executable, args=list(FLAGS))


def settled(page: Page) -> None:
    """Wait until the app has drawn everything: no script runs, no chart is still empty."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=60_000)
    page.wait_for_function(
        """() => !document.querySelector('[data-testid="stSkeleton"]') &&
               ![...document.querySelectorAll('[data-testid="stPlotlyChart"]')]
               .some(chart => !chart.querySelector('.main-svg'))"""
    )
    page.wait_for_timeout(300)


def unfold(page: Page) -> bool:
    """Open the sidebar where it is folded away, as on a narrow screen; whether it was."""
    button = page.get_by_test_id("stExpandSidebarButton")
    folded = button.is_visible()
    if folded:
        button.click()
    return folded


def fold(page: Page) -> None:
    """Put the sidebar away: it lies over a narrow page."""
    page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
    page.get_by_test_id("stExpandSidebarButton").wait_for()


def go_to(page: Page, title: str) -> None:
    """Follow the navigation."""
    unfold(page)
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True).click()
    page.get_by_role("heading", name=title, level=1).wait_for()
    settled(page)


def _answering(address: str) -> str:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                return address
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
