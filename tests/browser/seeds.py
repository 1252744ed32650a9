"""What the browser tests, the pictures and the benchmarks look at, made through the services."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from rallyuxr.errors import Conflict
from rallyuxr.models import (
    CreateExperiment,
    CreateMetricValue,
    ExperimentDefinition,
    MetricPlan,
    SimulatedMetric,
    SimulationPlan,
)
from rallyuxr.services.context import Context
from rallyuxr.services.experiments import create_experiment, get_experiment
from rallyuxr.services.metric_values import create_metric_value

PIPELINE_SECONDS = 180.0
PRICES = (
    CreateMetricValue(
        metric_id="conversion_rate",
        name="Conversion rate",
        dollars_per_unit=Decimal("1200"),
        unit="%",
        description="Margin of one more percentage point of visitors who buy",
        category="conversion",
        value_type="proportion",
    ),
    CreateMetricValue(
        metric_id="average_order_value",
        name="Average order value",
        dollars_per_unit=Decimal("0.35"),
        unit="$",
        description="Contribution margin of one more dollar in the basket",
        category="revenue",
        exposure="participant",
    ),
    CreateMetricValue(
        metric_id="task_completion_time",
        name="Task completion time",
        dollars_per_unit=Decimal("15.50"),
        unit="seconds",
        description="Support cost of one more second at the checkout, a day",
        category="engagement",
        exposure="day",
        direction="lower_is_better",
    ),
)
TRUTH = {
    "conversion_rate": SimulatedMetric(baseline=0.12, effect=0.006, kind="proportion"),
    "average_order_value": SimulatedMetric(baseline=52, effect=0.9, kind="skewed"),
    "task_completion_time": SimulatedMetric(baseline=95, effect=-3),
}


def price_metrics(ctx: Context) -> None:
    """Price every metric that the examples use."""
    for request in PRICES:
        try:
            create_metric_value(ctx, request)
        except Conflict:
            continue


def example_plan(name: str = "One-page checkout", *, days: int = 14, seed: int = 3) -> CreateExperiment:
    """A finished experiment with a known truth."""
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    return CreateExperiment(
        name=name,
        description="All steps of the checkout on one page, against four pages.",
        metrics=tuple(TRUTH),
        start_date=end - timedelta(days=days),
        end_date=end,
        expected_outcome="positive",
        cost=Decimal("4000"),
        metric_plans={"task_completion_time": MetricPlan(role="guardrail", non_inferiority_margin=5)},
        simulation=SimulationPlan(seed=seed, metrics=TRUTH),
    )


def analysed_example(ctx: Context, plan: CreateExperiment | None = None) -> ExperimentDefinition:
    """Create it, and let the pipeline simulate and analyse it."""
    return analysed(ctx, create_experiment(ctx, plan or example_plan()).id)


def analysed(ctx: Context, experiment_id: str) -> ExperimentDefinition:
    """The experiment, once the pipeline has analysed it."""
    deadline = time.monotonic() + PIPELINE_SECONDS
    while (found := get_experiment(ctx, experiment_id)).finding is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"no analysis of {experiment_id} after {PIPELINE_SECONDS:.0f} s")
        time.sleep(0.2)
    return found
