"""The results page through the entrypoint, against the embedded cloud: empty, full, running and without storage."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from rallyuxr.local import Deployment
from rallyuxr.models import ExperimentDefinition
from rallyuxr.services.analyses import analyze_version
from rallyuxr.services.context import Context, connect
from rallyuxr.services.experiments import create_experiment, get_experiment
from rallyuxr.services.results import publish_results
from rallyuxr.simulation import simulate
from tests.browser.seeds import example_plan, price_metrics

ENTRYPOINT = Path(__file__).parents[2] / "streamlit_app.py"
SECONDS = 30


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()


def results_page(experiment_id: str | None = None, section: str = "Metrics") -> AppTest:
    page = AppTest.from_file(str(ENTRYPOINT), default_timeout=SECONDS)
    page.switch_page("pages/results.py")
    page.query_params["section"] = section
    if experiment_id:
        page.query_params["experiment"] = experiment_id
    return page.run()


def texts(page: AppTest) -> str:
    kinds = (page.markdown, page.caption, page.error, page.success, page.subheader, page.title)
    said = [element.value for kind in kinds for element in kind]
    said += [element.proto.body for element in page.get("html")]
    return "\n".join(said).replace("\\", "")


@pytest.fixture(scope="module")
def ctx(deployed: Deployment) -> Context:
    context = connect(actor="tests")
    price_metrics(context)
    return context


@pytest.fixture(scope="module")
def analysed(ctx: Context) -> ExperimentDefinition:
    """Uploaded results, so that nothing simulates behind the test's back."""
    return upload(ctx, "Uploaded checkout")


def upload(
    ctx: Context,
    name: str,
    *,
    ends_in: timedelta = timedelta(),
    cost: Decimal | None = Decimal(4000),
    currency: str = "USD",
) -> ExperimentDefinition:
    plan = example_plan(name).model_copy(update={"currency": currency})
    until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    data = simulate(plan.model_copy(update={"end_date": min(plan.end_date, until)}))
    stored = plan.model_copy(update={"data_source": "upload", "end_date": plan.end_date + ends_in, "cost": cost})
    created = create_experiment(ctx, stored)
    published = publish_results(ctx, created.id, type(data)(series=data.series, source="upload"))
    analyze_version(ctx, created.id, published.data_version)
    return get_experiment(ctx, created.id)


def test_without_experiments_the_page_says_what_to_do(empty_account: Deployment):
    page = results_page()
    assert not page.exception
    assert "No experiment yet" in texts(page)


def test_without_a_choice_the_page_offers_the_experiments(analysed: ExperimentDefinition):
    page = results_page()
    assert not page.exception
    assert page.selectbox[0].value is None
    page.selectbox[0].select(analysed.id).run()
    assert page.title[0].value == analysed.name


def test_of_two_experiments_of_one_name_the_page_stays_with_its_own(ctx: Context):
    first, second = upload(ctx, "Namesakes"), upload(ctx, "Namesakes")
    for mine in (first, second):
        page = results_page(mine.id)
        labelled(page, "button", "Re-run with today's prices").click().run()
        assert not page.exception
        assert page.query_params["experiment"] in (mine.id, [mine.id])  # set or typed
        assert page.selectbox[0].value == mine.id


def test_the_verdict_and_the_money_come_first_with_their_intervals(analysed: ExperimentDefinition):
    page = results_page(analysed.id)
    assert not page.exception
    shown = texts(page)
    assert analysed.finding.sentence in shown
    assert [card.label for card in page.metric] == ["Observed impact", "Projected over 365 days", "Return on cost"]
    assert "95% interval $" in shown
    assert "SIMULATED" not in shown


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ("Money", "counted in the total"),
        ("Assumptions", "Parallel trends before the start"),
        ("How it was made", "version 1"),
        ("What if", "Observed impact as stored"),
        ("Compare", "Only one analysis yet"),
        ("Export", "Report for people"),
    ],
)
def test_every_section_opens_by_its_address(analysed: ExperimentDefinition, section: str, sentence: str):
    page = results_page(analysed.id, section)
    assert not page.exception
    assert sentence in texts(page)


def labelled(page: AppTest, kind: str, label: str) -> Any:
    """The last element whose label begins so: the one of the open section."""
    return [element for element in getattr(page, kind) if element.label.startswith(label)][-1]


def card(page: AppTest, label: str) -> str:
    """What the last card of that name shows: the one of What if, below the stored ones."""
    return [metric.value for metric in page.metric if metric.label == label][-1]


def test_what_if_follows_the_price_and_goes_back(analysed: ExperimentDefinition):
    page = results_page(analysed.id, "What if")
    stored = card(page, "Observed impact")
    labelled(page, "number_input", "Average order value").set_value(0.70).run()
    assert not page.exception
    assert "against the stored" in texts(page)
    assert card(page, "Observed impact") != stored
    labelled(page, "button", "Back to the stored values").click().run()
    assert not page.exception
    assert "Observed impact as stored" in texts(page)
    assert card(page, "Observed impact") == stored


def test_what_if_slider_and_exact_number_stay_in_step(analysed: ExperimentDefinition):
    page = results_page(analysed.id, "What if")
    stored = card(page, "Observed impact")
    labelled(page, "slider", "Average order value").set_value(0.7).run()
    assert labelled(page, "number_input", "Average order value").value == 0.7
    moved = card(page, "Observed impact")
    assert moved != stored
    labelled(page, "number_input", "Average order value").set_value(0.35).run()
    assert labelled(page, "slider", "Average order value").value == 0.35
    assert card(page, "Observed impact") == stored
    labelled(page, "number_input", "Average order value").set_value(99.5).run()
    assert (
        labelled(page, "slider", "Average order value").value == labelled(page, "slider", "Average order value").max
    )
    assert labelled(page, "number_input", "Average order value").value == 99.5
    assert not page.exception


