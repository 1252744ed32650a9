"""From results to findings: effects, diagnostics, money and a verdict. Pure: the same inputs, the same analysis."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from rallyuxr.analysis_inputs import Price, Results, Source, analysis_id, moment_of, snapshots_of, source_of
from rallyuxr.doubts import Doubt, main_doubt
from rallyuxr.economics import ROLE_ORDER, Covariance, MetricEffect, Terms, economic_impact, money_weights
from rallyuxr.errors import InvalidInput
from rallyuxr.findings import (
    Finding,
    SeriesFindings,
    absent_finding,
    effect_size,
    panel_finding,
    series_findings,
)
from rallyuxr.models.analysis import (
    AnalysisPeriod,
    DidResult,
    EconomicImpact,
    ExperimentAnalysis,
    Interval,
    MetricImpact,
    PriceSnapshot,
    Verdict,
)
from rallyuxr.models.experiment import ExperimentPlan
from rallyuxr.models.metric_value import ValueType
from rallyuxr.stats.multiplicity import adjust
from rallyuxr.stats.regular_grid import Span
from rallyuxr.stats.student import t_quantile
from rallyuxr.verdict import Reading, effect_text, money_text, verdict

ALGORITHM_VERSION = "1"
"""Changes with every change that can move a number of an analysis."""


def analyze(
    results: Results,
    prices: Mapping[str, Price],
    *,
    experiment: ExperimentPlan,
    now: datetime | None = None,
    treatment_share: float | None = None,
) -> ExperimentAnalysis:
    """What did the experiment change, what was that worth, and how sure is it?

    Parameters
    ----------
    results
        An experiment's data: the contract's record, columns, or a published version.
    prices
        By metric: a metric value, or a number of currency units per unit over the whole experiment.
        Metrics without a price have their effect shown and no money.
    experiment
        The plan: window, baseline, roles, level, cost, projection.
    now
        When the data are looked at; when they were published, by default. Before the window's end,
        with data still to come, all intervals are the always-valid ones.
    treatment_share
        The planned share of participants in the treated arm; half by default.

    Raises
    ------
    InvalidInput
        No metric of the plan has data in the experiment window.

    Examples
    --------
    >>> import numpy as np
    >>> from rallyuxr.models import ExperimentData, MetricSeries
    >>> rng = np.random.default_rng(1)
    >>> hours = np.arange("2025-01-01", "2025-01-29", dtype="datetime64[h]").astype("datetime64[s]")
    >>> control = 0.024 + 0.001 * rng.standard_normal(hours.size)
    >>> treatment = 0.024 + 0.006 * (hours >= np.datetime64("2025-01-15")) + 0.001 * rng.standard_normal(hours.size)
    >>> n = np.full(hours.size, 500.0)
    >>> data = ExperimentData(series={"conversion_rate": MetricSeries(hours, treatment, control, n, n)})
    >>> plan = ExperimentPlan(
    ...     name="Red button", description="", metrics=("conversion_rate",), start_date="2025-01-15",
    ...     end_date="2025-01-29", expected_outcome="positive")
    >>> analysis = analyze(data, {"conversion_rate": 1_000_000}, experiment=plan)
    >>> analysis.verdict.outcome, round(analysis.economic_impact.total_impact, -2)
    ('better', 6000.0)
    """
    source = source_of(results, experiment)
    snapshots = snapshots_of(prices, experiment)
    span = Span(experiment.baseline_start, experiment.start_date, experiment.end_date, now or source.published_at)
    evidence = _evidence(source, experiment, span, treatment_share)
    adjusted = _adjusted(evidence.findings, experiment)
    doubts = {metric: _doubt(one, adjusted.get(metric)) for metric, one in evidence.findings.items()}
    impact = _impact(evidence, experiment, snapshots, doubts)
    did_results = {
        metric: _did_result(
            metric,
            one,
            experiment,
            snapshots.get(metric),
            worth=impact.metric_breakdown[metric],
            doubt=doubts[metric],
            adjusted=adjusted.get(metric),
            truth=(source.data.truth or {}).get(metric),
        )
        for metric, one in evidence.findings.items()
    }
    moment = moment_of(prices, source, evidence.seen_until)
    return ExperimentAnalysis(
        experiment_id=source.experiment_id,
        analysis_id=analysis_id(experiment, source, snapshots, moment=moment, algorithm_version=ALGORITHM_VERSION),
        did_results=did_results,
        economic_impact=impact,
        metric_values_snapshot=snapshots,
        analysis_timestamp=moment,
        experiment_period=AnalysisPeriod(
            start_date=experiment.start_date,
            end_date=experiment.end_date,
            duration_days=(experiment.end_date - experiment.start_date) / timedelta(days=1),
            baseline_start=experiment.baseline_start if experiment.baseline_days else None,
        ),
        status="complete",
        version=ALGORITHM_VERSION,
        data_version=source.data_version,
        data_source=source.data.source,
        confidence_level=experiment.confidence_level,
        expected_outcome=experiment.expected_outcome,
        running=evidence.running,
        verdict=_overall(impact, did_results),
    )


@dataclass(frozen=True, slots=True)
class _Evidence:
    """All metrics' findings, in the plan's order; `series` carries what those that are series share."""

    findings: Mapping[str, Finding]
    series: SeriesFindings | None
    seen_until: datetime
    observed_days: float
    running: bool

    def critical_value(self, dof: float) -> float:
        """Standard errors on each side of the interval of a sum of effects."""
        level = next(iter(self.findings.values())).estimate.confidence_level
        return t_quantile(0.5 + level / 2, dof)


def _evidence(source: Source, experiment: ExperimentPlan, span: Span, treatment_share: float | None) -> _Evidence:
    level = experiment.confidence_level / 100
    data = source.data
    chosen = {metric: data.series[metric] for metric in experiment.metrics if metric in data.series}
    chosen = {metric: one for metric, one in chosen.items() if one.timestamps.size}
    panels = {metric: data.panels[metric] for metric in experiment.metrics if metric in data.panels}
    if not chosen and not panels:
        raise InvalidInput(
            f"the results hold {', '.join(data.metric_ids) or 'no metric'}; the experiment needs data of "
            f"{', '.join(experiment.metrics)}"
        )
    planned = experiment.simulation.treatment_share if experiment.simulation else None
    series = (
        series_findings(
            chosen,
            span,
            periods_per_day=1 if data.granularity == "daily" else 24,
            confidence_level=level,
            treatment_share=treatment_share or planned,
        )
        if chosen
        else None
    )
    found = dict(series.findings) if series else {}
    found |= {metric: panel_finding(panel, span, confidence_level=level) for metric, panel in panels.items()}
    seen_until = _seen_until(series, span)
    return _Evidence(
        findings={
            metric: found.get(metric) or absent_finding("no data came for this metric", level)
            for metric in experiment.metrics
        },
        series=series,
        seen_until=seen_until,
        running=seen_until < span.end,
        observed_days=(min(seen_until, span.end) - span.start) / timedelta(days=1),
    )


def _seen_until(series: SeriesFindings | None, span: Span) -> datetime:
    """Up to when the window is known: by its series, or by the look at its panels."""
    if series is not None:
        return series.seen_until
    return min(span.seen_until or span.end, span.end)


def _adjusted(findings: Mapping[str, Finding], experiment: ExperimentPlan) -> dict[str, float]:
    """p-values within the primary family, where it has more than one member."""
    family = {
        metric: one.pvalue
        for metric, one in findings.items()
        if experiment.role(metric) == "primary" and one.pvalue is not None
    }
    if len(family) < 2 or experiment.multiplicity == "none":
        return {}
    values = adjust(list(family.values()), experiment.multiplicity)
    return dict(zip(family, values.tolist(), strict=True))


def _doubt(finding: Finding, adjusted: float | None) -> Doubt | None:
    return main_doubt(
        finding.estimate,
        finding.diagnostics,
        critical_value=finding.critical_value,
        adjusted_pvalue=adjusted,
    )


def _impact(
    evidence: _Evidence,
    experiment: ExperimentPlan,
    snapshots: Mapping[str, PriceSnapshot],
    doubts: Mapping[str, Doubt | None],
) -> EconomicImpact:
    """Money: the weights decide the composite series, whose variance decides the total's."""
    effects = {
        metric: MetricEffect(
            estimate=one.estimate.estimate,
            std_error=one.estimate.std_error,
            interval=one.interval,
            participants=one.participants_treatment,
            role=experiment.role(metric),
            reason=one.estimate.reason,
        )
        for metric, one in evidence.findings.items()
    }
    weights = money_weights(effects, snapshots, experiment.currency, evidence.observed_days)
    joint = _joint(evidence, weights, snapshots)
    counted = [doubts[metric] for metric in weights]
    return economic_impact(
        effects,
        snapshots,
        joint.covariance,
        Terms(
            currency=experiment.currency,
            observed_days=evidence.observed_days,
            confidence_level=experiment.confidence_level / 100,
            projection=experiment.projection,
            expected=experiment.expected_outcome,
            cost=experiment.cost,
            total_dof=joint.dof,
            critical_value=joint.critical_value,
            doubt=_gravest(counted),
        ),
    )


