"""Overview, creating, metric values and operations through the entrypoint: empty, full, without storage."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from rallyuxr.dashboard import session, uploads
from rallyuxr.ingest import ReadOptions, Upload, inspect_results
from rallyuxr.local import Deployment
from rallyuxr.models import (
    CreateMetricValue,
    ExperimentData,
    ExperimentDefinition,
    UpdateMetricValue,
    ValidationRules,
)
from rallyuxr.models.order import Merchant
from rallyuxr.services import exports
from rallyuxr.services.analyses import analyze_version
from rallyuxr.services.context import Context, connect
from rallyuxr.services.experiments import create_experiment, get_experiment, move_status
from rallyuxr.services.listing import list_experiments
from rallyuxr.services.merchants import add_merchant
from rallyuxr.services.metric_values import (
    create_metric_value,
    get_metric_value,
    metric_history,
    update_metric_value,
)
from rallyuxr.services.progress import report_failure
from rallyuxr.services.results import load_results, publish_results
from rallyuxr.simulation import simulate
from rallyuxr.store import RESULTS_GENERATOR
from rallyuxr.store.failures import Failure
from tests.browser.seeds import example_plan, price_metrics

ENTRYPOINT = Path(__file__).parents[2] / "streamlit_app.py"
PAGES = ("overview", "create", "metric_values", "operations")
SECONDS = 60
NINE_HOURS = timedelta(hours=9)


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def ctx(deployed: Deployment) -> Context:
    context = connect(actor="tests")
    price_metrics(context)
    return context


@pytest.fixture(scope="module")
def uploaded(ctx: Context) -> ExperimentDefinition:
    """A finished experiment whose data were uploaded, analysed at once."""
    return finished(ctx, "Uploaded for the lists")


@pytest.fixture
def metric(ctx: Context) -> str:
    """A price of its own for a test that changes it."""
    return priced(ctx)


@pytest.fixture
def other(ctx: Context) -> str:
    """A second one."""
    return priced(ctx)


def priced(ctx: Context, prefix: str = "price") -> str:
    """A metric that is worth $10.00, between $1.00 and $100.00."""
    name = f"{prefix}_" + "".join(letter for letter in uuid4().hex if letter.isalpha())
    request = CreateMetricValue(
        metric_id=name,
        name=name.replace("_", " "),
        dollars_per_unit=Decimal("10"),
        unit="$",
        description="Margin of one more dollar",
        category="revenue",
        validation_rules=ValidationRules(min_value=Decimal(1), max_value=Decimal(100), decimal_places=2),
    )
    create_metric_value(ctx, request)
    return name


def finished(ctx: Context, name: str) -> ExperimentDefinition:
    plan = example_plan(name)
    series = simulate(plan).series
    made = create_experiment(ctx, plan.model_copy(update={"data_source": "upload"}))
    version = publish_results(ctx, made.id, ExperimentData(series=series, source="upload")).data_version
    analyze_version(ctx, made.id, version)
    return get_experiment(ctx, made.id)


def page(name: str, **address: str) -> AppTest:
    opened = AppTest.from_file(str(ENTRYPOINT), default_timeout=SECONDS)
    opened.switch_page(f"pages/{name}.py")
    for key, value in address.items():
        opened.query_params[key] = value
    return shown(opened.run())


def shown(opened: AppTest) -> AppTest:
    assert not opened.exception
    return opened


def words(opened: AppTest) -> str:
    kinds = (
        *(opened.markdown, opened.caption, opened.error, opened.success, opened.warning, opened.info),
        *(opened.subheader, opened.title, opened.html),
    )
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def press(opened: AppTest, label: str) -> AppTest:
    button = next(button for button in opened.button if button.label == label)
    return shown(button.click().run())


def fill(opened: AppTest, name: str) -> AppTest:
    """Choose the checkout template and give the experiment a name of its own."""
    press(opened, "Checkout flow")
    opened.text_input(key="plan name").set_value(name)
    return shown(opened.run())


def stored(ctx: Context, name: str) -> list[ExperimentDefinition]:
    return [one for one in list_experiments(ctx, limit=100).experiments if one.name == name]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_stands_without_any_data(empty_account: Deployment, name: str):
    assert page(name).title[0].value


def test_an_empty_overview_makes_the_example_and_follows_it(own_account: Deployment):
    opened = page("overview")
    assert "What was it worth" in words(opened)
    press(opened, "Load the example")
    (example,) = list_experiments(connect(), limit=10).experiments
    assert example.data_source == "simulator"
    assert "Saved" in words(opened)


@pytest.mark.parametrize("name", PAGES)
def test_a_cloud_that_does_not_answer_is_a_sentence_and_a_way_on(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    opened = page(name)
    assert any("Nothing was lost" in error.value for error in opened.error)
    assert "Try again" in [button.label for button in opened.button]


def test_the_overview_lists_an_experiment_with_its_interval(uploaded: ExperimentDefinition):
    text = words(page("overview", search=uploaded.name))
    assert uploaded.finding.sentence in text
    assert "Observed" in text or "counted" in text


def test_a_search_that_finds_nothing_says_what_to_do(uploaded: ExperimentDefinition):
    assert "Nothing matches" in words(page("overview", search="no such words anywhere"))


def test_the_list_is_filtered_by_status_and_put_in_order(ctx: Context):
    word = uuid4().hex[:6]
    plans = [example_plan(f"{letter} {word}").model_copy(update={"data_source": "api"}) for letter in "bca"]
    made = [create_experiment(ctx, plan) for plan in plans]
    move_status(ctx, made[1].id, "running")
    opened = page("overview", search=word)
    assert listed(opened, word) == ["a", "c", "b"]  # the newest first
    opened.selectbox(key="order").select("Name")
    assert listed(shown(opened.run()), word) == ["a", "b", "c"]
    opened.pills(key="status").set_value(["running"])
    assert listed(shown(opened.run()), word) == ["c"]


def listed(opened: AppTest, word: str) -> list[str]:
    labels = [link.proto.label for link in opened.get("page_link")]
    return [label.strip("*").split()[0] for label in labels if word in label]


def test_many_experiments_are_paged(ctx: Context):
    for number in range(27):
        create_experiment(ctx, example_plan(f"Paged {number}").model_copy(update={"data_source": "api"}))
    opened = page("overview", search="Paged")
    listed = [link.proto.label for link in opened.get("page_link") if "Paged" in link.proto.label]
    assert 0 < len(listed) <= 25


def test_marked_experiments_are_archived_together(ctx: Context):
    names = [f"Bulk {uuid4().hex[:6]}" for _ in range(2)]
    made = [create_experiment(ctx, example_plan(name).model_copy(update={"data_source": "api"})) for name in names]
    opened = page("overview", search="Bulk")
    for experiment in made:
        opened.checkbox(key=f"mark {experiment.id}").check()
    opened.run()
    press(opened, "Archive now")
    assert {get_experiment(ctx, experiment.id).status for experiment in made} == {"archived"}


def test_templates_fill_the_form_at_least_six_of_them(ctx: Context):
    opened = page("create")
    assert sum(button.key.startswith("template ") for button in opened.button if button.key) >= 6
    press(opened, "Checkout flow")
    assert opened.text_input(key="plan name").value == "One-page checkout"
    assert "conversion_rate" in opened.multiselect(key="plan metrics").value


def test_what_is_wrong_is_said_beside_its_field_once_one_tries_to_create(ctx: Context):
    opened = page("create")
    assert "Give it a name" not in words(opened)
    press(opened, "Create the experiment")
    text = words(opened)
    assert "Give it a name of at most 200 letters." in text
    assert "Choose 1 to 10 metrics" in text


def test_nothing_typed_is_lost_by_looking_at_another_page(ctx: Context):
    opened = page("create")
    opened.text_input(key="plan name").set_value("Half typed")
    opened.run()
    opened.switch_page("pages/operations.py")
    opened.run()
    opened.switch_page("pages/create.py")
    shown(opened.run())
    assert opened.text_input(key="plan name").value == "Half typed"


def test_days_beyond_whole_weeks_are_mentioned(ctx: Context):
    opened = page("create")
    first = opened.date_input(key="plan first day")
    first.set_value(opened.date_input(key="plan last day").value)
    shown(opened.run())
    assert "the experiment has 1 day." in words(opened)


def test_the_planning_panel_says_what_the_design_detects_in_units_and_dollars(ctx: Context):
    text = words(fill(page("create"), "Planned only"))
    assert "14 days can detect" in text
    assert "$" in text[text.index("14 days can detect") :]


def test_a_simulated_experiment_is_created_once_and_followed(ctx: Context):
    name = f"Simulated {uuid4().hex[:6]}"
    opened = fill(page("create"), name)
    assert "SIMULATED" in words(opened)
    press(opened, "Create the experiment")
    assert len(stored(ctx, name)) == 1
    assert "Saved" in words(opened)


def test_pressing_create_twice_makes_one_experiment(ctx: Context):
    name = f"Twice {uuid4().hex[:6]}"
    opened = fill(page("create"), name)
    state = {key: opened.session_state[key] for key in ("plan name",)}
    button = next(button for button in opened.button if button.label == "Create the experiment")
    button.click()
    button.click()
    shown(opened.run())
    assert state["plan name"] == name
    assert len(stored(ctx, name)) == 1


def results_file(ctx: Context, experiment: ExperimentDefinition) -> bytes:
    return exports.results_csv(load_results(ctx, experiment.id).data)


def upload_form(content: bytes, name: str) -> AppTest:
    opened = fill(page("create"), name)
    opened.multiselect(key="plan metrics").set_value(
        ["conversion_rate", "average_order_value", "task_completion_time"]
    )
    opened.segmented_control(key="plan source").set_value("upload")
    shown(opened.run())
    opened.file_uploader(key="plan-file").upload("results.csv", content, "text/csv")
    return shown(opened.run())


def test_a_file_with_errors_is_shown_row_by_row_and_creates_nothing(ctx: Context, uploaded: ExperimentDefinition):
    name = f"Wrong file {uuid4().hex[:6]}"
    lines = results_file(ctx, uploaded).decode().splitlines()
    lines[5] = lines[5].replace(lines[5].split(",")[3], "abc")
    opened = upload_form("\n".join(lines).encode(), name)
    assert any("Nothing is stored until mended" in error.value for error in opened.error)
    press(opened, "Create the experiment")
    assert any("Not created" in error.value for error in opened.error)
    assert stored(ctx, name) == []


def test_a_good_file_is_published_with_its_experiment(ctx: Context, uploaded: ExperimentDefinition):
    name = f"Good file {uuid4().hex[:6]}"
    opened = upload_form(results_file(ctx, uploaded), name)
    assert "Ready" in words(opened)
    press(opened, "Create the experiment")
    (made,) = stored(ctx, name)
    assert load_results(ctx, made.id).data_version == 1


def test_columns_chosen_for_one_file_count_in_another_only_where_it_has_them(
    ctx: Context, uploaded: ExperimentDefinition
):
    header, rows = results_file(ctx, uploaded).decode().split("\n", 1)
    foreign = header.replace("timestamp", "moment").replace("value", "height")
    opened = upload_form(f"{foreign}\n{rows}".encode(), f"Two files {uuid4().hex[:6]}")
    assert "Ready" not in words(opened)
    opened.selectbox(key="plan column of timestamp").set_value("moment")
    opened.selectbox(key="plan column of value").set_value("height")
    shown(opened.run())
    assert "Ready" in words(opened)
    columns = next(expander for expander in opened.expander if expander.label == "Columns")
    assert columns.proto.expanded, "it stays open while columns are chosen, though the file can be read already"
    opened.file_uploader(key="plan-file").set_value(("own.csv", f"{header}\n{rows}".encode(), "text/csv"))
    shown(opened.run())
    assert "Ready" in words(opened)
    assert opened.selectbox(key="plan column of timestamp").value is None


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[ReadOptions]:
    """The options of each time that a file is read."""
    seen: list[ReadOptions] = []

    def read(content: bytes, options: ReadOptions) -> Upload:
        seen.append(options)
        return inspect_results(content, options)

    monkeypatch.setattr(uploads, "inspect_results", read)
    return seen


@pytest.fixture
def _one_moment(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages' clock stands still, so that no quarter of an hour begins between two runs."""
    now = ctx.clock()
    monkeypatch.setattr(session, "connection", lambda: replace(ctx, clock=lambda: now))


