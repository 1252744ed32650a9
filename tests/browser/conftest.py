"""The real app in a real browser: one embedded cloud and one app server for all tests, seeded through the services.

| fixture      | gives                                                                                        |
|--------------|----------------------------------------------------------------------------------------------|
| `app`        | the running app's address                                                                    |
| `empty_app`  | the same app over an account that holds nothing                                              |
| `new_app`    | an empty one for one test, which may fill it                                                 |
| `broken_app` | the same app over a cloud that does not answer                                               |
| `ctx`        | the services' context of the same deployment, with priced metrics, to seed and to check with |
| `example`    | a finished, analysed experiment of three metrics, made by the simulator                      |
| `visit`      | opens a path at a width, light or dark; at the end its console must be free of errors        |
| `walk`       | the same on each screen, for what a person does: the desktop in light always, the others     |
|              | among the slow tests; where it ends is pictured and must be accessible                       |
| `picture`    | writes a picture to `test-output/`, named after the test                                     |
| `barriers`   | what an automated accessibility check finds on a page                                        |
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from rallyuxr.local import Deployment, deploy, ensure_running, release
from rallyuxr.local.cloud import free_port
from rallyuxr.models import ExperimentDefinition
from rallyuxr.services.context import Context, connect
from tests.browser.seeds import analysed_example, price_metrics
from tests.browser.workbench import OUTPUT, PROJECT, WIDTHS, launch, serve, settled

Visit = Callable[..., Page]
Picture = Callable[..., None]
Barriers = Callable[[Page], list[str]]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
expect.set_options(timeout=20_000)  # a rerun takes seconds on a busy machine


@dataclass(frozen=True, slots=True)
class Screen:
    """What someone looks at: so many pixels wide, in light or dark."""

    width: int
    scheme: Literal["light", "dark"]


QUICK = ("desktop", "light")
SCREENS = [
    pytest.param(
        Screen(width, scheme), id=f"{name}-{scheme}", marks=() if (name, scheme) == QUICK else pytest.mark.slow
    )
    for name, width in WIDTHS.items()
    for scheme in ("light", "dark")
]


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    endpoint = ensure_running(tmp_path_factory.mktemp("cloud"), port=0, layers_dir=PROJECT / "build" / "layers")
    found = deploy(endpoint)
    os.environ.update(found.environment())
    yield found
    release(endpoint.data_dir)


@pytest.fixture(scope="session")
def app(deployment: Deployment) -> Iterator[str]:
    with serve(deployment.environment()) as address:
        yield address


@pytest.fixture(scope="session")
def empty_app(deployment: Deployment) -> Iterator[str]:
    account = replace(deployment.endpoint, account=str(uuid4().int)[:12])
    with serve(deploy(account).environment()) as address:
        yield address


@pytest.fixture
def new_app(deployment: Deployment) -> Iterator[str]:
    account = replace(deployment.endpoint, account=str(uuid4().int)[:12])
    with serve(deploy(account).environment()) as address:
        yield address


@pytest.fixture(scope="session")
def broken_app(deployment: Deployment) -> Iterator[str]:
    with serve({**deployment.environment(), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port(0)}"}) as address:
        yield address


@pytest.fixture(scope="session")
def ctx(deployment: Deployment) -> Context:
    found = connect(actor="tests")
    price_metrics(found)
    return found


@pytest.fixture(scope="session")
def example(ctx: Context) -> ExperimentDefinition:
    return analysed_example(ctx)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, launch(playwright) as chromium:
        yield chromium


@pytest.fixture
def console() -> Iterator[Callable[[Page], None]]:
    """Listen to a page; at the end nothing may have been an error."""
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        """Streamlit itself looks for its server below the page's path first, which answers 404."""
        if message.type == "error" and "/_stcore/" not in message.location["url"]:
            errors.append(message.text)

    def listen(page: Page) -> None:
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))

    yield listen
    assert not errors


@pytest.fixture(params=SCREENS)
def screen(request: pytest.FixtureRequest) -> Screen:
    """Each screen in turn; only the desktop in light is not slow."""
    found: Screen = request.param
    return found


@pytest.fixture
def walk(visit: Visit, screen: Screen, picture: Picture, barriers: Barriers) -> Iterator[Visit]:
    """Open a path on the screen; where the last of these pages ends is pictured and must be accessible."""
    opened: list[Page] = []

    def open_page(path: str = "/", **where: str) -> Page:
        opened.append(visit(path, width=screen.width, scheme=screen.scheme, **where))
        return opened[-1]

    yield open_page
    if opened:
        picture(opened[-1], "-end")
        assert not barriers(opened[-1])


@pytest.fixture
def visit(app: str, browser: Browser, console: Callable[[Page], None]) -> Iterator[Visit]:
    """Open a path of the app; the page is settled when it comes back."""

    def open_page(
        path: str = "/",
        *,
        width: int = WIDTHS["desktop"],
        scheme: Literal["light", "dark"] = "light",
        address: str = app,
    ) -> Page:
        size = {"width": width, "height": 900}
        page = browser.new_context(viewport=size, color_scheme=scheme, timezone_id="Europe/Berlin").new_page()
        console(page)
        page.goto(address + path)
        settled(page)
        return page

    yield open_page
    for context in browser.contexts:
        context.close()


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Picture:
    """Write the whole page, as tall as it is."""
    OUTPUT.mkdir(exist_ok=True)
    name = re.sub(r"\W+", "-", request.node.name).strip("-")

    def take(page: Page, suffix: str = "") -> None:
        size = page.viewport_size
        settled(page)
        height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size({**size, "height": max(height, size["height"])})
        settled(page)
        page.screenshot(path=OUTPUT / f"{name}{suffix}.png")
        page.set_viewport_size(size)

    return take


@pytest.fixture
def barriers() -> Barriers:
    """Violations of WCAG 2.1 A and AA that axe finds, one line each."""

    def check(page: Page) -> list[str]:
        found = Axe().run(page, options=RULES).response["violations"]
        return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]

    return check
