"""An experiment follows its merchants: up to the last hour known, until its end, and late news after it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from rallyuxr.local import Endpoint
from rallyuxr.models import ExperimentDefinition
from rallyuxr.models.columns import MetricSeries
from rallyuxr.models.experiment import OrderMeasure
from rallyuxr.models.order import Merchant, Order
from rallyuxr.models.visits import VisitCount
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import add_merchant
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.order_experiments import orders_data
from rallyuxr.services.orders import place_order
from rallyuxr.services.visits import record_visits
from rallyuxr.store import CountedHour
from tests.cloud.order_samples import bare_shops

START = datetime(2025, 2, 10, tzinfo=UTC)
END = START + timedelta(days=2)


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    return bare_shops(cloud, "following", now=END + timedelta(days=30))


@pytest.fixture
def shops(ctx: Context) -> tuple[Merchant, Merchant]:
    """One treated, one control, both of which have sold since the day before the start."""
    treated, control = (
        add_merchant(ctx, Merchant(merchant_id=f"m-{uuid4()}", name="Shop", time_zone="UTC")) for _ in range(2)
    )
    for shop in (treated, control):
        sell(ctx, shop, -24)
    return treated, control


def sell(ctx: Context, shop: Merchant, hour: int, **changes: object) -> None:
    """An order of 5.00, so many hours after the start, counted at once."""
    content = {
        "merchant_id": shop.merchant_id,
        "order_id": f"o-{hour}",
        "time": START + timedelta(hours=hour, minutes=10),
        "customer_id": "ann",
        "currency": "USD",
        "items": [{"sku": "tea", "quantity": 1, "unit_price": 5}],
    }
    order = Order.model_validate({**content, **changes})
    place_order(ctx, order)
    aggregate_changes(ctx, [order])


def measured(
    ctx: Context, shops: tuple[Merchant, Merchant], measure: OrderMeasure, now: datetime = END + timedelta(days=1)
) -> MetricSeries:
    treated, control = (shop.merchant_id for shop in shops)
    experiment = ExperimentDefinition.model_validate(
        {
            "id": "x",
            "name": "Checkout",
            "description": "",
            "metrics": ["metric"],
            "start_date": START,
            "end_date": END,
            "baseline_days": 1,
            "expected_outcome": "positive",
            "data_source": "orders",
            "created_at": START,
            "updated_at": START,
            "orders": {
                "by": "merchant",
                "merchants": [treated, control],
                "treated_merchants": [treated],
                "measures": {"metric": measure},
            },
        }
    )
    return orders_data(Context(ctx.store, clock=lambda: now), experiment).series["metric"]


def test_a_running_experiment_ends_with_the_last_hour_known_to_have_orders(
    ctx: Context, shops: tuple[Merchant, Merchant]
) -> None:
    sell(ctx, shops[0], 5)
    now = START + timedelta(hours=20)
    assert measured(ctx, shops, "orders_per_hour", now).timestamps.size == 24 + 6
    sell(ctx, shops[1], 9)
    series = measured(ctx, shops, "orders_per_hour", now)
    assert series.timestamps.size == 24 + 10
    assert (series.treatment.sum(), series.control.sum()) == (2, 2)


def test_over_it_lasts_to_its_end_and_what_is_sold_later_is_not_in_it(
    ctx: Context, shops: tuple[Merchant, Merchant]
) -> None:
    sell(ctx, shops[0], 5)
    before = measured(ctx, shops, "revenue_per_hour")
    assert before.timestamps.size == 24 + 48
    sell(ctx, shops[0], 48)
    sell(ctx, shops[1], 50)
    after = measured(ctx, shops, "revenue_per_hour")
    assert (after.treatment.tolist(), after.control.tolist()) == (
        before.treatment.tolist(),
        before.control.tolist(),
    )
    sell(ctx, shops[0], 5, status="refunded", refunded=2)
    assert measured(ctx, shops, "revenue_per_hour").treatment.sum() == before.treatment.sum() - 2


def test_only_changes_within_its_time_mark_the_experiment(ctx: Context, shops: tuple[Merchant, Merchant]) -> None:
    name = f"e-{uuid4()}"
    ctx.store.merchants.watch(shops[0].merchant_id, name, START - timedelta(days=1), END)

    def marked() -> bool:
        pending = ctx.store.experiments_behind.pending()
        if name in pending:
            ctx.store.experiments_behind.clear(name, pending[name])
        return name in pending

    sell(ctx, shops[0], -30, customer_id="bob")
    sell(ctx, shops[0], 48)
    sell(ctx, shops[1], 5)
    assert not marked()
    sell(ctx, shops[0], 47)
    assert marked()
    sell(ctx, shops[0], 47, status="refunded")
    assert marked()
    count(ctx, shops[0], 3, 10)
    assert marked()


def test_visits_that_come_late_extend_the_conversion(ctx: Context, shops: tuple[Merchant, Merchant]) -> None:
    for shop in shops:
        sell(ctx, shop, 5)
        count(ctx, shop, 5, 50)
    assert measured(ctx, shops, "conversion").treatment_n.tolist() == [50]
    for shop in shops:
        count(ctx, shop, 4, 30)
    series = measured(ctx, shops, "conversion")
    assert (series.treatment.tolist(), series.treatment_n.tolist()) == ([0, 1 / 50], [30, 50])


def count(ctx: Context, shop: Merchant, hour: int, visits: int) -> None:
    counted = VisitCount(hour=START + timedelta(hours=hour), visits=visits)
    record_visits(ctx, shop.merchant_id, [counted])
    aggregate_changes(ctx, [CountedHour(shop.merchant_id, counted.hour)])