@pytest.mark.usefixtures("_one_moment")
def test_a_file_is_read_once_however_often_its_page_runs(
    ctx: Context, uploaded: ExperimentDefinition, readings: list[ReadOptions]
):
    content = results_file(ctx, uploaded)
    opened = upload_form(content, f"Read once {uuid4().hex[:6]}")
    shown(opened.run())
    opened.text_input(key="plan name").set_value(name := f"Read once {uuid4().hex[:6]}")
    shown(opened.run())
    assert len(readings) == 1
    opened.text_input(key="plan zone").set_value("Asia/Tokyo")
    shown(opened.run())
    assert [options.time_zone for options in readings] == [None, "Asia/Tokyo"]
    opened.text_input(key="plan zone").set_value("")
    shown(opened.run())
    press(opened, "Create the experiment")
    (made,) = stored(ctx, name)
    assert load_results(ctx, made.id).data_version == 1
    assert len(readings) == 2


@pytest.mark.usefixtures("_one_moment")
def test_a_file_is_read_again_for_another_plan_and_for_another_content(
    ctx: Context, uploaded: ExperimentDefinition, readings: list[ReadOptions]
):
    content = results_file(ctx, uploaded)
    opened = upload_form(content, f"Read again {uuid4().hex[:6]}")
    opened.multiselect(key="plan metrics").set_value(["conversion_rate"])
    shown(opened.run())
    assert [len(options.experiment.metrics) for options in readings] == [3, 1]
    lines = content.decode().splitlines()
    broken = "\n".join([*lines[:-1], lines[-1].replace(lines[-1].split(",")[3], "abc")]).encode()
    opened.file_uploader(key="plan-file").set_value(("results.csv", broken, "text/csv"))
    shown(opened.run())
    assert len(readings) == 3
    assert any("Nothing is stored until mended" in error.value for error in opened.error)


