"""Simulated results with a known truth: what an interval can be checked against.

The data-generating process is written out, with every default, in `docs/simulator.md`. For metric m, arm a, hour t:

    activity_t  = (1 + daily·sin(2π(h_t − 10)/24)) (1 − weekly·[t is Saturday or Sunday])
    n_at        ~ Poisson(participants · share_a · activity_t)
    mean_mat    = baseline_m (1 + cycle_t + shock_t + slow_mat) + effect_m·[a treated and t in the window]
    value_mat   = the mean of n_at participants drawn around mean_mat

`shock` is common to both arms and all metrics, `slow` is each arm's own; both are AR(1).
"""

from collections.abc import Iterable
from datetime import datetime

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from rallyuxr.errors import InvalidInput
from rallyuxr.models import ExperimentData, ExperimentPlan, MetricSeries, SimulatedMetric, SimulationPlan
from rallyuxr.models.results import Floats, Hours, utc64
from rallyuxr.simulation.defaults import default_metric

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
    hours = _hours(plan.baseline_start, plan.end_date)
    traffic = _stream(entropy, ())
    treatment_n, control_n = _participants(simulation, _activity(simulation, hours), traffic)
    shock = simulation.common_shock * _ar1(traffic, hours.size, SHOCK_MEMORY)
    common = CYCLE_OF_VALUES * (_activity(simulation, hours) - 1) + shock
    treated_hours = hours >= utc64(plan.start_date)

    series, truth = {}, {}
    for metric_id in plan.metrics:
        metric = simulation.metrics.get(metric_id) or default_metric(metric_id, plan.expected_outcome)
        _refuse_impossible(metric_id, metric)
        generator = _stream(entropy, metric_id.encode())
        treatment_slow, control_slow = (
            metric.noise * _ar1(generator, hours.size, metric.autocorrelation) for _ in range(2)
        )
        untreated = _possible(metric, metric.baseline * (1 + common + treatment_slow))
        treated = _possible(metric, untreated + metric.effect * treated_hours)
        control = _possible(metric, metric.baseline * (1 + common + control_slow))
        series[metric_id] = MetricSeries(
            timestamps=hours,
            treatment=_observe(generator, metric, treated, treatment_n),
            control=_observe(generator, metric, control, control_n),
            treatment_n=treatment_n,
            control_n=control_n,
        )
        truth[metric_id] = _true_effect(metric, (treated - untreated)[treated_hours], treatment_n[treated_hours])
    return ExperimentData(series=series, granularity="hourly", source="simulator", truth=truth)


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


def _participants(simulation: SimulationPlan, activity: Floats, generator: Generator) -> tuple[Floats, Floats]:
    share = simulation.treatment_share
    treatment, control = (
        generator.poisson(simulation.participants_per_hour * part * activity).astype(np.float64)
        for part in (share, 1 - share)
    )
    return treatment, control


def _ar1(generator: Generator, size: int, memory: float) -> Floats:
    """Stationary AR(1) noise of unit variance: Σ_k memory^k e_{t−k}, summed by doubling."""
    noise = generator.normal(0, np.sqrt(1 - memory**2), size)
    noise[:1] /= np.sqrt(1 - memory**2)
    step = 1
    while step < size:
        noise[step:] += memory**step * noise[:-step].copy()
        step *= 2
    return noise


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
