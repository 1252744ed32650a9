"""Simulated results with a known truth: what an interval can be checked against.

The data-generating process is written out, with every default, in `docs/simulator.md`. For metric m, arm a, hour t:

    activity_t  = (1 + daily·sin(2π(h_t − 10)/24)) (1 − weekly·[t is Saturday or Sunday])
    n_at        ~ Poisson(participants · share_a · activity_t)
    mean_mat    = baseline_m (1 + cycle_t + shock_t + slow_mat) + effect_m·[a treated and t in the window]
    value_mat   = the mean of n_at participants drawn around mean_mat

`shock` is common to both arms and all metrics, `slow` is each arm's own; both are AR(1).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from rallyuxr.errors import InvalidInput
from rallyuxr.models import ExperimentData, ExperimentPlan, MetricSeries, SimulatedMetric, SimulationPlan
from rallyuxr.models.columns import Floats, Hours, utc64
from rallyuxr.simulation.defaults import default_metric
from rallyuxr.simulation.noise import BURN_IN, autoregression

PEAK_HOUR = 16
CYCLE_OF_VALUES = 0.2
"""How much of activity's swing the values themselves follow."""
SHOCK_MEMORY = 0.8
BOUNDS = {"proportion": (0.0, 1.0), "skewed": (0.0, np.inf), "mean": (-np.inf, np.inf)}


def simulate(plan: ExperimentPlan, *, seed: int | None = None) -> ExperimentData:
    """What would this experiment's hourly results look like if its true effects were the planned ones?

    Args:
        plan: the experiment; `plan.simulation` says what to plant. What it leaves out takes the defaults of
            `default_metric`, whose effect follows `plan.expected_outcome`.
        seed: replaces the plan's seed. The same plan and seed give the same data in every process, and a
            metric's values do not depend on which other metrics there are.

    Returns:
        Hourly series over `[plan.baseline_start, plan.end_date)`, and in `truth` each metric's effect: the treated
        participants' mean minus what it would have been, in stored values.

    Raises:
        InvalidInput: a planned mean is impossible for its kind, such as a proportion above 1.

    Examples:
        >>> from rallyuxr.models import ExperimentPlan
        >>> plan = ExperimentPlan(
        ...     name="Checkout", description="", metrics=("conversion_rate",), expected_outcome="positive",
        ...     start_date="2025-01-15", end_date="2025-01-29",
        ... )
        >>> data = simulate(plan, seed=7)
        >>> data.series["conversion_rate"].timestamps.size
        672
        >>> data.truth
        {'conversion_rate': 0.0015}
    """
    simulation = plan.simulation or SimulationPlan()
    entropy = simulation.seed if seed is None else seed
    conditions = _conditions(plan, simulation, _stream(entropy, ()))
    series, truth = {}, {}
    for metric_id in plan.metrics:
        metric = simulation.metrics.get(metric_id) or default_metric(metric_id, plan.expected_outcome)
        _refuse_impossible(metric_id, metric)
        drawn = _draw(metric, conditions, _stream(entropy, metric_id.encode()))
        series[metric_id], truth[metric_id] = drawn.series, drawn.true_effect
    return ExperimentData(series=series, granularity="hourly", source="simulator", truth=truth)


@dataclass(frozen=True, slots=True, eq=False)
class _Conditions:
    """What all metrics share, by hour: who came, what moved both arms, and whether the change was live."""

    hours: Hours
    treatment_n: Floats
    control_n: Floats
    common: Floats
    live: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    series: MetricSeries
    true_effect: float


def _conditions(plan: ExperimentPlan, simulation: SimulationPlan, generator: Generator) -> _Conditions:
    hours = _hours(plan.baseline_start, plan.end_date)
    activity = _activity(simulation, hours)
    treatment_n, control_n = (
        generator.poisson(simulation.participants_per_hour * share * activity).astype(np.float64)
        for share in (simulation.treatment_share, 1 - simulation.treatment_share)
    )
    (shock,) = _slow_noise(generator, (1, hours.size), SHOCK_MEMORY)
    return _Conditions(
        hours=hours,
        treatment_n=treatment_n,
        control_n=control_n,
        common=CYCLE_OF_VALUES * (activity - 1) + simulation.common_shock * shock,
        live=hours >= utc64(plan.start_date),
    )


