"""Overview, creating, prices and operations as a person uses them, in Chromium."""

from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from rallyuxr.models import CreateMetricValue, ExperimentDefinition, UpdateMetricValue
from rallyuxr.services.context import Context
from rallyuxr.services.experiments import create_experiment
from rallyuxr.services.listing import list_experiments
from rallyuxr.services.metric_values import create_metric_value, get_metric_value, update_metric_value
from rallyuxr.store import RESULTS_GENERATOR
from rallyuxr.store.failures import Failure
from tests.browser.seeds import example_plan
from tests.browser.workbench import WIDTHS, settled

pytestmark = pytest.mark.browser
Picture = Callable[..., None]
Barriers = Callable[[Page], list[str]]
PIPELINE_MILLISECONDS = 60_000


@pytest.fixture
def metric(ctx: Context) -> CreateMetricValue:
    """A price of its own for a test that changes it."""
    name = "test_" + "".join(letter for letter in uuid4().hex if letter.isalpha())
    request = CreateMetricValue(
        metric_id=name,
        name=name.replace("_", " ").capitalize(),
        dollars_per_unit=Decimal(10),
        unit="$",
        description="Margin of one more dollar",
        category="revenue",
    )
    create_metric_value(ctx, request)
    return request


def stored(ctx: Context, name: str) -> ExperimentDefinition:
    (found,) = [one for one in list_experiments(ctx, limit=100).experiments if one.name == name]
    return found


def named_from_template(page: Page, name: str) -> None:
    page.get_by_role("button", name="Checkout flow").click()
    settled(page)
    field = page.get_by_role("textbox", name="Name", exact=True)
    field.fill(name)
    field.press("Tab")
    settled(page)


def test_a_template_becomes_results_without_a_reload(
    visit: Callable[..., Page], picture: Picture, barriers: Barriers, ctx: Context
):
    name = f"From a template {uuid4().hex[:6]}"
    page = visit("/create")
    named_from_template(page, name)
    page.get_by_role("button", name="Create the experiment").click()
    expect(page.get_by_text("You may leave this page")).to_be_visible()
    picture(page, "-waiting")
    expect(page.get_by_text("interval").first).to_be_visible(timeout=PIPELINE_MILLISECONDS)
    picture(page, "-done")
    assert not barriers(page)
    assert "experiment=" in page.url
    page.get_by_role("link", name="Open its results").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.get_by_text("SIMULATED").first).to_be_visible()
    assert stored(ctx, name).finding is not None


def test_mistakes_are_said_beside_their_fields(visit: Callable[..., Page], picture: Picture, barriers: Barriers):
    page = visit("/create", width=WIDTHS["phone"])
    page.get_by_role("button", name="Create the experiment").click()
    expect(page.get_by_text("Give it a name of at most 200 letters.")).to_be_visible()
    expect(page.get_by_text("Choose 1 to 10 metrics")).to_be_visible()
    picture(page)
    assert not barriers(page)


def test_a_price_is_previewed_and_a_conflict_decided(
    visit: Callable[..., Page], picture: Picture, barriers: Barriers, ctx: Context, metric: CreateMetricValue
):
    page = visit(f"/metric_values?metric={metric.metric_id}")
    price = page.get_by_role("spinbutton", name="Price of one dollar in USD")
    price.fill("12.5")
    price.press("Enter")
    expect(page.get_by_role("button", name="Save this price")).to_be_visible()
    update_metric_value(ctx, metric.metric_id, UpdateMetricValue(dollars_per_unit=Decimal(11)))
    page.get_by_role("button", name="Save this price").click()
    expect(page.get_by_text("while you were typing")).to_be_visible()
    picture(page)
    found = barriers(page)
    page.get_by_role("button", name="Go on with").click()
    page.get_by_role("button", name="Save this price").click()
    expect(page.get_by_text("(version 3)")).to_be_visible()
    assert get_metric_value(ctx, metric.metric_id).dollars_per_unit == Decimal("12.5")
    page.get_by_role("tab", name="History").click()
    settled(page)
    picture(page, "-history")
    assert not found + barriers(page)


def test_a_new_price_shows_every_experiment_it_would_move(
    visit: Callable[..., Page], picture: Picture, example: ExperimentDefinition
):
    page = visit("/metric_values?metric=average_order_value")
    price = page.get_by_role("spinbutton", name="Price of one dollar in USD")
    price.fill("0.7")
    price.press("Enter")
    expect(page.get_by_role("cell", name=example.name).first).to_be_visible()
    picture(page)


def test_a_failure_is_sent_through_again(
    visit: Callable[..., Page], picture: Picture, barriers: Barriers, ctx: Context
):
    made = create_experiment(ctx, example_plan("Redriven").model_copy(update={"data_source": "api"}))
    ctx.store.failures.send(
        Failure(
            function=RESULTS_GENERATOR,
            reason="The function ran out of memory",
            at=ctx.clock(),
            event={"experimentId": made.id},
            experiment_id=made.id,
        )
    )
    page = visit("/operations")
    expect(page.get_by_text("The function ran out of memory")).to_be_visible()
    picture(page)
    page.get_by_role("button", name="Send through again").first.click()
    expect(page.get_by_text("1 sent through again")).to_be_visible()
    assert not barriers(page)


def test_the_overview_leads_to_an_experiment(
    visit: Callable[..., Page], picture: Picture, example: ExperimentDefinition
):
    page = visit(f"/?search={example.name}")
    page.get_by_role("tab", name="List").click()
    settled(page)
    picture(page)
    page.get_by_role("link", name=example.name).first.click()
    expect(page.get_by_role("heading", name=example.name)).to_be_visible()
