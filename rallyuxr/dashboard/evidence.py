"""The named figures of one analysis: what the page draws and the report prints. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo

import plotly.graph_objects as go

from rallyuxr.dashboard import figures
from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard.accrual import accrual, total_accrual
from rallyuxr.dashboard.curves import by_day
from rallyuxr.dashboard.reading import reading, readings
from rallyuxr.models import ExperimentAnalysis, ExperimentData, Interval, MetricSeries
from rallyuxr.models.estimate import RelativeEffect
from rallyuxr.services.results import period_means


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A figure with a title, a file name and the same content in words."""

    title: str
    name: str
    figure: go.Figure
    alt: str


def metric_exhibits(
    analysis: ExperimentAnalysis, data: ExperimentData | None, metric_id: str, *, zone: tzinfo, daily: bool = False
) -> Iterator[Exhibit]:
    """Everything there is to see about one metric; a figure whose data is absent is left out."""
    return _labelled(analysis, _of_metric(analysis, data, metric_id, zone=zone, daily=daily))


def total_exhibits(analysis: ExperimentAnalysis, data: ExperimentData | None) -> Iterator[Exhibit]:
    """The breakdown of the total, how plausible each total is, and the total as it came in."""
    return _labelled(analysis, _of_total(analysis, data))


def comparison_exhibits(analysis: ExperimentAnalysis) -> Iterator[Exhibit]:
    """All metrics on one scale, their relative effects; left out for one metric, and while looks are still free."""
    return _labelled(analysis, _of_all_metrics(analysis))


def _labelled(analysis: ExperimentAnalysis, exhibits: Iterator[Exhibit]) -> Iterator[Exhibit]:
    """What the simulator made says so in every picture."""
    for exhibit in exhibits:
        if analysis.data_source == "simulator":
            figures.mark_simulated(exhibit.figure)
        yield exhibit


def _of_all_metrics(analysis: ExperimentAnalysis) -> Iterator[Exhibit]:
    rows = [
        _relative(analysis, metric_id, did.estimate.relative)
        for metric_id, did in analysis.did_results.items()
        if did.estimate.relative.estimate is not None
    ]
    if len(rows) < 2 or analysis.running:
        return
    yield Exhibit(
        "Every metric at a glance",
        "all-metrics",
        figures.forest(rows, f"Relative effect, {analysis.confidence_level:.0f}% interval (%)"),
        "; ".join(f"{row.name}: {row.words}" for row in rows),
    )


def _relative(analysis: ExperimentAnalysis, metric_id: str, effect: RelativeEffect) -> figures.Estimate:
    """A metric's line; where less is better the name says so, since a line to the left is then the good one."""
    price = analysis.metric_values_snapshot.get(metric_id)
    less = " (less is better)" if price and price.direction == "lower_is_better" else ""
    bounds = [None if bound is None else 100 * bound for bound in (effect.ci_lower, effect.ci_upper)]
    words = f"{f.relative(effect.estimate)} ({f.relative(effect.ci_lower)} to {f.relative(effect.ci_upper)})"
    name = f"{reading(analysis, metric_id).name}{less}"
    return figures.Estimate(name, 100 * (effect.estimate or 0.0), bounds[0], bounds[1], words)


def _of_metric(
    analysis: ExperimentAnalysis, data: ExperimentData | None, metric_id: str, *, zone: tzinfo, daily: bool
) -> Iterator[Exhibit]:
    did = analysis.did_results[metric_id]
    impact = analysis.economic_impact.metric_breakdown.get(metric_id)
    metric, period = reading(analysis, metric_id), analysis.experiment_period
    currency = metric.currency
    effect, finding = metric.change(did.estimate.estimate), f.said(did.verdict.sentence)
    series = data.series.get(metric_id) if data else None
    shown = _arms(data, metric_id) if data else None
    if shown is not None:
        shown, zone, axis = (by_day(shown), UTC, "Day") if daily else (shown, zone, "Time")
        yield Exhibit(
            "Both arms over time",
            f"{metric_id}-arms",
            figures.arms(shown, did, period, unit=metric.unit, scale=metric.scale, zone=zone, axis=axis),
            f"{metric.name} of treatment and control over time. The effect is {effect}: {finding}",
        )
    if did.event_study.days:
        yield Exhibit(
            "Daily effect",
            f"{metric_id}-daily-effect",
            figures.event_study(did.event_study, period, unit=metric.unit, scale=metric.scale),
            f"Effect on {metric.name} by day; on average {effect}.",
        )
    if impact is None or impact.dollar_impact is None:
        return
    amount = metric.money(impact.dollar_impact)
    if series is not None and (accrued := accrual(series, did, impact, period)):
        yield Exhibit(
            "Dollars as they came in",
            f"{metric_id}-cumulative",
            figures.cumulative_dollars(accrued, currency),
            f"Cumulative dollars of {metric.name}, {amount} in the end.",
        )
    if impact.std_error and impact.interval:
        yield Exhibit(
            "Plausible totals of this metric",
            f"{metric_id}-distribution",
            figures.total_distribution(
                impact.dollar_impact,
                impact.std_error,
                did.estimate.dof,
                impact.interval,
                currency,
                truth=planted_dollars(analysis, metric_id),
            ),
            f"Distribution of {metric.name}'s dollars around {amount}.",
        )


