"""One metric's findings in the contract's shape and in words."""

from rallyuxr.analysis.doubts import Doubt
from rallyuxr.analysis.findings import Finding, effect_size
from rallyuxr.models.analysis import DidResult, Interval, MetricImpact, PriceSnapshot
from rallyuxr.models.experiment import ExperimentPlan
from rallyuxr.models.metric_value import ValueType
from rallyuxr.verdict import Reading, effect_text, money_text, signed_number, verdict


def did_result(
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
        f"{signed_number(lower)} to {signed_number(upper)}",
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