def _draw(metric: SimulatedMetric, conditions: _Conditions, generator: Generator) -> _Drawn:
    treatment_slow, control_slow = metric.noise * _slow_noise(
        generator, (2, conditions.hours.size), metric.autocorrelation
    )
    control = _possible(metric, metric.baseline * (1 + conditions.common + control_slow))
    untreated = _possible(metric, metric.baseline * (1 + conditions.common + treatment_slow))
    treated = _possible(metric, untreated + metric.effect * conditions.live)
    series = MetricSeries(
        timestamps=conditions.hours,
        treatment=_observe(generator, metric, treated, conditions.treatment_n),
        control=_observe(generator, metric, control, conditions.control_n),
        treatment_n=conditions.treatment_n,
        control_n=conditions.control_n,
    )
    live = conditions.live
    return _Drawn(series, _true_effect(metric, (treated - untreated)[live], conditions.treatment_n[live]))


def _stream(entropy: int, key: Iterable[int]) -> Generator:
    """An independent random stream, named rather than numbered."""
    return Generator(PCG64(SeedSequence(entropy, spawn_key=tuple(key))))


def _hours(start: datetime, end: datetime) -> Hours:
    """The starts of the whole hours that begin in [start, end)."""
    first = -(-int(start.timestamp()) // 3600) * 3600
    return np.arange(first, int(end.timestamp()), 3600).astype("datetime64[s]")


def _activity(simulation: SimulationPlan, hours: Hours) -> Floats:
    """Relative traffic by hour of day and day of week, around 1."""
    number = hours.astype(np.int64) // 3600
    daily = np.sin(2 * np.pi * (number % 24 - PEAK_HOUR + 6) / 24)
    weekend = (number // 24 + 3) % 7 >= 5  # 1 January 1970 was a Thursday
    return (1 + simulation.daily_cycle * daily) * (1 - simulation.weekly_cycle * weekend)


def _slow_noise(generator: Generator, shape: tuple[int, int], memory: float) -> Floats:
    """AR(1) noise of unit variance along the last axis."""
    innovations = generator.standard_normal((shape[0], shape[1] + BURN_IN))
    return autoregression(np.sqrt(1 - memory**2) * innovations, memory)


def _possible(metric: SimulatedMetric, mean: Floats) -> Floats:
    return np.clip(mean, *BOUNDS[metric.kind])


def _observe(generator: Generator, metric: SimulatedMetric, mean: Floats, participants: Floats) -> Floats:
    """The mean over each hour's participants; NaN where there were none."""
    seen = participants > 0
    n, mu = participants[seen], mean[seen]
    values = np.full(mean.size, np.nan)
    if metric.kind == "proportion":
        values[seen] = generator.binomial(n.astype(np.int64), mu) / n
    elif metric.spread == 0:
        values[seen] = mu
    elif metric.kind == "skewed":
        shape = n / metric.spread**2  # a mean of n gamma values is gamma
        values[seen] = generator.gamma(shape) * mu / shape
    else:
        values[seen] = generator.normal(mu, metric.spread * abs(metric.baseline) / np.sqrt(n))
    return values


def _true_effect(metric: SimulatedMetric, shift: Floats, participants: Floats) -> float:
    """The planted effect, unless a mean hit a bound: then the average over the treated participants."""
    if np.allclose(shift, metric.effect, rtol=1e-9, atol=1e-15) or not participants.sum():
        return metric.effect
    return float(np.average(shift, weights=participants))


def _refuse_impossible(metric_id: str, metric: SimulatedMetric) -> None:
    lowest, highest = BOUNDS[metric.kind]
    for name, mean in (("baseline", metric.baseline), ("baseline + effect", metric.baseline + metric.effect)):
        if not lowest <= mean <= highest:
            needed = f"between {lowest:g} and {highest:g}" if np.isfinite(highest) else f"at least {lowest:g}"
            raise InvalidInput(
                f"{metric_id}: {name} is {mean:g}, but the mean of a {metric.kind} metric lies {needed}; "
                "change the baseline, the effect or the kind"
            )
