"""What is known of one metric, before money and words."""

import math
from dataclasses import dataclass, replace

from rallyuxr.models.analysis import Interval
from rallyuxr.models.diagnostics import Diagnostics, EventStudy
from rallyuxr.models.estimate import AlwaysValid, DidEstimate
from rallyuxr.models.metric_value import ValueType

NOT_RUNNING = AlwaysValid(reason="the experiment is over: its interval is valid as it is")
NO_EVENT_STUDY = EventStudy()
NO_DIAGNOSTICS = Diagnostics()


@dataclass(frozen=True, slots=True)
class Finding:
    """One metric's statistics, before money and words.

    `interval` and `pvalue` are those to go by: the estimate's own at the end, the always-valid ones while
    the experiment runs. `control_spread` is the standard deviation of the control arm's values over the
    baseline (hours or units), None where they do not vary.
    """

    estimate: DidEstimate
    participants_treatment: float = 0.0
    participants_control: float = 0.0
    control_spread: float | None = None
    spread_of: str = ""
    interval: Interval | None = None
    pvalue: float | None = None
    always_valid: AlwaysValid = NOT_RUNNING
    event_study: EventStudy = NO_EVENT_STUDY
    diagnostics: Diagnostics = NO_DIAGNOSTICS

    @property
    def critical_value(self) -> float | None:
        """Standard errors on each side of the interval."""
        if self.interval is None or not self.estimate.std_error:
            return None
        return (self.interval.upper - self.interval.lower) / 2 / self.estimate.std_error


def absent_finding(reason: str, confidence_level: float) -> Finding:
    """A metric of the plan that nothing can be said of."""
    return Finding(DidEstimate(method="none", confidence_level=confidence_level, reason=reason))


def shown(finding: Finding, while_running: AlwaysValid | None) -> Finding:
    """The finding with the interval and p-value to go by."""
    source = while_running or finding.estimate
    bounds = None
    if source.ci_lower is not None and source.ci_upper is not None:
        bounds = Interval(lower=source.ci_lower, upper=source.ci_upper)
    return replace(finding, interval=bounds, pvalue=source.pvalue, always_valid=while_running or NOT_RUNNING)


def effect_size(finding: Finding, value_type: ValueType) -> tuple[float | None, str | None]:
    """The effect on a scale without a unit, and its name; both None where nothing varies.

    Proportions: Cohen's h, 2·asin √p₁ - 2·asin √p₀ between the treated arm's mean and what it would have
    been. Others: Glass's Δ, the effect over the standard deviation of the control's values.

    References
    ----------
    Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, chapter 6. Glass (1976),
    Educational Researcher 5:3-8.
    """
    effect, treated = finding.estimate.estimate, finding.estimate.cell_means.treatment_post
    if effect is None or finding.estimate.std_error is None:
        return None, None
    if value_type == "proportion" and treated is not None and 0 <= treated - effect <= 1 and 0 <= treated <= 1:
        return 2 * math.asin(math.sqrt(treated)) - 2 * math.asin(math.sqrt(treated - effect)), "Cohen's h"
    if finding.control_spread is None:
        return None, None
    return effect / finding.control_spread, f"Glass's delta over the control's {finding.spread_of}"
