"""From orders to dollars: orders with two arms and a known effect, through the deployed stack."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from uuid import uuid4

import numpy as np
import pytest

from rallyuxr.errors import InvalidInput, NotFound
from rallyuxr.local import Deployment
from rallyuxr.models import (
    CreateExperiment,
    CreateMetricValue,
    ExperimentData,
    ExperimentDefinition,
    OrdersPlan,
    PublishedData,
)
from rallyuxr.models.experiment import OrderMeasure
from rallyuxr.models.order import Arm, LineItem, Merchant, Order
from rallyuxr.models.visits import VisitCount
from rallyuxr.services import order_experiments
from rallyuxr.services.analyses import current_analysis
from rallyuxr.services.analytics import read_rows
from rallyuxr.services.context import Context, connect
from rallyuxr.services.experiments import create_experiment
from rallyuxr.services.merchants import add_merchant
from rallyuxr.services.metric_values import create_metric_value
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.order_experiments import orders_data, publish_pending
from rallyuxr.services.orders import place_order, place_orders
from rallyuxr.services.results import load_results
from rallyuxr.services.visits import record_visits
from rallyuxr.store.dynamo import put
from rallyuxr.store.tables import ORDERS

START = datetime(2025, 2, 10, tzinfo=UTC)
WEEK = timedelta(days=7)
EFFECT = Decimal("3.00")
PRICE = Decimal("40")
PATIENCE_SECONDS = 180


@pytest.fixture
def ctx(deployed: Deployment) -> Context:
    return connect(actor="tests")


def eventually(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not look():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.5)


def published_when(
    ctx: Context, experiment: ExperimentDefinition, complete: Callable[[PublishedData], bool]
) -> PublishedData:
    """Publish what is marked, as often as it takes: a batch marks experiments just after its rows can be read."""

    def look() -> bool:
        publish_pending(ctx, quiet=timedelta(0))
        return ctx.store.results.newest(experiment.id) is not None and complete(load_results(ctx, experiment.id))

    eventually(look)
    return load_results(ctx, experiment.id)


def a_merchant(ctx: Context, currency: str = "USD") -> Merchant:
    return add_merchant(ctx, Merchant(merchant_id=f"m-{uuid4()}", name="Shop", currency=currency))


def an_experiment(
    ctx: Context,
    merchant: Merchant,
    measure: OrderMeasure = "average_order_value",
    *,
    against: Merchant | None = None,
) -> ExperimentDefinition:
    """By the arm on each order, or `merchant` `against` another one."""
    metric = "value_" + "".join(chr(97 + int(digit, 16)) for digit in uuid4().hex[:12])
    create_metric_value(
        ctx,
        CreateMetricValue(
            metric_id=metric,
            name=measure,
            dollars_per_unit=PRICE,
            unit="of it",
            description="What one more of it is worth",
            category="revenue",
            value_type="proportion" if measure == "conversion" else "ratio",
        ),
    )
    merchants = [each.merchant_id for each in (merchant, against) if each]
    plan = CreateExperiment(
        name="Bundles",
        description="Offer bundles at checkout",
        metrics=(metric,),
        start_date=START,
        end_date=START + WEEK,
        baseline_days=7,
        expected_outcome="positive",
        data_source="orders",
        orders=OrdersPlan(
            by="merchant" if against else "arm",
            merchants=tuple(merchants),
            treated_merchants=tuple(merchants[:1]) if against else (),
            measures={metric: measure},
        ),
    )
    return create_experiment(ctx, plan)


def shopping(merchant: Merchant, experiment_id: str) -> Iterator[Order]:
    """Two weeks of orders in two arms; in the second week the treated arm's orders are worth EFFECT more."""
    rng = np.random.default_rng(7)
    arms: tuple[Arm, ...] = ("treatment", "control")
    for hour in range(14 * 24):
        moment = START - WEEK + timedelta(hours=hour)
        for arm in arms:
            for place in range(rng.poisson(2)):
                value = Decimal(int(rng.gamma(4, 500))) / 100
                price = value + (EFFECT if arm == "treatment" and moment >= START else 0)
                yield Order(
                    merchant_id=merchant.merchant_id,
                    order_id=f"{arm}-{hour}-{place}",
                    time=moment + timedelta(minutes=int(rng.integers(60))),
                    customer_id=f"c-{rng.integers(400)}",
                    currency=merchant.currency,
                    items=(LineItem(sku="bundle", quantity=1, unit_price=price),),
                    experiment_id=experiment_id,
                    arm=arm,
                )