class _Joint(NamedTuple):
    """How all effects vary together, and how wide that makes the interval of a sum."""

    covariance: Covariance
    dof: float | None
    critical_value: float | None


def _joint(evidence: _Evidence, weights: Mapping[str, float], snapshots: Mapping[str, PriceSnapshot]) -> _Joint:
    """Series by their composite; a panel's errors are taken to move with all others in the worst way.

    How units of a panel and hours of a series, or two panels, vary together is not in the data. So
    their covariance is the largest possible one in the direction in which prices count, and the total's
    interval is too wide rather than too narrow.
    """
    series = evidence.series
    known = series.known() if series else []
    matrix: dict[str, dict[str, float]] = {}
    dofs = []
    if series and known:
        total = series.total({metric: weight for metric, weight in weights.items() if metric in known})
        matrix = {
            a: dict(zip(known, row, strict=True)) for a, row in zip(known, total.covariance.tolist(), strict=True)
        }
        if not weights or set(weights) & set(known):
            dofs.append(total.dof)
    for metric, one in evidence.findings.items():
        if metric in matrix or one.estimate.std_error is None:
            continue
        if metric in weights and one.estimate.dof is not None:
            dofs.append(one.estimate.dof)
        error = one.estimate.std_error
        row = {
            other: _sign(snapshots, metric) * _sign(snapshots, other) * error * math.sqrt(matrix[other][other])
            for other in matrix
        }
        for other, value in row.items():
            matrix[other][metric] = value
        matrix[metric] = row | {metric: error**2}
    dof = min(dofs, default=None)
    return _Joint(matrix, dof, None if dof is None else evidence.critical_value(dof))


