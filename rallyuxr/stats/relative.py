"""Relative effects: an effect over the mean that the treated arm would have had without it."""

import math
from typing import NamedTuple

from rallyuxr.models.estimate import RelativeEffect
from rallyuxr.stats.student import t_quantile


class JointVariance(NamedTuple):
    """Variances and covariance of an estimated effect and the estimated counterfactual mean."""

    effect: float
    counterfactual: float
    covariance: float


def relative_effect(
    effect: float,
    counterfactual: float,
    variance: JointVariance,
    *,
    dof: float,
    confidence_level: float = 0.95,
) -> RelativeEffect:
    """By what fraction of its counterfactual mean did the treated arm change?

    The effect is divided by the *absolute* counterfactual mean, so its sign is the effect's sign
    also where the metric is negative. The interval is Fieller's: every ratio θ that the data do
    not reject, |effect - θ·c| ≤ t·sd(effect - θ·c). It excludes zero exactly when the interval of
    the effect itself does, and it carries the uncertainty of the counterfactual.

    Parameters
    ----------
    effect, counterfactual
        The effect and the counterfactual mean, in the outcome's unit.
    variance
        Their joint variance. All zero, or `dof` 0, gives the point without an interval.
    dof, confidence_level
        Of the t distribution that the effect's own interval uses.

    Returns
    -------
    RelativeEffect
        Fractions: 0.1 is ten percent. Bounds are absent, with a reason, where the counterfactual
        cannot be told from zero and the interval has no end.

    References
    ----------
    Fieller (1954), Journal of the Royal Statistical Society B 16:175-185.

    Examples
    --------
    >>> result = relative_effect(1.0, -10.0, JointVariance(0.04, 0.01, 0.0), dof=30)
    >>> round(result.estimate, 3), round(result.ci_lower, 3), round(result.ci_upper, 3)
    (0.1, 0.059, 0.141)
    """
    if counterfactual == 0.0:
        return RelativeEffect(reason="the mean without the effect is zero, so there is nothing to divide by")
    scale = abs(counterfactual)
    ratio = effect / scale
    if not math.isfinite(ratio):
        return RelativeEffect(reason="the mean without the effect is too close to zero to divide by")
    if not (dof > 0 and variance.effect > 0):
        return RelativeEffect(estimate=ratio, reason="the effect has no standard error")
    t_squared = t_quantile(0.5 + confidence_level / 2, dof) ** 2
    effect_part = t_squared * variance.effect / scale / scale
    level_part = t_squared * variance.counterfactual / scale / scale
    cross_part = t_squared * variance.covariance / scale / counterfactual
    # ratios θ with (ratio - θ)² ≤ effect_part - 2 θ cross_part + θ² level_part
    curvature = 1.0 - level_part
    if not curvature > 0:
        return RelativeEffect(
            estimate=ratio,
            reason="the mean without the effect cannot be told from zero, so the ratio has no bounds",
        )
    middle = ratio - cross_part
    discriminant = middle * middle - curvature * (ratio * ratio - effect_part)
    half_width = math.sqrt(max(discriminant, 0.0))
    lower, upper = (middle - half_width) / curvature, (middle + half_width) / curvature
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return RelativeEffect(estimate=ratio, reason="the bounds are too large to be represented")
    return RelativeEffect(estimate=ratio, ci_lower=lower, ci_upper=upper)