def _of_total(analysis: ExperimentAnalysis, data: ExperimentData | None) -> Iterator[Exhibit]:
    impact = analysis.economic_impact
    if impact.total_impact is None:
        return
    amount, metrics = f.money(impact.total_impact, impact.currency, signed=True), readings(analysis)
    parts = ", ".join(
        f"{metrics[key].name} {f.money(part.dollar_impact, impact.currency, signed=True)}"
        for key, part in impact.metric_breakdown.items()
        if part.counts
    )
    yield Exhibit(
        "Where the dollars come from",
        "breakdown",
        figures.waterfall(impact, {key: metric.name for key, metric in metrics.items()}),
        f"Breakdown of the total {amount}: {parts}.",
    )
    if impact.total_std_error and impact.total_interval:
        bounds = f.money_interval(impact.total_interval, impact.currency)
        yield Exhibit(
            "Plausible totals",
            "distribution",
            figures.total_distribution(
                impact.total_impact,
                impact.total_std_error,
                impact.total_dof,
                impact.total_interval,
                impact.currency,
                truth=planted_total(analysis),
            ),
            f"Distribution of the total around {amount}; interval {bounds}.",
        )
    if data is not None and (accrued := total_accrual(analysis, data.series)):
        yield Exhibit(
            "All dollars as they came in",
            "cumulative",
            figures.cumulative_dollars(accrued, impact.currency),
            f"Cumulative dollars of all counted metrics, {amount} in the end.",
        )


def truth_sentences(analysis: ExperimentAnalysis) -> Iterator[str]:
    """Planted truth against interval, where the simulator planted one; the total first."""
    impact, total = analysis.economic_impact, planted_total(analysis)
    if total is not None and (caught := _inside(total, impact.total_interval)):
        yield f"Planted total {f.money(total, impact.currency, signed=True)}: {caught}."
    for key, did in analysis.did_results.items():
        metric = reading(analysis, key)
        if did.true_effect is not None and (caught := _inside(did.true_effect, did.confidence_interval)):
            yield f"{metric.name}, planted effect {metric.change(did.true_effect)}: {caught}."


def planted_dollars(analysis: ExperimentAnalysis, metric_id: str) -> float | None:
    """What the planted effect is worth at the price that was used."""
    did = analysis.did_results[metric_id]
    dollars = analysis.economic_impact.metric_breakdown[metric_id].dollar_impact
    if did.true_effect is None or dollars is None or not did.estimate.estimate:
        return None
    return dollars * did.true_effect / did.estimate.estimate


def planted_total(analysis: ExperimentAnalysis) -> float | None:
    """What all planted effects that count are worth; absent unless every one is known."""
    counted = [key for key, part in analysis.economic_impact.metric_breakdown.items() if part.counts]
    planted = [planted_dollars(analysis, key) for key in counted]
    return sum(planted) if planted and None not in planted else None  # type: ignore[arg-type]


def _arms(data: ExperimentData, metric_id: str) -> MetricSeries | None:
    """Both arms over time, of units too: then the means over units."""
    if metric_id in data.panels:
        return period_means(data.panels[metric_id])
    return data.series.get(metric_id)


def _inside(value: float, interval: Interval | None) -> str | None:
    if interval is None:
        return None
    return "inside the interval" if interval.lower <= value <= interval.upper else "outside the interval"
