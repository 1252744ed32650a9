"""What could an experiment detect? From the history of one that ran, or from stated noise."""

import math
from dataclasses import replace

import numpy as np

from rallyuxr.economics import price_snapshot
from rallyuxr.errors import InvalidInput, NotFound
from rallyuxr.models import MetricSeries, PriceSnapshot, SimulatedMetric
from rallyuxr.models.columns import utc64
from rallyuxr.planning import PlanCurve, PlanQuestion, plan_curve
from rallyuxr.services.context import Context
from rallyuxr.services.results import load_results
from rallyuxr.stats.planning import Noise, noise_from_history, sampling_noise, stated_noise
from rallyuxr.stats.regular_grid import Span, regular_grid

__all__ = ["PlanCurve", "PlanQuestion", "plan_from_history", "plan_from_noise", "typical_noise"]


def plan_from_history(ctx: Context, experiment_id: str, metric_id: str, question: PlanQuestion) -> PlanCurve:
    """Plan with the noise, level and traffic that an earlier experiment's metric showed.

    Raises:
        NotFound: no such experiment, or it has no results yet.
        InvalidInput: the metric is not a series of that experiment, or its history is too short.
    """
    experiment = ctx.store.experiments.get(experiment_id)
    data = load_results(ctx, experiment_id).data
    if metric_id not in data.series:
        known = ", ".join(data.series) or "none"
        raise InvalidInput(f"{experiment_id} has no series of {metric_id}; its series are: {known}")
    series = data.series[metric_id]
    span = Span(experiment.baseline_start, experiment.start_date, experiment.end_date)
    grid = regular_grid({metric_id: series}, span, periods_per_day=1 if data.granularity == "daily" else 24)
    noise = noise_from_history(
        grid.treatment,
        grid.control,
        post=grid.post,
        treatment_n=grid.treatment_weight,
        control_n=grid.control_weight,
        periods_per_day=grid.periods_per_day,
    )
    before = series.window(span.baseline_start, span.end)
    known_facts = {"level": _level(before), "participants_per_day": _participants_per_day(before, span)}
    missing = {name: value for name, value in known_facts.items() if getattr(question, name) is None and value}
    return plan_curve(noise, question.model_copy(update=missing), _price(ctx, metric_id))


def plan_from_noise(ctx: Context, metric_id: str, noise: Noise, question: PlanQuestion) -> PlanCurve:
    """Plan with noise that a person states, at the metric's price if it has one."""
    return plan_curve(noise, question, _price(ctx, metric_id))


def typical_noise(metric: SimulatedMetric, participants_per_day: float, *, treatment_share: float = 0.5) -> Noise:
    """The noise of a metric that behaves as the simulator's: people differ, and the arms wander slowly apart.

    For a proportion p people differ by √(p(1 - p)); the slow noise is each arm's own, so the difference has twice
    its variance.

    Examples
    --------
    >>> noise = typical_noise(SimulatedMetric(baseline=0.1, kind="proportion", noise=0), 24_000)
    >>> round(noise.long_run_variance, 6)  # 0.09 (1/500 + 1/500)
    0.00036
    """
    level = abs(metric.baseline)
    spread = math.sqrt(level * (1 - level)) if metric.kind == "proportion" else metric.spread * level
    people = sampling_noise(spread, participants_per_day, treatment_share=treatment_share)
    if not metric.noise * level:
        return people
    slow = stated_noise(math.sqrt(2) * metric.noise * level, autocorrelation=metric.autocorrelation)
    return replace(slow, long_run_variance=slow.long_run_variance + people.long_run_variance)


def _price(ctx: Context, metric_id: str) -> PriceSnapshot | None:
    try:
        return price_snapshot(ctx.store.metric_values.get(metric_id))
    except NotFound:
        return None


def _level(series: MetricSeries) -> float | None:
    seen = np.isfinite(series.control) & (series.control_weight > 0)
    weights = series.control_weight[seen]
    return float(np.average(series.control[seen], weights=weights)) if weights.size else None


def _participants_per_day(series: MetricSeries, span: Span) -> float:
    first, last = max(series.timestamps[0], utc64(span.baseline_start)), series.timestamps[-1]
    days = (last - first) / np.timedelta64(1, "D") + 1 / 24
    return float(np.nansum(series.treatment_n) / days)
