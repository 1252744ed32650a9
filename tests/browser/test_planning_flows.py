"""Creating experiments from a file with columns of its own and from merchants' orders, by mouse and keyboard."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal
from uuid import uuid4

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from rallyuxr.models.order import LineItem, Merchant, Order
from rallyuxr.services.analyses import current_analysis
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import add_merchant
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.orders import place_orders
from tests.browser.conftest import Picture, Visit
from tests.browser.test_workbench_flows import PIPELINE, VERDICT, choose_days, hourly_csv, stored
from tests.browser.workbench import settled

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FOREIGN = {"timestamp": "moment", "arm": "side", "value": "height", "sample_size": "heads", "metric": "subject"}
"""The metric last: the file can be read as soon as the others are known, and the hand is still at work then."""

DAYS = 28
RISE = Decimal(6)
"""What the treated shops' orders are worth more in the last two weeks."""


@pytest.fixture(scope="module")
def shops(ctx: Context) -> list[Merchant]:
    """Four shops of four weeks of orders until yesterday; the first two change something after two weeks."""
    town = uuid4().hex[:6]
    made = [
        add_merchant(ctx, Merchant(merchant_id=f"shop-{town}-{number}", name=f"{street} Street {town}"))
        for number, street in enumerate(("Amber", "Birch", "Cedar", "Dune"))
    ]
    for number, shop in enumerate(made):
        orders = list(sold(shop, ctx.clock().date(), treated=number < 2, seed=number))
        for first in range(0, len(orders), 500):
            place_orders(ctx, orders[first : first + 500])
        aggregate_changes(ctx, orders)
    return made


def sold(shop: Merchant, today: date, *, treated: bool, seed: int) -> Iterator[Order]:
    """An order or two in each hour of the day; the treated shop's rise with the second half."""
    rng = np.random.default_rng(seed)
    for hour in range(DAYS * 24):
        start: datetime = shop.midnight(today - timedelta(days=DAYS)) + timedelta(hours=hour)
        rise = RISE if treated and hour >= DAYS * 12 else Decimal(0)
        for place in range(1 + rng.poisson(0.5)):
            yield Order(
                merchant_id=shop.merchant_id,
                order_id=f"{hour}-{place}",
                time=start + timedelta(minutes=int(rng.integers(60))),
                customer_id=f"c-{rng.integers(200)}",
                currency=shop.currency,
                items=(LineItem(sku="box", quantity=1, unit_price=Decimal(int(rng.gamma(9, 300))) / 100 + rise),),
            )


def choose(page: Page, label: str, option: str) -> None:
    """Open a list, type what is looked for and take it; again where the list had closed, as it does on a resize."""
    field = page.get_by_role("combobox", name=label, exact=False)
    for _ in range(3):
        field.click()
        page.keyboard.type(option)
        page.keyboard.press("Enter")
        field.blur()  # what is typed but not taken goes away
        settled(page)
        if field.input_value() == option:
            break


def take(page: Page, label: str, options: list[str], *, by: Literal["mouse", "keyboard"]) -> None:
    """Take several entries of a list: found by the first letters, then taken by mouse or with Enter.

    An entry that a busy page draws anew just then is not taken by a click; who sees that takes it again.
    """
    field = page.get_by_role("combobox", name=label, exact=True)
    taken = page.get_by_test_id("stMultiSelect").filter(has=field)
    for option in options:
        for _ in range(3):
            field.click()
            page.keyboard.type(option)
            if by == "mouse":
                page.get_by_role("option", name=option).click()
            else:
                page.keyboard.press("Enter")
            page.keyboard.press("Escape")
            settled(page)
            if taken.get_by_text(option).count():
                break


def test_columns_of_other_names_are_mapped_by_hand(walk: Visit, ctx: Context, tmp_path: Path, picture: Picture):
    name = f"Mapped {uuid4().hex[:6]}"
    page = walk("/create")
    page.get_by_label("Name", exact=True).fill(name)
    metrics = page.get_by_test_id("stMultiSelect").locator("input")
    metrics.fill("conversion_rate")
    metrics.press("Enter")
    page.keyboard.press("Escape")
    settled(page)
    choose_days(page, "20250115", "20250128")
    header, rows = hourly_csv(lift=0.004).split("\n", 1)
    file = tmp_path / "foreign.csv"
    file.write_text(",".join(FOREIGN[column] for column in header.split(",")) + "\n" + rows)
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("shape not recognised")).to_be_visible(timeout=30_000)
    picture(page, "-unknown")
    settled(page)  # the window had another size for the picture, and lists close when it changes
    for column, foreign in FOREIGN.items():
        choose(page, f"Column of {column}", foreign)
    for column, foreign in FOREIGN.items():
        expect(page.get_by_role("combobox", name=f"Column of {column}")).to_have_value(foreign)
    settled(page)
    expect(page.get_by_text("Ready:")).to_be_visible(timeout=30_000)
    picture(page, "-mapped")
    page.get_by_role("button", name="Create the experiment").click()
    expect(page.get_by_text(VERDICT).first).to_be_visible(timeout=PIPELINE)
    made = stored(ctx, name)
    assert (made.data_source, made.status) == ("upload", "complete")


def test_merchants_orders_become_an_experiment_and_its_first_results(
    walk: Visit, ctx: Context, shops: list[Merchant], picture: Picture
):
    name = f"From orders {uuid4().hex[:6]}"
    page = walk("/create")
    page.get_by_label("Name", exact=True).fill(name)
    take(page, "Metrics", ["average_order_value"], by="keyboard")
    page.get_by_role("radio", name="Orders").click()
    settled(page)
    page.get_by_role("button", name="Create the experiment").click()
    expect(page.get_by_text("Choose merchants")).to_be_visible()
    settled(page)
    take(page, "Merchants", [shop.name for shop in shops[:2]], by="mouse")
    take(page, "Merchants", [shop.name for shop in shops[2:]], by="keyboard")
    page.get_by_text("treated merchants against the others").click()
    take(page, "Treated merchants", [shop.name for shop in shops[:2]], by="mouse")
    expect(page.get_by_role("combobox", name="average_order_value measures")).to_have_value("Average order value")
    settled(page)
    picture(page, "-chosen")
    page.get_by_role("button", name="Create the experiment").click()
    expect(page.get_by_text("You may leave this page")).to_be_visible()
    picture(page, "-waiting")
    expect(page.get_by_text(VERDICT).first).to_be_visible(timeout=PIPELINE)
    page.get_by_role("link", name="Open its results").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    made = stored(ctx, name)
    assert made.orders is not None
    assert set(made.orders.merchants) == {shop.merchant_id for shop in shops}
    assert set(made.orders.treated_merchants) == {shop.merchant_id for shop in shops[:2]}
    analysis = current_analysis(ctx, made.id)
    assert analysis is not None
    interval = analysis.did_results["average_order_value"].confidence_interval
    assert interval is not None
    assert interval.lower < float(RISE) < interval.upper
