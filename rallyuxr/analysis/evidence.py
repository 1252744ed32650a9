"""All metrics of an experiment together: each one's findings, and how their errors move together."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from rallyuxr.analysis.findings import Finding, absent_finding
from rallyuxr.analysis.inputs import Source
from rallyuxr.analysis.panel_findings import panel_finding, panel_seen_until
from rallyuxr.analysis.series_findings import SeriesFindings, series_findings
from rallyuxr.economics import Covariance
from rallyuxr.errors import InvalidInput
from rallyuxr.models.analysis import PriceSnapshot
from rallyuxr.models.experiment import ExperimentPlan
from rallyuxr.stats.regular_grid import Span
from rallyuxr.stats.student import t_quantile


@dataclass(frozen=True, slots=True)
class Evidence:
    """All metrics' findings, in the plan's order; `series` carries what those that are series share."""

    findings: Mapping[str, Finding]
    series: SeriesFindings | None
    seen_until: datetime
    observed_days: float
    running: bool
    confidence_level: float


def evidence_of(source: Source, experiment: ExperimentPlan, span: Span, treatment_share: float | None) -> Evidence:
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
    seen_until = series.seen_until if series else min(panel_seen_until(panel, span) for panel in panels.values())
    return Evidence(
        findings={
            metric: found.get(metric) or absent_finding("no data came for this metric", level)
            for metric in experiment.metrics
        },
        series=series,
        seen_until=seen_until,
        running=seen_until < span.end,
        confidence_level=level,
        observed_days=max((seen_until - span.start) / timedelta(days=1), 0.0),
    )


class Joint(NamedTuple):
    """How all effects vary together, and how wide that makes the interval of a sum."""

    covariance: Covariance
    dof: float | None
    critical_value: float | None


def joint_uncertainty(
    evidence: Evidence, weights: Mapping[str, float], snapshots: Mapping[str, PriceSnapshot]
) -> Joint:
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
    return Joint(matrix, dof, None if dof is None else _critical_value(evidence, dof))


def _critical_value(evidence: Evidence, dof: float) -> float | None:
    if evidence.series:
        return evidence.series.critical_value(dof, evidence.confidence_level)
    return None if evidence.running else t_quantile(0.5 + evidence.confidence_level / 2, dof)


def _sign(snapshots: Mapping[str, PriceSnapshot], metric: str) -> float:
    lower_is_better = metric in snapshots and snapshots[metric].direction == "lower_is_better"
    return -1.0 if lower_is_better else 1.0
