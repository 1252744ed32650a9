"""What a person does with the workbench, from an empty one to dollars, in a real browser and on every screen."""

import re
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from rallyuxr.models import CreateMetricValue, ExperimentDefinition, UpdateMetricValue
from rallyuxr.services.context import Context
from rallyuxr.services.experiments import create_experiment, get_experiment
from rallyuxr.services.listing import list_experiments
from rallyuxr.services.metric_values import (
    create_metric_value,
    get_metric_value,
    metric_history,
    update_metric_value,
)
from rallyuxr.store import RESULTS_GENERATOR
from rallyuxr.store.failures import Failure
from tests.browser.conftest import Picture, Visit
from tests.browser.seeds import example_plan
from tests.browser.workbench import go_to, settled

pytestmark = pytest.mark.browser
VERDICT = re.compile("Better|Worse|No detectable|Cannot tell")
PIPELINE = 180_000
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
    expect(page.get_by_role("textbox", name="What is changed, against what")).not_to_have_value("")
    settled(page)
    field = page.get_by_role("textbox", name="Name", exact=True)
    field.fill(name)
    field.press("Tab")
    settled(page)


def test_the_example_leads_from_an_empty_workbench_to_dollars(new_app: str, walk: Visit, picture: Picture):
    page = walk("/", address=new_app)
    expect(page.get_by_text("What was it worth, and how sure are we?")).to_be_visible()
    picture(page, "-empty")
    page.get_by_role("button", name="Load the example").click()
    expect(page.get_by_text(VERDICT).first).to_be_visible(timeout=PIPELINE)
    page.get_by_role("link", name="Open its results").click()
    expect(page.get_by_text("Observed impact").first).to_be_visible(timeout=30_000)
    expect(page.get_by_text("SIMULATED").locator("visible=true").first).to_be_visible()
    picture(page, "-results")
    go_to(page, "Overview")
    expect(page.get_by_text("Observed so far")).to_be_visible(timeout=30_000)


def test_a_template_becomes_results_without_a_reload(walk: Visit, picture: Picture, ctx: Context):
    name = f"From a template {uuid4().hex[:6]}"
    page = walk("/create")
    named_from_template(page, name)
    expect(page.get_by_text("What can this detect?")).to_be_visible()
    picture(page, "-filled")
    page.get_by_role("button", name="Create the experiment").click()
    expect(page.get_by_text("You may leave this page")).to_be_visible()
    picture(page, "-waiting")
    expect(page.get_by_text(VERDICT).first).to_be_visible(timeout=PIPELINE)
    picture(page, "-done")
    assert "experiment=" in page.url
    page.get_by_role("link", name="Open its results").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.get_by_text("SIMULATED").locator("visible=true").first).to_be_visible()
    assert stored(ctx, name).status == "complete"
    assert stored(ctx, name).finding is not None


def test_a_file_with_mistakes_is_explained_then_accepted(
    walk: Visit, ctx: Context, tmp_path: Path, picture: Picture
):
    page = walk("/create")
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
    expect(page.get_by_text("Nothing is stored until mended")).to_be_visible(timeout=30_000)
    before = list_experiments(ctx, limit=1).summary.total_experiments
    page.get_by_role("button", name="Create the experiment").click()
    expect(page.get_by_text("Not created: choose a file that reads without problems")).to_be_visible(timeout=30_000)
    assert list_experiments(ctx, limit=1).summary.total_experiments == before
    expect(page.get_by_role("button", name="All problems as CSV")).to_be_visible()
    picture(page, "-problems")
    chooser.set_input_files(right)
    expect(page.get_by_text("Ready:")).to_be_visible(timeout=30_000)
    expect(page.get_by_label("Name", exact=True)).to_have_value("From a file")
    settled(page)
    page.get_by_role("button", name="Create the experiment").click()
    expect(page.get_by_text(VERDICT).first).to_be_visible(timeout=PIPELINE)
    newest = list_experiments(ctx, limit=1).experiments[0]
    assert (newest.name, newest.data_source) == ("From a file", "upload")


def test_mistakes_are_said_beside_their_fields(walk: Visit):
    page = walk("/create")
    page.get_by_role("button", name="Create the experiment").click()
    expect(page.get_by_text("Give it a name of at most 200 letters.")).to_be_visible()
    expect(page.get_by_text("Choose 1 to 10 metrics")).to_be_visible()


def type_price(page: Page, metric: str, amount: str) -> None:
    price = page.get_by_role("spinbutton", name=f"{metric}: one dollar more is worth, in USD")
    price.fill(amount)
    price.press("Enter")


