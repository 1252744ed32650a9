"""The merchants' page through the entrypoint: what it shows of one merchant, and nothing of another."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from rallyuxr.dashboard import order_entry, session
from rallyuxr.errors import Unavailable
from rallyuxr.local import Deployment
from rallyuxr.models.order import LineItem, Merchant, Order
from rallyuxr.models.visits import VisitCount
from rallyuxr.services.context import Context, connect
from rallyuxr.services.merchants import add_merchant
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.orders import place_order, place_orders, recent_orders
from rallyuxr.services.visits import record_visits
from rallyuxr.store import CountedHour

ENTRYPOINT = Path(__file__).parents[2] / "streamlit_app.py"
SECONDS = 60


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def ctx(deployed: Deployment) -> Context:
    return connect(actor="tests")


@cache
def a_shop(ctx: Context, per_day: int, *, visits: int | None = None) -> Merchant:
    """One shop for all tests: so many orders of 10.00 on each of the last 56 days but today, each at noon UTC.

    Visits are of the same hours.
    """
    merchant = add_merchant(ctx, Merchant(merchant_id=f"m-{uuid4()}", name=f"Shop {uuid4().hex[:6]}"))
    noons = [merchant.midnight(today(ctx) - timedelta(days=back)) + timedelta(hours=12) for back in range(1, 56)]
    orders = [
        Order(
            merchant_id=merchant.merchant_id,
            order_id=f"{noon:%m%d}-{number}",
            time=noon,
            customer_id=f"c-{number}",
            currency="USD",
            items=(LineItem(sku="tea", quantity=1, unit_price=Decimal(10)),),
        )
        for noon in noons
        for number in range(per_day)
    ]
    place_orders(ctx, orders)
    counts = [] if visits is None else [VisitCount(hour=noon, visits=visits) for noon in noons]
    record_visits(ctx, merchant.merchant_id, counts)
    aggregate_changes(ctx, [*orders, *(CountedHour(merchant.merchant_id, count.hour) for count in counts)])
    return merchant


def today(ctx: Context) -> date:
    return ctx.clock().date()


def merchants_page(merchant: Merchant) -> AppTest:
    opened = AppTest.from_file(str(ENTRYPOINT), default_timeout=SECONDS)
    opened.switch_page("pages/merchants.py")
    opened.query_params["merchant"] = merchant.merchant_id
    opened.run()
    assert not opened.exception
    return opened


def test_the_order_form_lists_the_newest_orders_of_its_merchant_alone(ctx: Context) -> None:
    mine, _ = a_shop(ctx, 1), a_shop(ctx, 2)
    page = AppTest.from_file(str(ENTRYPOINT), default_timeout=SECONDS)
    page.switch_page("pages/order_form.py")
    page.query_params["merchant"] = mine.merchant_id
    page.run()
    assert not page.exception
    (table,) = [frame.value for frame in page.dataframe if "Order" in frame.value]
    newest = [order.order_id for order in recent_orders(ctx, mine.merchant_id).orders]
    assert list(table["Order"]) == newest[: len(table)]
    assert len(table) > 5
    assert not table["Order"].str.endswith("-1").any(), "the other merchant's second order of each day"


def tiles(page: AppTest) -> dict[str, tuple[str, str]]:
    return {tile.label: (tile.value, tile.delta) for tile in page.metric}


def test_tiles_tell_the_range_and_its_change(ctx: Context) -> None:
    page = merchants_page(a_shop(ctx, 4, visits=200))
    # 27 days with orders and today, without any so far, which is compared with nothing; 28 before, all with orders.
    assert tiles(page) == {
        "Net sales": ("$1,080", "0%"),
        "Orders": ("108", "0%"),
        "Average order value": ("$10.00", "0%"),
        "New customers": ("0", "−100%"),  # all four came on the first of the days before
        "Conversion": ("2%", "0%"),
    }


def test_conversion_is_not_shown_where_no_visits_were_counted(ctx: Context) -> None:
    assert "Conversion" not in tiles(merchants_page(a_shop(ctx, 1)))


def test_another_merchant_is_another_page_whatever_was_cached(ctx: Context) -> None:
    first, second = a_shop(ctx, 1), a_shop(ctx, 3)
    page = merchants_page(first)
    for merchant, orders in ((second, "81"), (first, "27")):
        picker = next(box for box in page.selectbox if box.label == "Merchant")
        picker.set_value(merchant.merchant_id).run()
        assert tiles(page)["Orders"][0] == orders
        assert [header.value for header in page.header] == [merchant.name]
        assert page.query_params["merchant"] in (merchant.merchant_id, [merchant.merchant_id])  # set or typed


def test_hours_and_last_year_are_a_choice(ctx: Context) -> None:
    page = merchants_page(a_shop(ctx, 2))
    next(control for control in page.segmented_control if control.label == "By").set_value("Hour").run()
    compare = next(box for box in page.selectbox if box.label == "Compare with")
    compare.set_value("52 weeks earlier").run()
    assert not page.exception
    assert tiles(page)["Orders"] == ("54", "")
    assert any("Newest order" in caption.value for caption in page.caption)


def test_the_page_says_which_day_or_hour_is_not_over(ctx: Context) -> None:
    page = merchants_page(a_shop(ctx, 1))
    assert sum(f"{today(ctx):%b %Y} (UTC) is not over" in caption.value for caption in page.caption) == 1
    next(control for control in page.segmented_control if control.label == "By").set_value("Hour").run()
    assert sum(f"The hour from {ctx.clock():%H}:00 (UTC) is not over" in one.value for one in page.caption) == 1
    days = next(field for field in page.date_input if field.label == "Days (UTC)")
    days.set_value((today(ctx) - timedelta(days=9), today(ctx) - timedelta(days=2))).run()
    assert not any("is not over" in caption.value for caption in page.caption)


@pytest.mark.parametrize("name", ["merchants", "order_form"])
def test_without_merchants_the_pages_say_what_to_do(empty_account: Deployment, name: str) -> None:
    opened = opened_page(name)
    assert any("No merchants yet" in text.value for text in opened.markdown)


@pytest.mark.parametrize("name", ["merchants", "order_form"])
def test_a_cloud_that_does_not_answer_is_a_sentence_and_a_way_on(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    opened = opened_page(name)
    assert any("Nothing was lost" in error.value for error in opened.error)
    assert "Try again" in [button.label for button in opened.button]


def test_an_order_of_two_articles_is_placed_once_each_has_a_price(ctx: Context) -> None:
    merchant = add_merchant(ctx, Merchant(merchant_id=f"m-{uuid4()}", name="Form"))
    opened = opened_page("order_form", merchant=merchant.merchant_id)
    labelled(opened.text_input, "Customer").set_value("ann@example.com")
    labelled(opened.text_input, "Article").set_value("tea")
    labelled(opened.number_input, "Quantity").set_value(2)
    press(opened, "Add an article")
    [first, second] = [field for field in opened.text_input if field.label == "Article"]
    assert first.value == "tea"
    second.set_value("cake")
    prices = [field for field in opened.number_input if field.label == "Unit price (USD)"]
    prices[0].set_value(4.5)
    press(opened, "Place order")
    assert [error.value for error in opened.error] == ["Not placed: enter the unit price of cake."]
    prices = [field for field in opened.number_input if field.label == "Unit price (USD)"]
    prices[1].set_value(3.0)
    opened.run()
    assert [tile.value for tile in opened.metric] == ["$12.00"]
    press(opened, "Place order")
    (order,) = recent_orders(ctx, merchant.merchant_id).orders
    assert [(item.sku, item.quantity, item.unit_price) for item in order.items] == [
        ("tea", 2, Decimal("4.5")),
        ("cake", 1, Decimal(3)),
    ]


def test_nothing_typed_is_lost_by_looking_at_another_page_and_the_next_order_begins_empty(ctx: Context) -> None:
    merchant = add_merchant(ctx, Merchant(merchant_id=f"m-{uuid4()}", name="Form"))
    opened = opened_page("order_form", merchant=merchant.merchant_id)
    yesterday = today(ctx) - timedelta(days=1)
    labelled(opened.text_input, "Customer").set_value("ann@example.com")
    labelled(opened.text_input, "Channel").set_value("store")
    labelled(opened.date_input, "Day").set_value(yesterday)
    labelled(opened.time_input, "Time (UTC)").set_value(time(9, 30))
    labelled(opened.selectbox, "Status").set_value("refunded")
    labelled(opened.text_input, "Experiment id (optional)").set_value("exp-1")
    labelled(opened.number_input, "Shipping (USD)").set_value(3.5)
    labelled(opened.text_input, "Article").set_value("tea")
    labelled(opened.number_input, "Unit price (USD)").set_value(4.5)
    opened.run()
    labelled(opened.radio, "Arm").set_value("control")
    opened.run()
    opened.switch_page("pages/operations.py").run()
    opened.switch_page("pages/order_form.py")
    opened.query_params["merchant"] = merchant.merchant_id
    opened.run()
    assert [tile.value for tile in opened.metric] == ["$8.00"]
    press(opened, "Place order")
    (order,) = recent_orders(ctx, merchant.merchant_id).orders
    assert order.time == datetime.combine(yesterday, time(9, 30), tzinfo=UTC)
    assert (order.customer_id, order.channel, order.status) == ("ann@example.com", "store", "refunded")
    assert (order.experiment_id, order.arm, order.shipping) == ("exp-1", "control", Decimal("3.5"))
    assert [(item.sku, item.unit_price) for item in order.items] == [("tea", Decimal("4.5"))]
    assert labelled(opened.text_input, "Customer").value == ""
    assert labelled(opened.number_input, "Shipping (USD)").value == 0
    assert labelled(opened.date_input, "Day").value == today(ctx)


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = datetime(2025, 6, 3, 7, 5, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def goes_on(self, **duration: int) -> datetime:
        self.now += timedelta(**duration)
        return self.now


@pytest.fixture
def clock(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the pages."""
    clock = Clock()
    monkeypatch.setattr(session, "connection", lambda: replace(ctx, clock=clock))
    return clock


