"""From merchants' hourly rows to an experiment's two arms, hour by hour.

| measure               | value of an hour            | its weight in a window's mean | participants |
|-----------------------|-----------------------------|-------------------------------|--------------|
| `orders_per_hour`     | orders / merchants          | 1 per merchant                | merchants    |
| `revenue_per_hour`    | net sales / merchants       | 1 per merchant                | merchants    |
| `conversion`          | orders / visits             | visits                        | visits       |
| `average_order_value` | net sales / orders          | orders (the denominator)      | customers    |
| `revenue_per_customer`| net sales / customers       | customers                     | customers    |

Where the orders themselves carry the arms, each arm counts as one merchant. An hour without orders is a
true zero for what is counted per hour, and absent for what is averaged over orders or customers. Conversion
takes the hours whose visits were counted, with their orders alone; others are absent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from rallyuxr.errors import InvalidInput
from rallyuxr.models.aggregate import Aggregate
from rallyuxr.models.columns import ExperimentData, Floats, Hours, MetricSeries, utc64
from rallyuxr.models.experiment import ExperimentDefinition, OrderMeasure, OrdersPlan
from rallyuxr.models.order import Arm

HOUR = timedelta(hours=1)
Rows = Mapping[str, Iterable[Aggregate]]


@dataclass(frozen=True, slots=True, eq=False)
class ArmHours:
    """One arm's sums by hour; every column has shape (T,), and `merchants` is how many the arm has."""

    orders: Floats
    customers: Floats
    net: Floats
    visits: Floats
    visit_orders: Floats
    merchants: int


def experiment_data(
    experiment: ExperimentDefinition, rows: Rows, first: datetime, until: datetime
) -> ExperimentData:
    """The experiment's data for the hours `[first, until)`.

    Args:
        experiment: one with an orders plan.
        rows: hourly rows by merchant; those outside the hours are passed over.
        first, until: the hours that were observed, whole hours in UTC.

    Raises:
        InvalidInput: the experiment does not take its data from orders.
    """
    plan = experiment.orders
    if plan is None:
        raise InvalidInput(f"Experiment {experiment.id} has no orders plan, so orders are not its data.")
    hours = np.arange(utc64(first), utc64(until), np.timedelta64(3600, "s"))
    treatment, control = (
        _arm_hours(experiment.id, plan, arm, rows, first, hours.size) for arm in ("treatment", "control")
    )
    return ExperimentData(
        series={metric: _series(measure, hours, treatment, control) for metric, measure in plan.measures.items()},
        source="orders",
    )


def first_assigned_hour(experiment_id: str, rows: Rows) -> datetime | None:
    """The first hour with an order or a visit of an arm of this experiment."""
    return min((row.start for each in rows.values() for row in each if experiment_id in row.arms), default=None)


def _arm_hours(
    experiment_id: str, plan: OrdersPlan, arm: Arm, rows: Rows, first: datetime, length: int
) -> ArmHours:
    sums = np.zeros((5, length))
    members = _members(plan, arm)
    for row in (row for merchant_id in members for row in rows.get(merchant_id, ())):
        part = row if plan.by == "merchant" else row.arms.get(experiment_id, {}).get(arm)
        hour = (row.start - first) // HOUR
        if part is not None and 0 <= hour < length:
            sums[:, hour] += part.orders, part.customers, float(part.net), part.visits, part.visit_orders
    orders, customers, net, visits, visit_orders = sums
    merchants = len(members) if plan.by == "merchant" else 1
    return ArmHours(orders, customers, net, visits, visit_orders, merchants)


def _members(plan: OrdersPlan, arm: Arm) -> tuple[str, ...]:
    if plan.by == "arm":
        return plan.merchants
    treated = set(plan.treated_merchants)
    return tuple(name for name in plan.merchants if (name in treated) == (arm == "treatment"))


def _series(measure: OrderMeasure, hours: Hours, treatment: ArmHours, control: ArmHours) -> MetricSeries:
    values = [_value(measure, arm) for arm in (treatment, control)]
    there = ~np.all(np.isnan(values), axis=0)
    participants = [_participants(measure, arm)[there] for arm in (treatment, control)]
    orders = [arm.orders[there] if measure == "average_order_value" else None for arm in (treatment, control)]
    return MetricSeries(hours[there], *(value[there] for value in values), *participants, *orders)


def _value(measure: OrderMeasure, arm: ArmHours) -> Floats:
    if measure == "orders_per_hour":
        return arm.orders / arm.merchants
    if measure == "revenue_per_hour":
        return arm.net / arm.merchants
    amount, count = {
        "conversion": (arm.visit_orders, arm.visits),
        "average_order_value": (arm.net, arm.orders),
        "revenue_per_customer": (arm.net, arm.customers),
    }[measure]
    return np.divide(amount, count, out=np.full_like(count, np.nan), where=count > 0)


def _participants(measure: OrderMeasure, arm: ArmHours) -> Floats:
    if measure in ("orders_per_hour", "revenue_per_hour"):
        return np.full_like(arm.orders, arm.merchants)
    return arm.visits if measure == "conversion" else arm.customers