def _sign(snapshots: Mapping[str, PriceSnapshot], metric: str) -> float:
    lower_is_better = metric in snapshots and snapshots[metric].direction == "lower_is_better"
    return -1.0 if lower_is_better else 1.0


def _gravest(doubts: Iterable[Doubt | None]) -> str | None:
    first = min((doubt for doubt in doubts if doubt is not None), default=None)
    return first.text if first else None


def _did_result(
    metric: str,
    finding: Finding,
    experiment: ExperimentPlan,
    price: PriceSnapshot | None,
    *,
    worth: MetricImpact,
    doubt: Doubt | None,
    adjusted: float | None,
    truth: float | None,
) -> DidResult:
    """One metric in the contract's shape."""
    cells = finding.estimate.cell_means
    treatment, control = cells.treatment_post, cells.control_post
    difference = None if treatment is None or control is None else treatment - control
    value_type: ValueType = price.value_type if price else "mean"
    size, size_method = effect_size(finding, value_type)
    return DidResult(
        treatment_mean=treatment,
        control_mean=control,
        absolute_difference=difference,
        relative_difference=difference / abs(control) if difference is not None and control else None,
        p_value=finding.pvalue,
        confidence_level=experiment.confidence_level,
        confidence_interval=finding.interval,
        sample_size_control=finding.participants_control,
        sample_size_treatment=finding.participants_treatment,
        effect_size=size,
        effect_size_method=size_method,
        estimate=finding.estimate,
        role=experiment.role(metric),
        value_type=value_type,
        adjusted_p_value=adjusted,
        adjustment=experiment.multiplicity if adjusted is not None else None,
        non_inferior=_non_inferior(metric, finding, experiment, price),
        always_valid=finding.always_valid,
        event_study=finding.event_study,
        diagnostics=finding.diagnostics,
        verdict=verdict(
            _reading(finding, price),
            confidence_level=experiment.confidence_level / 100,
            expected=experiment.expected_outcome,
            doubt=doubt.text if doubt else None,
            reason=finding.estimate.reason or finding.always_valid.reason,
            worth=None
            if worth.dollar_impact is None or price is None
            else money_text(worth.dollar_impact, price.currency),
        ),
        true_effect=truth,
    )


def _reading(finding: Finding, price: PriceSnapshot | None) -> Reading | None:
    """The effect in the metric's unit, turned so that more is better."""
    if finding.estimate.estimate is None or finding.interval is None:
        return None
    scale, unit = (price.unit_scale, price.unit) if price else (1.0, "")
    lower, upper = finding.interval.lower * scale, finding.interval.upper * scale
    better = Interval(lower=lower, upper=upper)
    if price and price.direction == "lower_is_better":
        better = Interval(lower=-upper, upper=-lower)
    return Reading(
        finding.estimate.estimate * scale,
        better,
        effect_text(finding.estimate.estimate * scale, unit),
        f"{effect_text(lower, unit)} to {effect_text(upper, unit)}",
    )


def _non_inferior(
    metric: str, finding: Finding, experiment: ExperimentPlan, price: PriceSnapshot | None
) -> bool | None:
    """Whether the whole interval lies on the good side of the margin; None without a margin or an interval."""
    plan = experiment.metric_plans.get(metric)
    reading = _reading(finding, price)
    if plan is None or plan.non_inferiority_margin is None or reading is None:
        return None
    return reading.bounds.lower > -plan.non_inferiority_margin


def _overall(impact: EconomicImpact, results: Mapping[str, DidResult]) -> Verdict:
    """The money's verdict; without one, the first primary metric's."""
    if impact.total_interval is not None and impact.verdict is not None:
        return impact.verdict
    by_role = sorted(results.values(), key=lambda result: ROLE_ORDER[result.role])
    return by_role[0].verdict
