"""Orders by hand and a merchant's dashboard, in Chromium."""

import csv
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from rallyuxr.models.order import LineItem, Merchant, Order
from rallyuxr.models.visits import VisitCount
from rallyuxr.services.analytics import read_rows
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import add_merchant
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.orders import place_orders, recent_orders
from rallyuxr.services.visits import record_visits
from rallyuxr.store import CountedHour
from tests.browser.conftest import Barriers, Picture, Screen, Visit

pytestmark = pytest.mark.browser
DAYS = 60
OPEN = range(8, 22)
TEA = {"Article": "tea", "Quantity": "2", "Unit price (USD)": "4.5"}


@pytest.fixture(scope="module")
def merchant(ctx: Context) -> Merchant:
    """A shop of two months of orders with a daily and a weekly rhythm, and of visits during the day."""
    shop = add_merchant(
        ctx,
        Merchant(
            merchant_id=f"tea-{uuid4().hex[:6]}", name="Aunt Ida's Tea", time_zone="Europe/Berlin", currency="EUR"
        ),
    )
    rng = np.random.default_rng(3)
    first = shop.day_of(ctx.clock()) - timedelta(days=DAYS)
    teas = ("Assam", "Darjeeling", "Earl Grey", "Rooibos", "Sencha")
    orders = []
    for day in range(DAYS):
        for number in range(rng.poisson(6 + 4 * (day % 7 > 4))):
            hour = int(np.clip(rng.normal(15, 4), 0, 23))
            orders.append(
                Order(
                    merchant_id=shop.merchant_id,
                    order_id=f"{day}-{number}",
                    time=shop.midnight(first + timedelta(days=day)) + timedelta(hours=hour),
                    customer_id=f"c-{rng.integers(150)}",
                    currency="EUR",
                    items=(
                        LineItem(
                            sku=teas[int(rng.integers(5))],
                            quantity=int(rng.integers(1, 4)),
                            unit_price=Decimal(int(rng.integers(500, 1500))) / 100,
                        ),
                    ),
                    channel=("web", "app", "store")[int(rng.integers(3))],
                    status=("paid", "refunded")[int(rng.random() < 0.05)],
                )
            )
    place_orders(ctx, orders)
    hours = [
        shop.midnight(first + timedelta(days=day)) + timedelta(hours=hour) for day in range(DAYS) for hour in OPEN
    ]
    counts = [VisitCount(hour=hour, visits=int(rng.poisson(20))) for hour in hours]
    for start in range(0, len(counts), 1000):
        record_visits(ctx, shop.merchant_id, counts[start : start + 1000])
    aggregate_changes(ctx, [*orders, *(CountedHour(shop.merchant_id, hour) for hour in hours)])
    return shop


def test_the_merchants_page_reads_at_every_width_and_in_both_schemes(
    visit: Visit, picture: Picture, barriers: Barriers, merchant: Merchant, screen: Screen
):
    page = visit(f"/merchants?merchant={merchant.merchant_id}", width=screen.width, scheme=screen.scheme)
    expect(page.get_by_test_id("stMetric")).to_have_count(5)
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(6)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    picture(page)
    assert not barriers(page)


def test_the_tiles_show_what_is_stored(visit: Visit, ctx: Context, merchant: Merchant):
    today = merchant.day_of(ctx.clock())
    rows = read_rows(ctx, merchant, "daily", today - timedelta(days=27), today + timedelta(days=1))
    page = visit(f"/merchants?merchant={merchant.merchant_id}")
    tiles = page.get_by_test_id("stMetric")
    expect(tiles.nth(0)).to_contain_text(f"€{sum(row.net for row in rows):,.0f}")
    expect(tiles.nth(1)).to_contain_text(str(sum(row.orders for row in rows)))
    conversion = 100 * sum(row.visit_orders for row in rows) / sum(row.visits for row in rows)
    shown = tiles.nth(4).get_by_test_id("stMetricValue").inner_text()
    assert abs(float(shown.removesuffix("%")) - conversion) < 0.05
    expect(page.get_by_text("Newest order")).to_be_visible()


@pytest.mark.slow
def test_the_file_holds_the_rows_of_the_range(visit: Visit, ctx: Context, merchant: Merchant):
    today = merchant.day_of(ctx.clock())
    rows = read_rows(ctx, merchant, "daily", today - timedelta(days=27), today + timedelta(days=1))
    page = visit(f"/merchants?merchant={merchant.merchant_id}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download these rows").click()
    assert download.value.suggested_filename.startswith(f"{merchant.merchant_id}-daily-")
    table = list(csv.DictReader(StringIO(Path(download.value.path()).read_text())))
    told = [(line["start"], int(line["orders"]), Decimal(line["net"]), int(line["visits"])) for line in table]
    assert told == [(row.start.isoformat(), row.orders, row.net, row.visits) for row in rows]


def test_an_order_typed_by_hand_reaches_the_dashboard(walk: Visit, picture: Picture, ctx: Context):
    name = f"Corner Shop {uuid4().hex[:6]}"
    shop = add_merchant(ctx, Merchant(merchant_id=name.lower().replace(" ", "-"), name=name))
    page = walk(f"/order_form?merchant={shop.merchant_id}")
    type_without_waiting(page, {"Customer": "ann@example.com", "Shipping (USD)": "3.50", **TEA})
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("stMetric")).to_contain_text("$12.50")
    picture(page, "-typed")
    page.get_by_role("button", name="Place order").click()
    expect(page.get_by_text("is placed")).to_be_visible()
    placed = recent_orders(ctx, shop.merchant_id).orders
    assert [(order.customer_id, order.total, order.items[0].sku) for order in placed] == [
        ("ann@example.com", Decimal("12.5"), "tea")
    ]
    for _ in range(60):
        page = walk(f"/merchants?merchant={shop.merchant_id}")
        if page.get_by_test_id("stMetric").count():
            break
        page.wait_for_timeout(500)
    expect(page.get_by_test_id("stMetric").nth(0)).to_contain_text("$9.00")


def test_a_quick_hand_loses_nothing_on_the_way_to_the_button(walk: Visit, ctx: Context):
    name = f"Quick Shop {uuid4().hex[:6]}"
    shop = add_merchant(ctx, Merchant(merchant_id=name.lower().replace(" ", "-"), name=name))
    page = walk(f"/order_form?merchant={shop.merchant_id}")
    type_without_waiting(page, {"Customer": "bob@example.com", **TEA})
    page.get_by_role("button", name="Place order").click()
    expect(page.get_by_text("is placed")).to_be_visible()
    (order,) = recent_orders(ctx, shop.merchant_id).orders
    assert (order.customer_id, order.total, order.items[0].sku) == ("bob@example.com", Decimal(9), "tea")
    expect(page.get_by_role("textbox", name="Article").and_(page.locator("[value=tea]"))).to_have_count(0)


def type_without_waiting(page: Page, texts: dict[str, str]) -> None:
    """Type into each field and go on to the next at once, while the page still runs for the one before."""
    for label, text in texts.items():
        field = page.get_by_label(label, exact=True).first
        field.click()
        field.press("Control+a")
        page.keyboard.type(text, delay=20)
