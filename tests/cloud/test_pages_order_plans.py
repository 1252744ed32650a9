"""An experiment from orders, planned on the page: merchants, where arms come from, what each metric measures."""

from uuid import uuid4

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from rallyuxr.local import Deployment
from rallyuxr.models.order import Merchant
from rallyuxr.services.context import Context, connect
from rallyuxr.services.merchants import add_merchant
from tests.browser.seeds import price_metrics
from tests.cloud.test_pages_workbench import fill, page, press, shown, stored, words

METRICS = ["conversion_rate", "average_order_value"]


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def ctx(deployed: Deployment) -> Context:
    context = connect(actor="tests")
    price_metrics(context)
    return context


@pytest.fixture
def shops(ctx: Context) -> list[str]:
    made = [Merchant(merchant_id=f"m-{uuid4()}", name=f"Shop {uuid4().hex[:6]}") for _ in range(3)]
    return [add_merchant(ctx, merchant).merchant_id for merchant in made]


def order_form(name: str) -> AppTest:
    opened = fill(page("create"), name)
    opened.multiselect(key="plan metrics").set_value(METRICS)
    opened.segmented_control(key="plan source").set_value("orders")
    return shown(opened.run())


def measure(opened: AppTest, metric: str, name: str) -> None:
    next(box for box in opened.selectbox if box.label == f"{metric} measures").set_value(name)


def test_merchants_are_the_arms_and_the_experiment_follows_their_orders(ctx: Context, shops: list[str]):
    name = f"By merchant {uuid4().hex[:6]}"
    opened = order_form(name)
    press(opened, "Create the experiment")
    assert "Choose merchants" in words(opened)
    assert stored(ctx, name) == []
    opened.multiselect(key="plan merchants").set_value(shops)
    opened.radio(key="plan arms from").set_value("merchant")
    shown(opened.run())
    press(opened, "Create the experiment")
    assert stored(ctx, name) == [], "no merchant is treated yet"
    opened.multiselect(key="plan treated merchants").set_value(shops[:1])
    measure(opened, "conversion_rate", "conversion")
    measure(opened, "average_order_value", "average_order_value")
    shown(opened.run())
    press(opened, "Create the experiment")
    (experiment,) = stored(ctx, name)
    assert experiment.orders is not None
    assert (experiment.data_source, experiment.orders.by) == ("orders", "merchant")
    assert set(experiment.orders.merchants) == set(shops)
    assert experiment.orders.treated_merchants == (shops[0],)
    assert experiment.orders.measures == {
        "conversion_rate": "conversion",
        "average_order_value": "average_order_value",
    }
    for shop in shops:
        ((watched, first, last),) = ctx.store.merchants.watching(shop)
        assert (watched, first, last) == (experiment.id, experiment.baseline_start, experiment.end_date)


def test_orders_bring_their_arms_themselves(ctx: Context, shops: list[str]):
    name = f"By arm {uuid4().hex[:6]}"
    opened = order_form(name)
    opened.multiselect(key="plan merchants").set_value(shops[1:])
    measure(opened, "average_order_value", "revenue_per_customer")
    shown(opened.run())
    press(opened, "Create the experiment")
    (experiment,) = stored(ctx, name)
    assert experiment.orders is not None
    assert (experiment.orders.by, experiment.orders.treated_merchants) == ("arm", ())
    assert set(experiment.orders.merchants) == set(shops[1:])
    assert experiment.orders.measures["average_order_value"] == "revenue_per_customer"
