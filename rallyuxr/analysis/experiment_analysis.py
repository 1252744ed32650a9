"""From results to findings: effects, diagnostics, money and a verdict. Pure: the same inputs, the same analysis."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from rallyuxr.analysis.did_results import did_result
from rallyuxr.analysis.doubts import LAST_RANK_ABOUT_DATA, Doubt, main_doubt
from rallyuxr.analysis.evidence import Evidence, evidence_of, joint_uncertainty
from rallyuxr.analysis.findings import Finding
from rallyuxr.analysis.inputs import Price, Results, analysis_id, moment_of, snapshots_of, source_of
from rallyuxr.economics import ROLE_ORDER, MetricEffect, Terms, economic_impact, money_weights
from rallyuxr.models.analysis import (
    AnalysisPeriod,
    DidResult,
    EconomicImpact,
    ExperimentAnalysis,
    PriceSnapshot,
    Verdict,
)
from rallyuxr.models.experiment import ExperimentPlan
from rallyuxr.stats.multiplicity import adjust
from rallyuxr.stats.regular_grid import Span

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
    evidence = evidence_of(source, experiment, span, treatment_share)
    adjusted = _adjusted(evidence.findings, experiment)
    looked_at = len(evidence.findings)
    doubts = {metric: _doubt(one, adjusted.get(metric), looked_at) for metric, one in evidence.findings.items()}
    impact = _impact(evidence, experiment, snapshots, doubts)
    did_results = {
        metric: did_result(
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


def _doubt(finding: Finding, adjusted: float | None, looked_at: int) -> Doubt | None:
    return main_doubt(
        finding.estimate,
        finding.diagnostics,
        critical_value=finding.critical_value,
        adjusted_pvalue=adjusted,
        looked_at=looked_at,
    )


def _impact(
    evidence: Evidence,
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
    joint = joint_uncertainty(evidence, weights, snapshots)
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
            doubt=_doubt_about_total({metric: doubts[metric] for metric in weights}, snapshots),
        ),
    )


def _doubt_about_total(doubts: Mapping[str, Doubt | None], snapshots: Mapping[str, PriceSnapshot]) -> str | None:
    """The gravest doubt about the data of a metric that counts; what only weakens one metric stays with it."""
    grave = [
        (one, metric) for metric, one in doubts.items() if one is not None and one.rank <= LAST_RANK_ABOUT_DATA
    ]
    if not grave:
        return None
    first, metric = min(grave)
    return f"in {snapshots[metric].name}, {first.text}"


def _overall(impact: EconomicImpact, results: Mapping[str, DidResult]) -> Verdict:
    """The money's verdict; without one, the first primary metric's."""
    if impact.total_interval is not None and impact.verdict is not None:
        return impact.verdict
    by_role = sorted(results.values(), key=lambda result: ROLE_ORDER[result.role])
    return by_role[0].verdict