def test_no_more_than_four_readings_are_kept(readings: list[ReadOptions]):
    contents = [f"timestamp,metric,arm,value\n2025-01-15,m{number},control,1\n".encode() for number in range(5)]
    for content in [*contents, contents[-1]]:
        uploads.read(content, ReadOptions())
    assert len(readings) == 5
    uploads.read(contents[0], ReadOptions())
    assert len(readings) == 6, "the oldest made room for the fifth"


def test_what_was_in_the_future_is_read_again_when_it_has_come(readings: list[ReadOptions]):
    content = b"timestamp,metric,arm,value,n\n2025-01-15T14:00Z,m,control,1,9\n2025-01-15T14:00Z,m,treatment,2,9\n"

    def problems(hour: int, minute: int) -> int:
        return uploads.read(content, ReadOptions(now=datetime(2025, 1, 15, hour, minute, tzinfo=UTC))).problem_count

    assert [problems(13, 46), problems(13, 59), problems(14, 0), problems(14, 14)] == [1, 1, 0, 0]
    assert len(readings) == 2


def test_an_experiment_that_waits_for_its_file_takes_it_later(ctx: Context, uploaded: ExperimentDefinition):
    waiting = create_experiment(
        ctx, example_plan("Waits for its file").model_copy(update={"data_source": "upload"})
    )
    opened = page("create", experiment=waiting.id)
    assert "Waiting for an upload" in words(opened)
    opened.file_uploader(key="plan-file").upload("results.csv", results_file(ctx, uploaded), "text/csv")
    shown(opened.run())
    press(opened, "Publish this file")
    assert load_results(ctx, waiting.id).data_version == 1