def test_a_price_is_previewed_and_a_conflict_decided(
    walk: Visit, picture: Picture, ctx: Context, metric: CreateMetricValue
):
    page = walk(f"/metric_values?metric={metric.metric_id}")
    type_price(page, metric.name, "12.5")
    expect(page.get_by_text("What $12.50 would do")).to_be_visible()
    update_metric_value(ctx, metric.metric_id, UpdateMetricValue(dollars_per_unit=Decimal(11)))
    page.get_by_role("button", name="Save this price").click()
    expect(page.get_by_text("while you were typing")).to_be_visible()
    picture(page, "-conflict")
    page.get_by_role("button", name="Go on with").click()
    page.get_by_role("button", name="Save this price").click()
    expect(page.get_by_text("(version 3)")).to_be_visible()
    assert get_metric_value(ctx, metric.metric_id).dollars_per_unit == Decimal("12.5")
    page.get_by_role("tab", name="History").click()
    settled(page)


def test_two_prices_typed_quickly_are_saved_together(
    walk: Visit, picture: Picture, ctx: Context, metric: CreateMetricValue
):
    other = metric.model_copy(update={"metric_id": f"{metric.metric_id}_b", "name": f"{metric.name} b"})
    create_metric_value(ctx, other)
    page = walk(f"/metric_values?metric={metric.metric_id}")
    first, second = (
        page.get_by_role("spinbutton", name=f"{one.name}: one dollar more is worth, in USD")
        for one in (metric, other)
    )
    first.fill("12.5")
    second.fill("20")
    second.press("Enter")
    expect(page.get_by_text("What $12.50 would do")).to_be_visible()
    expect(page.get_by_text("What $20.00 would do")).to_be_visible()
    first.fill("0")
    first.press("Enter")
    expect(page.get_by_text("A price is more than zero. Type another price.")).to_be_visible()
    picture(page, "-a-rule-broken")
    first.fill("13")
    first.press("Enter")
    page.get_by_role("textbox", name="Reason for the change").last.fill("new contract")
    page.get_by_role("textbox", name="Reason for the change").last.press("Tab")
    page.get_by_role("button", name="Save all 2 prices").click()
    expect(page.get_by_text(f"{other.name} is now $20.00 (version 2)")).to_be_visible()
    assert get_metric_value(ctx, metric.metric_id).dollars_per_unit == Decimal(13)
    assert metric_history(ctx, other.metric_id)[0].change_reason == "new contract"


def test_a_new_price_shows_every_experiment_it_would_move(walk: Visit, example: ExperimentDefinition):
    page = walk("/metric_values?metric=average_order_value")
    type_price(page, "Average order value", "0.7")
    expect(page.get_by_role("cell", name=example.name).first).to_be_visible()


def test_a_failure_is_sent_through_again(walk: Visit, picture: Picture, ctx: Context):
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
    page = walk("/operations")
    expect(page.get_by_text("The function ran out of memory")).to_be_visible()
    picture(page, "-failed")
    page.get_by_role("button", name="Send through again").first.click()
    expect(page.get_by_text("1 sent through again")).to_be_visible()


def test_the_overview_leads_to_an_experiment(walk: Visit, picture: Picture, example: ExperimentDefinition):
    page = walk(f"/?search={example.name}")
    page.get_by_role("tab", name="List").click()
    settled(page)
    picture(page, "-list")
    page.get_by_role("link", name=example.name).first.click()
    expect(page.get_by_role("heading", name=example.name)).to_be_visible()


@pytest.mark.slow
def test_ticked_experiments_are_archived_together_and_found_again(walk: Visit, picture: Picture, ctx: Context):
    group = f"Tidied {uuid4().hex[:6]}"
    plans = [example_plan(f"{group} {place}") for place in ("first", "second", "third")]
    made = [create_experiment(ctx, plan.model_copy(update={"data_source": "api"})) for plan in plans]
    page = walk(f"/?search={group}")
    page.get_by_role("tab", name="List").click()
    for plan in plans[:2]:
        page.locator("label").filter(has=page.get_by_role("checkbox", name=f"Mark {plan.name}")).click()
    picture(page, "-ticked")
    page.get_by_role("button", name="Archive 2 marked").click()
    page.get_by_role("button", name="Archive now").click()
    expect(page.get_by_text("2 archived")).to_be_visible()
    expect(page.get_by_role("link", name=plans[0].name)).to_have_count(0)
    expect(page.get_by_role("link", name=plans[2].name)).to_be_visible()
    assert [get_experiment(ctx, one.id).status for one in made] == ["archived", "archived", "draft"]
    picture(page, "-archived")
    page.get_by_role("button", name="Archived").click()
    expect(page.get_by_role("link", name=plans[0].name)).to_be_visible()
    expect(page.get_by_role("link", name=plans[1].name)).to_be_visible()
    expect(page.get_by_role("link", name=plans[2].name)).to_have_count(0)
