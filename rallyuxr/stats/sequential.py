"""Intervals that may be looked at every hour while an experiment runs."""

import math

import scipy

from rallyuxr.errors import InvalidInput
from rallyuxr.models.estimate import AlwaysValid, DidEstimate
from rallyuxr.stats.student import t_quantile, t_sf

METHOD = "asymptotic_confidence_sequence"


def always_valid(estimate: DidEstimate, *, baseline_hours: int, post_hours: int, planned_hours: int) -> AlwaysValid:
    """What can be said now, if one looks every hour and may stop at any of them?

    A fixed-horizon interval covers the truth at one look chosen in advance; the interval given here
    covers it at all looks at once, so that stopping when it excludes zero is honest.

    The estimates after s < t hours have covariance Var(estimate_t), whatever the baseline: their
    scores estimate / variance move like a Brownian motion in the information I = 1 / variance. Mixing
    over effects N(0, τ²) bounds such a path: with probability 1 - α, at every I,

        \\|estimate - effect\\| ≤ z·std_error,  z² = (1 + g)/g · log((1 + g)/α²),  g = τ² I.

    τ² makes the interval tightest at the planned end. Since g depends on the hours alone, the noise
    enters through the standard error only, which carries the long-run variance and so the serial
    correlation. z is exchanged for the value that the estimate's t distribution exceeds as rarely.

    Parameters
    ----------
    estimate
        The effect of the hours so far, as `did_series` answers.
    baseline_hours, post_hours
        Hours before the start, 0 without a baseline, and since.
    planned_hours
        Hours after the start at which the experiment is planned to end. Fix it before the first look;
        running longer stays valid.

    Returns
    -------
    AlwaysValid
        Interval at the estimate's level, and the p-value that may be compared with α at any time.

    References
    ----------
    Robbins (1970), Annals of Mathematical Statistics 41:1397-1409 (the mixture). Waudby-Smith, Arbour,
    Sinha, Kennedy and Ramdas (2024), Annals of Statistics 52:2613-2640 (asymptotic, dependent data).

    Examples
    --------
    >>> now = DidEstimate(estimate=1.0, std_error=0.2, dof=60.0, confidence_level=0.95, method="ewc")
    >>> answer = always_valid(now, baseline_hours=336, post_hours=168, planned_hours=336)
    >>> round(answer.ci_lower, 2), round(answer.ci_upper, 2), answer.pvalue < 0.05
    (0.36, 1.64, True)
    """
    if baseline_hours < 0 or post_hours < 1 or planned_hours < 1:
        raise InvalidInput(
            f"hours are {baseline_hours} before, {post_hours} after and {planned_hours} planned: "
            "give at least 0, 1 and 1"
        )
    if estimate.estimate is None or estimate.std_error is None:
        return AlwaysValid(method=METHOD, reason=estimate.reason)
    dof = math.inf if estimate.dof is None else estimate.dof
    alpha = 1.0 - estimate.confidence_level
    g = _best_mixture(alpha) * _variance(baseline_hours, planned_hours) / _variance(baseline_hours, post_hours)
    z = math.sqrt((1.0 + g) / g * (math.log1p(g) - 2.0 * math.log(alpha)))
    margin = -t_quantile(float(scipy.special.ndtr(-z)), dof) * estimate.std_error
    if not math.isfinite(margin):
        return AlwaysValid(method=METHOD, reason="the interval is too wide to be represented")
    z_seen = float(scipy.special.ndtri(t_sf(abs(estimate.estimate / estimate.std_error), dof)))
    pvalue = math.sqrt(1.0 + g) * math.exp(-0.5 * z_seen**2 * g / (1.0 + g))
    return AlwaysValid(
        ci_lower=estimate.estimate - margin,
        ci_upper=estimate.estimate + margin,
        pvalue=min(pvalue, 1.0),
        method=METHOD,
    )


def _variance(baseline_hours: int, post_hours: int) -> float:
    """Variance of the effect after so many hours, in units of the long-run variance."""
    return 1.0 / post_hours + (1.0 / baseline_hours if baseline_hours else 0.0)


def _best_mixture(alpha: float) -> float:
    """The g = τ² I with the smallest z, the root of g = log((1 + g)/α²) (Howard et al. 2021)."""
    return float(-scipy.special.lambertw(-(alpha**2) / math.e, -1).real) - 1.0