def test_what_if_coverage_cost_and_horizon_are_sliders_too(analysed: ExperimentDefinition):
    page = results_page(analysed.id, "What if")
    once = card(page, "Projected over 365 days")
    labelled(page, "slider", "Coverage").set_value(2.0).run()
    assert card(page, "Projected over 365 days") != once
    labelled(page, "slider", "Cost in USD").set_value(8000.0).run()
    assert "on a cost of $8,000" in texts(page)
    labelled(page, "slider", "Horizon in days").set_value(90).run()
    assert labelled(page, "number_input", "Horizon in days").value == 90
    assert card(page, "Projected over 90 days") != once
    labelled(page, "number_input", "Horizon in days").set_value(3650).run()
    assert not page.exception
    assert card(page, "Projected over 3650 days") != once


def test_what_if_without_its_cost_there_is_no_return(analysed: ExperimentDefinition):
    page = results_page(analysed.id, "What if")
    assert card(page, "Return on cost") != "—"
    labelled(page, "toggle", "The change had a cost").set_value(False).run()
    assert not page.exception
    assert card(page, "Return on cost") == "—"
    assert "No cost was entered" in texts(page)
    assert "Observed impact as stored" in texts(page)
    labelled(page, "toggle", "The change had a cost").set_value(True).run()
    labelled(page, "number_input", "Cost in USD").set_value(8000.0).run()
    assert "on a cost of $8,000" in texts(page)


def test_what_if_a_cost_where_none_was_entered_gives_a_return(ctx: Context):
    mine = upload(ctx, "What if it had a cost", cost=None)
    page = results_page(mine.id, "What if")
    assert labelled(page, "number_input", "Cost in USD").disabled
    labelled(page, "toggle", "The change had a cost").set_value(True).run()
    assert card(page, "Return on cost") == "—"
    labelled(page, "number_input", "Cost in USD").set_value(2500.0).run()
    assert not page.exception
    assert "on a cost of $2,500" in texts(page)


def test_what_if_the_effect_is_a_one_off_nothing_is_projected(analysed: ExperimentDefinition):
    page = results_page(analysed.id, "What if")
    yearly = card(page, "Projected over 365 days")
    labelled(page, "slider", "Horizon in days").set_value(730).run()
    assert card(page, "Projected over 730 days") != yearly
    labelled(page, "toggle", "The effect recurs").set_value(False).run()
    assert card(page, "Projected") == "—"


def test_a_newer_data_version_is_shown_at_the_next_look_whatever_was_cached(ctx: Context):
    mine = upload(ctx, "Published twice")
    before = card(results_page(mine.id), "Observed impact")
    newer = simulate(example_plan("Published twice", seed=77))
    published = publish_results(ctx, mine.id, type(newer)(series=newer.series, source="upload"))
    analyze_version(ctx, mine.id, published.data_version)
    page = results_page(mine.id, "Money")
    assert not page.exception
    assert card(page, "Observed impact") != before
    assert get_experiment(ctx, mine.id).finding.sentence in texts(page)
    assert published.data_version == 2


def test_a_cost_entered_later_gives_a_return(ctx: Context):
    mine = upload(ctx, "Cost comes later", cost=None)
    page = results_page(mine.id)
    assert "No cost was entered" in texts(page)
    page.number_input(key="cost to store").set_value(2500.0)
    next(button for button in page.button if button.label == "Save and analyse again").click().run()
    assert not page.exception
    assert "on a cost of $2,500" in texts(page)


def test_while_it_runs_the_table_says_that_it_may_be_looked_at(ctx: Context):
    running = upload(ctx, "Still running", ends_in=timedelta(days=7))
    page = results_page(running.id)
    assert not page.exception
    assert "may be looked at every hour" in texts(page)


def test_without_a_total_the_page_says_what_keeps_each_metric_out(ctx: Context):
    abroad = upload(ctx, "Priced in another currency", currency="EUR")
    page = results_page(abroad.id)
    assert not page.exception
    assert card(page, "Observed impact") == "—"
    assert "No metric enters the total: its price is in USD, the experiment's total in EUR" in texts(page)


def test_before_its_data_the_page_follows_the_pipeline(ctx: Context):
    waiting = create_experiment(ctx, example_plan("Waiting").model_copy(update={"data_source": "upload"}))
    page = results_page(waiting.id)
    assert not page.exception
    assert "Waiting for an upload" in texts(page)


def test_an_unknown_experiment_is_a_sentence_and_a_way_on(ctx: Context):
    page = results_page("nobody")
    assert not page.exception
    assert "There is no experiment 'nobody'." in page.error[0].value.replace("\\", "")
    assert [button.label for button in page.button] == ["Try again"]


def test_a_cloud_that_does_not_answer_is_a_sentence_and_a_way_on(
    analysed: ExperimentDefinition, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    page = results_page(analysed.id)
    assert not page.exception
    assert "Nothing was lost" in page.error[0].value


def test_a_viewer_sees_no_button_that_changes_anything(
    analysed: ExperimentDefinition, monkeypatch: pytest.MonkeyPatch
):
    from rallyuxr.dashboard import session

    monkeypatch.setattr(session, "caller", lambda: session.Caller("vera", "viewer"))
    page = results_page(analysed.id)
    assert not page.exception
    assert "Re-run with today's prices" not in [button.label for button in page.button]
