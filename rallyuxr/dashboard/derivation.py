"""How a dollar figure was made: every factor in order, down to the version of the price. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard.reading import Reading, reading, readings
from rallyuxr.models import DidResult, ExperimentAnalysis, MetricImpact, PriceSnapshot

EXPOSURES = {
    "participant": "participants of the treated arm",
    "day": "days of the experiment",
    "experiment": "experiment as a whole",
}
ESTIMATORS = {
    "difference_in_differences": "how much more the treated arm changed than the control arm",
    "difference_in_means": "how far the arms lie apart; without a baseline this is no difference-in-differences",
}

METHODS = {
    "prewhitened_ewc": "long-run variance of the difference between the arms (prewhitened EWC)",
    "welch_units": "spread of the units' own changes (Welch)",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the derivation: what it is, the number, and where that comes from."""

    what: str
    number: str
    source: str = ""


def rows(steps: Iterable[Step]) -> list[dict[str, str]]:
    """The steps as the rows of a table."""
    return [{"Step": step.what, "Number": step.number, "Source": step.source} for step in steps]


def metric_steps(analysis: ExperimentAnalysis, metric_id: str) -> tuple[Step, ...]:
    """From the window means to the dollars of one metric."""
    did = analysis.did_results[metric_id]
    snapshot = analysis.metric_values_snapshot.get(metric_id)
    impact = analysis.economic_impact.metric_breakdown.get(metric_id)
    steps = [*_effect_steps(did, reading(analysis, metric_id))]
    if snapshot and impact:
        steps += _money_steps(snapshot, impact)
    return tuple(steps)


def total_steps(analysis: ExperimentAnalysis) -> tuple[Step, ...]:
    """From the metrics' dollars to the total and its projection."""
    impact, metrics = analysis.economic_impact, readings(analysis)
    parts = [
        Step(metrics[key].name, f.money(part.dollar_impact, impact.currency, signed=True), "counted in the total")
        if part.counts
        else Step(metrics[key].name, f.ABSENT, f"not counted: {part.reason or 'no reason was stored'}")
        for key, part in impact.metric_breakdown.items()
    ]
    total = Step(
        "Observed impact",
        f.money(impact.total_impact, impact.currency, signed=True),
        f"the sum; its interval, {f.money_interval(impact.total_interval, impact.currency)}, "
        "comes from the priced sum of the series, so the metrics' covariance counts",
    )
    return (*parts, total, *_projection_steps(analysis))


def provenance(analysis: ExperimentAnalysis) -> tuple[Step, ...]:
    """What the analysis is a function of, so that it can be made again."""
    return (
        Step("Data version", str(analysis.data_version), analysis.data_source),
        Step("Algorithm", analysis.version),
        Step("Analysis", analysis.analysis_id),
    )


def _effect_steps(did: DidResult, metric: Reading) -> Iterator[Step]:
    estimate, cells = did.estimate, did.estimate.cell_means
    for arm, before, after in (
        ("Treatment", cells.treatment_pre, cells.treatment_post),
        ("Control", cells.control_pre, cells.control_post),
    ):
        yield Step(f"{arm}, before → after", f"{metric.level(before)} → {metric.level(after)}", "means")
    yield Step("Effect", metric.change(estimate.estimate), ESTIMATORS[estimate.estimator])
    yield Step(
        f"{did.confidence_level:.0f}% interval",
        metric.interval(estimate.ci_lower, estimate.ci_upper),
        f"standard error {f.number(metric.scaled(estimate.std_error))}, "
        f"{f.number(estimate.dof)} degrees of freedom, from the {METHODS.get(estimate.method, estimate.method)}",
    )


def _money_steps(price: PriceSnapshot, impact: MetricImpact) -> Iterator[Step]:
    yield Step(
        "× price",
        f.price(price.dollars_per_unit, price.currency),
        f"{f.per(price.unit, price.exposure)}, version {price.version}: {price.description}",
    )
    yield Step("× exposure", f.number(impact.exposure_quantity), EXPOSURES[price.exposure])
    if price.direction == "lower_is_better":
        yield Step("× −1", "", "lower is better for this metric")
    yield Step(
        "= dollars",
        f.money(impact.dollar_impact, price.currency, signed=True),
        f"interval {f.money_interval(impact.interval, price.currency)}",
    )


def _projection_steps(analysis: ExperimentAnalysis) -> Iterator[Step]:
    impact = analysis.economic_impact
    if impact.annualized_impact is None:
        yield Step("Projected", f.ABSENT, impact.reason or "a one-off is not carried into the future")
        return
    yield Step("× horizon ÷ observed", f"{impact.horizon_days} ÷ {f.number(impact.observed_days)}", "days")
    yield Step("× coverage", f.number(impact.coverage), "all future traffic over the traffic that was treated")
    yield Step("Decay", f"{100 * (impact.annual_decay or 0):.3g}% a year", "of the effect, lost over time")
    yield Step("= projected", f.money(impact.annualized_impact, impact.currency, signed=True))
    if impact.cost is not None:
        yield Step("Cost", f.money(impact.cost, impact.currency), "as entered with the experiment")