def test_what_was_created_can_be_cancelled(ctx: Context):
    waiting = create_experiment(ctx, example_plan("To be cancelled").model_copy(update={"data_source": "api"}))
    opened = page("create", experiment=waiting.id)
    press(opened, "Cancel it now")
    assert get_experiment(ctx, waiting.id).status == "archived"


def test_a_step_that_failed_says_why_and_where_to_go_on(ctx: Context):
    waiting = create_experiment(ctx, example_plan("Stopped").model_copy(update={"data_source": "api"}))
    report_failure(ctx, waiting.id, "data", "The simulator ran out of memory.")
    opened = page("create", experiment=waiting.id)
    assert "Data arrived failed: The simulator ran out of memory." in words(opened).replace("**", "")
    assert "Open operations" in [link.proto.label for link in opened.get("page_link")]


def test_a_price_says_in_words_what_it_is_worth(ctx: Context):
    text = words(page("metric_values", metric="conversion_rate"))
    assert "One percentage point more is worth $1,200.00 over the whole experiment." in text


def test_a_prices_chart_is_on_the_clock_of_the_table_beside_it(
    ctx: Context, metric: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(session, "time_zone", lambda: ZoneInfo("Asia/Tokyo"))
    opened = page("metric_values", metric=metric)
    chart = json.loads(opened.get("plotly_chart")[0].proto.spec)
    (changed,) = chart["data"][1]["x"]
    assert datetime.fromisoformat(changed) == (metric_history(ctx, metric)[0].updated_at + NINE_HOURS).replace(
        tzinfo=None
    )
    assert chart["layout"]["xaxis"]["title"]["text"] == "Time (Asia/Tokyo)"
    (table,) = (html.proto.body for html in opened.get("html") if "<table" in html.proto.body)
    assert f"{changed[11:16]} JST" in table


def test_dollar_inputs_explain_themselves_with_an_example(ctx: Context):
    opened = page("metric_values", metric="conversion_rate")
    price = opened.number_input(key="new price")
    assert "enter 2000" in price.help
    price.set_value(3.0)
    opened.text_input(key="new unit").set_value("%")
    shown(opened.run())
    assert "a change of 2 percentage points would count $6.00 over the whole experiment." in words(opened)


def test_a_new_price_shows_what_it_would_do_before_it_is_saved(ctx: Context, uploaded: ExperimentDefinition):
    opened = page("metric_values", metric="average_order_value")
    opened.number_input(key="price of average_order_value").set_value(0.7)
    shown(opened.run())
    assert uploaded.name in words(opened)
    assert get_metric_value(ctx, "average_order_value").dollars_per_unit == Decimal("0.35")


def change(metric: str, amount: float, reason: str = "new margin") -> AppTest:
    opened = page("metric_values", metric=metric)
    return typed(opened, metric, amount, reason)


def typed(opened: AppTest, metric: str, amount: float, reason: str = "new margin") -> AppTest:
    opened.number_input(key=f"price of {metric}").set_value(amount)
    shown(opened.run())
    opened.text_input(key=f"reason {metric}").set_value(reason)
    return shown(opened.run())


def test_a_price_is_saved_with_its_reason_and_a_version(ctx: Context, metric: str):
    opened = press(change(metric, 12.5), "Save this price")
    assert "version 2" in words(opened)
    newest = metric_history(ctx, metric)[0]
    assert (newest.dollars_per_unit, newest.change_reason) == (Decimal("12.5"), "new margin")
    assert "new margin" in words(opened)


def test_a_price_outside_its_rules_is_refused_with_the_rule(ctx: Context, metric: str):
    opened = change(metric, 500)
    assert any("largest allowed price, 100" in error.value for error in opened.error)
    assert "Save this price" not in [button.label for button in opened.button]


@pytest.mark.parametrize(("decision", "price"), [("Keep $11.00", "11"), ("Go on with $12.50", "12.5")])
def test_two_editors_see_both_prices_and_decide(ctx: Context, metric: str, decision: str, price: str):
    opened = change(metric, 12.5)
    update_metric_value(ctx, metric, UpdateMetricValue(dollars_per_unit=Decimal(11), change_reason="theirs"))
    press(opened, "Save this price")
    assert "changed this price to $11.00 while you were typing" in words(opened)
    assert get_metric_value(ctx, metric).dollars_per_unit == Decimal(11)
    opened = next(
        shown(button.click().run()) for button in opened.button if button.label.replace("\\", "") == decision
    )
    if "Save this price" in [button.label for button in opened.button]:
        press(opened, "Save this price")
    assert get_metric_value(ctx, metric).dollars_per_unit == Decimal(price)


def test_two_prices_are_changed_in_the_table_and_saved_together(ctx: Context, metric: str, other: str):
    opened = typed(change(metric, 12.5, "margin"), other, 20, "contract")
    assert f"#### {metric.replace('_', ' ')}: $10.00 → $12.50" in words(opened)
    press(opened, "Save all 2 prices")
    newest = [metric_history(ctx, name)[0] for name in (metric, other)]
    assert [entry.version for entry in newest] == [2, 2]
    assert [(entry.dollars_per_unit, entry.change_reason) for entry in newest] == [
        (Decimal("12.5"), "margin"),
        (Decimal(20), "contract"),
    ]
    assert all(f"{name.replace('_', ' ')} is now" in words(opened) for name in (metric, other))
    assert "Type another price in the table" in words(opened)


def test_a_conflict_in_one_price_does_not_stop_the_other_and_is_said(ctx: Context, metric: str, other: str):
    opened = typed(change(metric, 12.5), other, 20)
    update_metric_value(ctx, metric, UpdateMetricValue(dollars_per_unit=Decimal(11)))
    press(opened, "Save all 2 prices")
    assert get_metric_value(ctx, metric).dollars_per_unit == Decimal(11)
    assert get_metric_value(ctx, other).dollars_per_unit == Decimal(20)
    (refused,) = [error.value.replace("\\", "") for error in opened.error]
    assert refused == f"{metric.replace('_', ' ')} is not saved: someone changed it first. Decide below."
    assert "changed this price to $11.00 while you were typing (version 2, you saw 1). Yours is $12.50." in words(
        opened
    )
    assert "Changed by someone else meanwhile" in words(opened)


def test_a_price_that_breaks_its_rule_waits_while_the_others_can_be_saved(ctx: Context, metric: str, other: str):
    opened = typed(change(metric, 0.5), other, 20)
    text = words(opened)
    assert "Rules: at least $1.00, at most $100.00, 2 decimal places." in text
    assert "0.5 is below the smallest allowed price, 1" in text
    assert "1 change cannot be saved yet" in text
    press(opened, "Save this price")
    assert get_metric_value(ctx, other).dollars_per_unit == Decimal(20)
    assert get_metric_value(ctx, metric).version == 1
    assert opened.number_input(key=f"price of {metric}").value == 0.5


def test_nothing_is_worth_zero(ctx: Context, metric: str):
    assert any("more than zero" in error.value for error in change(metric, 0).error)


def test_undo_and_an_emptied_field_bring_the_stored_price_back(ctx: Context, metric: str):
    opened = press(change(metric, 12.5), "Undo")
    assert opened.number_input(key=f"price of {metric}").value == 10
    typed(opened, metric, 12.5)
    opened.number_input(key=f"price of {metric}").set_value(None)
    shown(opened.run())
    assert opened.number_input(key=f"price of {metric}").value == 10
    assert "Type another price in the table" in words(opened)


def test_a_field_that_nobody_typed_into_follows_the_stored_price(ctx: Context, metric: str):
    opened = page("metric_values", metric=metric)
    update_metric_value(ctx, metric, UpdateMetricValue(dollars_per_unit=Decimal(11)))
    shown(opened.run())
    assert opened.number_input(key=f"price of {metric}").value == 11
    assert "while you were typing" not in words(opened)


def test_what_is_typed_stays_through_paging_searching_and_other_pages(ctx: Context, metric: str):
    for _ in range(26):
        priced(ctx, "paged")
    opened = change(metric, 12.5)
    opened.text_input(key="find a price").set_value("paged")
    shown(opened.run())
    fields = [one.key for one in opened.number_input if one.key.startswith("price of ")]
    assert len(fields) == 25
    assert all(key.startswith("price of paged_") for key in fields)
    assert "$10.00 → $12.50" in words(opened)
    opened.number_input(key="page of prices").set_value(2)
    shown(opened.run())
    assert sum(one.key.startswith("price of paged_") for one in opened.number_input) >= 1
    opened.switch_page("pages/operations.py")
    shown(opened.run())
    opened.switch_page("pages/metric_values.py")
    shown(opened.run())
    opened.text_input(key="find a price").set_value(metric)
    shown(opened.run())
    assert opened.number_input(key=f"price of {metric}").value == 12.5
    assert opened.text_input(key=f"reason {metric}").value == "new margin"
    press(opened, "Save this price")
    assert metric_history(ctx, metric)[0].change_reason == "new margin"


def test_prices_are_found_by_words_and_category(ctx: Context, metric: str):
    for _ in range(11):
        priced(ctx, "sought")
    opened = page("metric_values")
    opened.text_input(key="find a price").set_value("conversion_rate %")
    shown(opened.run())
    assert [one.key for one in opened.number_input if one.key.startswith("price of ")] == [
        "price of conversion_rate"
    ]
    opened.pills(key="categories of prices").set_value(["retention"])
    assert "No metric matches" in words(shown(opened.run()))


def test_a_viewer_reads_the_prices_without_fields(ctx: Context, metric: str, monkeypatch: pytest.MonkeyPatch):
    from rallyuxr.dashboard import session

    monkeypatch.setattr(session, "caller", lambda: session.Caller("vera", "viewer"))
    opened = page("metric_values", metric=metric)
    assert not [one for one in opened.number_input if one.key.startswith("price of ")]
    assert "One dollar more is worth $10.00 over the whole experiment." in words(opened)
    assert "Only administrators change prices." in words(opened)


def test_a_metric_is_priced_from_the_form(ctx: Context):
    name = "made_" + "".join(letter for letter in uuid4().hex if letter.isalpha())
    opened = page("metric_values")
    opened.text_input(key="new id").set_value(name)
    opened.text_input(key="new name").set_value("Made in the form")
    opened.text_input(key="new unit").set_value("%")
    opened.number_input(key="new price").set_value(3.0)
    opened.text_area(key="new description").set_value("Three dollars a point")
    press(opened, "Create")
    made = get_metric_value(ctx, name)
    assert (made.unit_scale, made.currency) == (100.0, "USD")


def test_operations_show_a_failure_and_send_it_through_again(ctx: Context):
    made = create_experiment(ctx, example_plan("To be redriven").model_copy(update={"data_source": "api"}))
    ctx.store.failures.send(
        Failure(
            function=RESULTS_GENERATOR,
            reason="Out of memory in a test",
            at=ctx.clock(),
            event={"experimentId": made.id},
            experiment_id=made.id,
        )
    )
    opened = page("operations")
    assert "Out of memory in a test" in words(opened)
    press(opened, "Send through again")
    assert "sent through again" in words(opened)


def test_operations_show_sizes_and_who_changed_what(ctx: Context):
    finished(ctx, "The newest of all")
    text = words(page("operations"))
    assert "experimentAnalysis" in text
    assert "Experiment.created" in text or "created" in text
    assert "tests" in text
    assert "was analysed" in text or "Waiting for their analysis" in text


def test_the_trail_says_in_words_what_changed(ctx: Context, metric: str):
    press(change(metric, 12.5), "Save this price")
    opened = page("operations")
    opened.text_input(key="audit subject").set_value(metric)
    text = words(shown(opened.run()))
    assert "Metric value changed" in text
    assert "dollars per unit: 10 → 12.5" in text
    assert "Decimal(" not in text


def test_an_experiment_from_orders_says_what_is_missing_and_guesses_the_measure(ctx: Context):
    shop = add_merchant(ctx, Merchant(merchant_id=f"m-{uuid4().hex[:8]}", name="Tea for two"))
    opened = fill(page("create"), "From orders")
    opened.multiselect(key="plan metrics").set_value(["average_order_value"])
    opened.segmented_control(key="plan source").set_value("orders")
    shown(opened.run())
    assert "stands here once these are in order: merchants" in words(opened)
    press(opened, "Create the experiment")
    assert "Choose merchants;" in words(opened)
    assert opened.selectbox(key="plan measure average_order_value").value == "average_order_value"
    opened.multiselect(key="plan merchants").set_value([shop.merchant_id])
    shown(opened.run())
    press(opened, "Create the experiment")
    (made,) = stored(ctx, "From orders")
    assert made.orders.measures == {"average_order_value": "average_order_value"}


def test_columns_of_other_names_are_mapped_by_hand(ctx: Context, uploaded: ExperimentDefinition):
    content = results_file(ctx, uploaded).decode()
    head, *rows = [line for line in content.splitlines() if not line.startswith("#")]
    rows = [row.replace(",treatment,", ",Neu,").replace(",control,", ",Alt,") for row in rows]
    known = ("timestamp", "metric", "arm", "value", "sample_size")
    renamed = ",".join(f"my {name}" if name in known else name for name in head.split(","))
    opened = upload_form("\n".join([renamed, *rows]).encode(), f"Mapped {uuid4().hex[:6]}")
    assert any("Nothing is stored until mended" in error.value for error in opened.error)
    for name in known:
        opened.selectbox(key=f"plan column of {name}").select(f"my {name}")
    shown(opened.run())
    assert "Write treatment or control, or say which arm it is." in words(opened)
    opened.text_input(key="plan name of treatment").set_value("neu")
    opened.text_input(key="plan name of control").set_value("Neu ")
    shown(opened.run())
    assert "calls both arms Neu: give each its own name" in words(opened)
    assert "Ready" not in words(opened)
    opened.text_input(key="plan name of control").set_value("alt")
    shown(opened.run())
    assert "Ready" in words(opened)


def test_a_file_with_a_column_for_each_arm_ratios_and_decimal_commas_is_read_by_hand(
    ctx: Context, uploaded: ExperimentDefinition
):
    columns = {
        "timestamp": "Stunde",
        "metric": "Kennzahl",
        "treatment_value": "neu",
        "control_value": "alt",
        "treatment_sample_size": "Besucher neu",
        "control_sample_size": "Besucher alt",
        "treatment_denominator": "Auftragszahl neu",
        "control_denominator": "Auftragszahl alt",
    }
    hours = [uploaded.baseline_start + timedelta(hours=hour) for hour in range(28 * 24)]
    rows = [f"{hour:%Y-%m-%dT%H:00Z};average_order_value;31,5;30,25;500;510;40;41" for hour in hours]
    name = f"Wide {uuid4().hex[:6]}"
    opened = upload_form("\n".join([";".join(columns.values()), *rows]).encode(), name)
    assert "Ready" not in words(opened)
    opened.multiselect(key="plan metrics").set_value(["average_order_value"])
    opened.segmented_control(key="plan rows").set_value("wide")
    shown(opened.run())
    for field, column in columns.items():
        opened.selectbox(key=f"plan column of {field}").set_value(column)
    shown(opened.run())
    assert "A comma stands where a decimal point is needed." in words(opened)
    opened.segmented_control(key="plan decimal sign").set_value(",")
    shown(opened.run())
    assert "Ready" in words(opened)
    press(opened, "Create the experiment")
    (made,) = stored(ctx, name)
    series = load_results(ctx, made.id).data.series["average_order_value"]
    assert (series.treatment[0], series.control[0]) == (31.5, 30.25)
    assert (series.treatment_denominator[0], series.control_denominator[0]) == (40, 41)


def test_the_trail_can_be_asked_for_one_subject(ctx: Context, uploaded: ExperimentDefinition):
    opened = page("operations")
    opened.text_input(key="audit subject").set_value("nobody")
    shown(opened.run())
    assert "No changes" in words(opened)


@pytest.mark.parametrize(
    ("name", "button"),
    [("overview", "Archive"), ("metric_values", "Save"), ("operations", "Send through again")],
)
def test_a_viewer_can_read_and_change_nothing(
    ctx: Context, uploaded: ExperimentDefinition, monkeypatch: pytest.MonkeyPatch, name: str, button: str
):
    from rallyuxr.dashboard import session

    monkeypatch.setattr(session, "caller", lambda: session.Caller("vera", "viewer"))
    opened = page(name)
    assert not [one for one in opened.button if one.label.startswith(button) and not one.disabled]


def test_a_viewer_is_told_who_may_create(ctx: Context, monkeypatch: pytest.MonkeyPatch):
    from rallyuxr.dashboard import session

    monkeypatch.setattr(session, "caller", lambda: session.Caller("vera", "viewer"))
    opened = page("create")
    assert any("needs the role analyst" in error.value for error in opened.error)