@pytest.fixture
def berlin(ctx: Context) -> Merchant:
    return add_merchant(ctx, Merchant(merchant_id=f"m-{uuid4()}", name="Form", time_zone="Europe/Berlin"))


def typed_order(merchant: Merchant) -> AppTest:
    opened = opened_page("order_form", merchant=merchant.merchant_id)
    labelled(opened.text_input, "Customer").set_value("ann@example.com")
    labelled(opened.text_input, "Article").set_value("tea")
    labelled(opened.number_input, "Unit price (USD)").set_value(4.5)
    return opened.run()


def time_fields(opened: AppTest) -> tuple[date, time]:
    return labelled(opened.date_input, "Day").value, labelled(opened.time_input, "Time (Europe/Berlin)").value


def only_time(ctx: Context, merchant: Merchant) -> datetime:
    (order,) = recent_orders(ctx, merchant.merchant_id).orders
    return order.time


def test_an_order_whose_time_nobody_touched_is_placed_when_it_is_sent(
    ctx: Context, clock: Clock, berlin: Merchant
) -> None:
    opened = typed_order(berlin)
    assert time_fields(opened) == (date(2025, 6, 3), time(9, 5))
    sent_at = clock.goes_on(hours=15)  # 22:05 in UTC is five past midnight in Berlin
    press(opened, "Place order")
    assert only_time(ctx, berlin) == sent_at
    assert time_fields(opened) == (date(2025, 6, 4), time(0, 5))