def test_orders_with_a_known_effect_become_an_interval_that_holds_it_and_the_dollars_follow(ctx: Context) -> None:
    merchant = a_merchant(ctx)
    experiment = an_experiment(ctx, merchant)
    orders = list(shopping(merchant, experiment.id))
    for first in range(0, len(orders), 500):
        place_orders(ctx, orders[first : first + 500])

    def aggregated() -> int:
        first, last = (START - WEEK).date(), (START + WEEK).date()
        return sum(row.orders for row in read_rows(ctx, merchant, "daily", first, last))

    eventually(lambda: aggregated() == len(orders))
    metric = experiment.metrics[0]

    def has_all(found: PublishedData) -> bool:
        counts = found.data.series[metric].treatment_denominator
        return counts is not None and counts.sum() == sum(order.arm == "treatment" for order in orders)

    published = published_when(ctx, experiment, has_all)
    assert published.data.source == "orders"

    def analysed(version: int) -> bool:
        found = current_analysis(ctx, experiment.id)
        return found is not None and found.data_version == version

    eventually(lambda: analysed(published.data_version))
    analysis = current_analysis(ctx, experiment.id)
    assert analysis is not None
    result, impact = analysis.did_results[metric], analysis.economic_impact
    assert result.confidence_interval is not None
    assert result.confidence_interval.lower < float(EFFECT) < result.confidence_interval.upper
    assert result.estimate.estimate is not None
    assert impact.total_impact == pytest.approx(result.estimate.estimate * float(PRICE))
    assert impact.total_interval is not None
    assert impact.total_interval.lower < float(EFFECT * PRICE) < impact.total_interval.upper

    late = orders[-1].model_copy(update={"status": "refunded"})
    assert place_order(ctx, late).outcome == "updated"
    again = published_when(ctx, experiment, lambda found: found.data_version > published.data_version)
    publish_pending(ctx, quiet=timedelta(0))
    assert load_results(ctx, experiment.id).data_version == again.data_version == published.data_version + 1


def test_orders_that_exist_become_a_new_experiments_data_without_another_order(ctx: Context) -> None:
    *shops, last = a_merchant(ctx), a_merchant(ctx), a_merchant(ctx)
    for shop in (*shops, last):
        place_orders(ctx, list(islice(shopping(shop, "none"), 20)))
    first, until = (START - WEEK).date(), START.date()
    eventually(lambda: sum(row.orders for row in read_rows(ctx, last, "daily", first, until)) == 20)
    experiment = an_experiment(ctx, shops[0], "orders_per_hour", against=shops[1])
    eventually(lambda: ctx.store.results.newest(experiment.id) is not None)
    series = load_results(ctx, experiment.id).data.series[experiment.metrics[0]]
    assert (series.treatment.sum(), series.control.sum()) == (20, 20)


