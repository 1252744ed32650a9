"""An analysis as plain text for a terminal."""

from collections.abc import Iterable, Sequence

from rallyuxr.models import DidResult, ExperimentAnalysis, ExperimentPlan, Interval, MetricImpact
from rallyuxr.verdict import effect_text, money_text

ABSENT = "-"


def as_text(analysis: ExperimentAnalysis, plan: ExperimentPlan) -> str:
    """The metrics as a table, then the money, then what each result means and why it may be doubted.

    Examples:
        >>> from rallyuxr.analysis import analyze
        >>> from rallyuxr.simulation import simulate
        >>> plan = ExperimentPlan(
        ...     name="Checkout", description="", metrics=("conversion_rate",), expected_outcome="positive",
        ...     start_date="2025-01-15", end_date="2025-01-29",
        ... )
        >>> print(as_text(analyze(simulate(plan), {}, experiment=plan), plan).splitlines()[0])
        Checkout (SIMULATED)
    """
    table = _table(
        ["metric", "treatment", "control", "effect", f"{plan.confidence_level}% interval", "p", "worth"],
        (
            _row(metric_id, result, analysis.economic_impact.metric_breakdown.get(metric_id), analysis)
            for metric_id, result in analysis.did_results.items()
        ),
    )
    return "\n".join([*_heading(analysis, plan), "", *table, "", *_money(analysis), "", *_sentences(analysis)])


def _heading(analysis: ExperimentAnalysis, plan: ExperimentPlan) -> Iterable[str]:
    period = analysis.experiment_period
    yield plan.name + (" (SIMULATED)" if analysis.data_source == "simulator" else "")
    baseline = f"{plan.baseline_days} days" if plan.baseline_days else "none"
    yield f"{period.start_date:%Y-%m-%d %H:%M} to {period.end_date:%Y-%m-%d %H:%M} UTC; baseline: {baseline}"


def _row(metric_id: str, result: DidResult, impact: MetricImpact | None, analysis: ExperimentAnalysis) -> list[str]:
    snapshot = analysis.metric_values_snapshot.get(metric_id)
    scale, unit = (snapshot.unit_scale, snapshot.unit) if snapshot and snapshot.unit != "unit" else (1.0, "")
    effect, amount = result.estimate.estimate, impact.dollar_impact if impact else None
    return [
        metric_id,
        _number(result.treatment_mean),
        _number(result.control_mean),
        ABSENT if effect is None else effect_text(effect * scale, unit).rstrip(),
        _interval(result.confidence_interval, scale),
        ABSENT if result.p_value is None else f"{result.p_value:.2g}",
        ABSENT if amount is None or snapshot is None else money_text(amount, snapshot.currency),
    ]


def _number(value: float | None) -> str:
    return ABSENT if value is None else f"{value:,.4g}"


def _interval(interval: Interval | None, scale: float) -> str:
    return ABSENT if interval is None else f"[{interval.lower * scale:+,.4g}, {interval.upper * scale:+,.4g}]"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        first, *rest = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join([first, *(cell.strip().rjust(width) for cell, width in zip(rest, widths[1:], strict=True))])


def _money(analysis: ExperimentAnalysis) -> Iterable[str]:
    impact = analysis.economic_impact
    if impact.verdict:
        yield f"Total: {impact.verdict.sentence}"
    if impact.annualized_impact is not None and impact.annualized_interval is not None:
        lower, upper = (
            money_text(bound, impact.currency)
            for bound in (impact.annualized_interval.lower, impact.annualized_interval.upper)
        )
        yield f"A year, if it lasts: {money_text(impact.annualized_impact, impact.currency)} ({lower} to {upper})"
    if impact.roi_percentage is not None:
        yield f"Return on the cost: {impact.roi_percentage:+,.0f}%"
    if impact.reason:
        yield f"Money: {impact.reason}"


def _sentences(analysis: ExperimentAnalysis) -> Iterable[str]:
    for metric_id, result in analysis.did_results.items():
        yield f"{metric_id}: {result.verdict.sentence}"
        if result.true_effect is not None:
            yield f"  the simulator planted {result.true_effect:+.4g}"
        for caution in result.estimate.warnings:
            yield f"  note: {caution.message}"