def test_a_chosen_time_stays_and_keeps_the_day_it_was_chosen_on(
    ctx: Context, clock: Clock, berlin: Merchant
) -> None:
    opened = typed_order(berlin)
    labelled(opened.time_input, "Time (Europe/Berlin)").set_value(time(8, 40)).run()
    clock.goes_on(hours=15)
    opened.run()
    assert time_fields(opened) == (date(2025, 6, 3), time(8, 40))
    press(opened, "Place order")
    assert only_time(ctx, berlin) == datetime(2025, 6, 3, 6, 40, tzinfo=UTC)


def test_a_chosen_day_keeps_the_time_that_stood_beside_it(ctx: Context, clock: Clock, berlin: Merchant) -> None:
    opened = typed_order(berlin)
    labelled(opened.date_input, "Day").set_value(date(2025, 6, 1)).run()
    clock.goes_on(hours=3)
    press(opened, "Place order")
    assert only_time(ctx, berlin) == datetime(2025, 6, 1, 7, 5, tzinfo=UTC)


def test_a_browser_that_lags_behind_the_clock_chooses_no_time(ctx: Context, clock: Clock, berlin: Merchant) -> None:
    opened = typed_order(berlin)
    clock.goes_on(minutes=1)
    opened.run()
    labelled(opened.time_input, "Time (Europe/Berlin)").set_value(time(9, 5)).run()
    assert time_fields(opened)[1] == time(9, 6)
    sent_at = clock.goes_on(hours=2)
    press(opened, "Place order")
    assert only_time(ctx, berlin) == sent_at


def test_an_order_sent_again_because_nobody_answered_is_the_same_order(
    ctx: Context, clock: Clock, berlin: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def placed_without_an_answer(*arguments: Any) -> None:
        place_order(*arguments)
        raise Unavailable("The store did not answer.")

    opened, sent_at = typed_order(berlin), clock.now
    with monkeypatch.context() as lost:
        lost.setattr(order_entry, "place_order", placed_without_an_answer)
        press(opened, "Place order")
    assert [error.value for error in opened.error] == ["The store did not answer."]
    clock.goes_on(hours=1)
    press(opened, "Place order")
    assert any("was there already" in toast.value for toast in opened.toast)
    assert only_time(ctx, berlin) == sent_at


def test_an_order_refused_for_what_is_in_it_follows_the_clock_again(
    ctx: Context, clock: Clock, berlin: Merchant
) -> None:
    opened = typed_order(berlin)
    labelled(opened.text_input, "Customer").set_value("").run()
    press(opened, "Place order")
    assert opened.error
    labelled(opened.text_input, "Customer").set_value("ann@example.com")
    sent_at = clock.goes_on(hours=1)
    press(opened, "Place order")
    assert only_time(ctx, berlin) == sent_at


def opened_page(name: str, **address: str) -> AppTest:
    opened = AppTest.from_file(str(ENTRYPOINT), default_timeout=SECONDS)
    opened.switch_page(f"pages/{name}.py")
    for key, value in address.items():
        opened.query_params[key] = value
    opened.run()
    assert not opened.exception
    return opened


def labelled(fields: Any, label: str) -> Any:
    return next(field for field in fields if field.label == label)


def press(opened: AppTest, label: str) -> None:
    labelled(opened.button, label).click().run()
    assert not opened.exception