def test_orders_read_earlier_never_replace_those_read_later(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    merchant = a_merchant(ctx)
    experiment = an_experiment(ctx, merchant)
    *known, late = islice(shopping(merchant, experiment.id), 9)
    place_orders(ctx, known)
    aggregate_changes(ctx, known)

    def overtaken(ctx: Context, experiment: ExperimentDefinition) -> ExperimentData:
        read = orders_data(ctx, experiment)
        monkeypatch.undo()
        place_order(ctx, late)
        aggregate_changes(ctx, [late])
        order_experiments.publish_orders(ctx, experiment.id)
        return read

    monkeypatch.setattr(order_experiments, "orders_data", overtaken)
    order_experiments.publish_orders(ctx, experiment.id)
    series = load_results(ctx, experiment.id).data.series[experiment.metrics[0]]
    assert series.treatment_denominator is not None
    assert series.control_denominator is not None
    assert (series.treatment_denominator + series.control_denominator).sum() == len(known) + 1


LIFT = 0.05
BASE_RATE = 0.1


def browsing(merchant: Merchant, experiment_id: str) -> tuple[list[VisitCount], list[Order]]:
    """Two weeks of visits in two arms; in the second week LIFT more of the treated arm's visits end in an order."""
    rng = np.random.default_rng(11)
    arms: tuple[Arm, ...] = ("treatment", "control")
    counts, orders = [], []
    for hour in range(14 * 24):
        moment = START - WEEK + timedelta(hours=hour)
        for arm in arms:
            rate = BASE_RATE + (LIFT if arm == "treatment" and moment >= START else 0)
            visits = int(rng.poisson(40))
            counts.append(VisitCount(hour=moment, visits=visits, experiment_id=experiment_id, arm=arm))
            orders += [
                Order(
                    merchant_id=merchant.merchant_id,
                    order_id=f"{arm}-{hour}-{place}",
                    time=moment + timedelta(minutes=place),
                    customer_id=f"c-{rng.integers(400)}",
                    currency=merchant.currency,
                    items=(LineItem(sku="bundle", quantity=1, unit_price=PRICE),),
                    experiment_id=experiment_id,
                    arm=arm,
                )
                for place in range(rng.binomial(visits, rate))
            ]
    return counts, orders


@pytest.mark.slow
def test_visits_and_orders_with_a_known_lift_become_a_conversion_effect_that_holds_it(ctx: Context) -> None:
    merchant = a_merchant(ctx)
    experiment = an_experiment(ctx, merchant, "conversion")
    metric = experiment.metrics[0]
    counts, orders = browsing(merchant, experiment.id)
    first, last = (START - WEEK).date(), (START + WEEK).date()
    for start in range(0, len(orders), 1000):
        place_orders(ctx, orders[start : start + 1000])
    record_visits(ctx, merchant.merchant_id, counts)
    visits = sum(count.visits for count in counts)

    def counted() -> bool:
        arms = [row.arms.get(experiment.id, {}) for row in read_rows(ctx, merchant, "daily", first, last)]
        parts = [part for each in arms for part in each.values()]
        return (sum(part.visits for part in parts), sum(part.orders for part in parts)) == (visits, len(orders))

    eventually(counted)

    def has_all(found: PublishedData) -> bool:
        series = found.data.series[metric]
        return bool((series.treatment_n + series.control_n).sum() == visits)

    published = published_when(ctx, experiment, has_all)
    eventually(
        lambda: (
            (found := current_analysis(ctx, experiment.id)) is not None
            and found.data_version == published.data_version
        )
    )
    analysis = current_analysis(ctx, experiment.id)
    assert analysis is not None
    result, impact = analysis.did_results[metric], analysis.economic_impact
    assert result.confidence_interval is not None
    assert result.confidence_interval.lower < LIFT < result.confidence_interval.upper
    assert result.confidence_interval.lower > 0
    assert result.sample_size_treatment == sum(c.visits for c in counts if c.arm == "treatment" and c.hour >= START)
    assert result.estimate.estimate is not None
    assert impact.total_impact == pytest.approx(result.estimate.estimate * float(PRICE))

    late = counts[-1].model_copy(update={"visits": counts[-1].visits + 40})
    assert record_visits(ctx, merchant.merchant_id, [late])[0].outcome == "updated"

    again = published_when(ctx, experiment, lambda found: found.data_version > published.data_version)
    assert again.data_version == published.data_version + 1


def test_an_experiment_needs_merchants_that_exist_and_share_its_currency(ctx: Context) -> None:
    yen = a_merchant(ctx, "JPY")
    with pytest.raises(InvalidInput, match="sells in JPY and the experiment counts in USD"):
        an_experiment(ctx, yen)
    nobody = Merchant(merchant_id="nobody", name="Nobody")
    with pytest.raises(NotFound, match="no merchant 'nobody'"):
        an_experiment(ctx, nobody)


def test_a_poison_order_waits_for_a_person_while_the_others_count(ctx: Context) -> None:
    merchant = a_merchant(ctx)
    day = START.date()
    poison = {"merchantDay": f"{merchant.merchant_id}#{day}", "orderKey": "x", "body": "{}", "version": 1}
    ctx.store.dynamo.write(put(ORDERS, poison))
    good = next(shopping(merchant, "none"))
    place_order(ctx, good)
    eventually(lambda: bool(read_rows(ctx, merchant, "daily", (START - WEEK).date(), day)))

    def waits() -> bool:
        waiting = ctx.store.failures.waiting(hold_seconds=0)
        return any(merchant.merchant_id in str(each.failure.event) for each in waiting)

    eventually(waits)
