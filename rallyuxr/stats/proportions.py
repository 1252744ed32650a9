"""Two proportions compared by the score test and the intervals that invert it.

Notation: x_a of n_a units of arm a succeeded, p_a = x_a / n_a. A hypothesis fixes the difference δ or the
ratio θ of the two; the score statistic measures its distance in standard errors that hold *under the
hypothesis*, so it works at small rates and small counts where Wald intervals fail.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from rallyuxr.errors import InvalidInput
from rallyuxr.models.estimate import CellMeans, DidEstimate, RelativeEffect
from rallyuxr.stats import student

_BISECTIONS = 200
_LARGEST_RATIO = 1e12


def two_proportions(
    treatment_successes: int,
    treatment_n: int,
    control_successes: int,
    control_n: int,
    *,
    confidence_level: float = 0.95,
) -> DidEstimate:
    """By how much does the success rate differ between two arms?

    Parameters
    ----------
    treatment_successes, treatment_n, control_successes, control_n
        Counts; a unit counts once.
    confidence_level
        Of the intervals of the difference and of the ratio. Both invert the same test at no effect, so
        both exclude it exactly when the p-value is below 1 - `confidence_level`.

    Returns
    -------
    DidEstimate
        A difference in means, in fractions (0.01 is one percentage point); its reference distribution
        is normal, so `dof` is absent.

    Raises
    ------
    InvalidInput
        For counts that are negative or exceed their number of units.

    References
    ----------
    Miettinen and Nurminen (1985), Statistics in Medicine 4:213-226; Koopman (1984), Biometrics 40:513-517.

    Examples
    --------
    >>> result = two_proportions(30, 200, 18, 210)
    >>> round(result.estimate, 4), round(result.pvalue, 4), round(result.ci_lower, 4), round(result.ci_upper, 4)
    (0.0643, 0.0433, 0.002, 0.1291)
    """
    _refuse_counts(treatment_successes, treatment_n, control_successes, control_n)
    p1, p2 = treatment_successes / treatment_n, control_successes / control_n
    difference = p1 - p2
    pooled = (treatment_successes + control_successes) / (treatment_n + control_n)
    described = DidEstimate(
        estimate=difference,
        confidence_level=confidence_level,
        method="score",
        estimator="difference_in_means",
        n_obs=treatment_n + control_n,
        n_units=treatment_n + control_n,
        cell_means=CellMeans(treatment_post=p1, control_post=p2),
    )
    if pooled in (0.0, 1.0):
        return replace(described, reason=f"every unit of both arms had the same outcome, {pooled:.0f}")
    std_error = _std_error(pooled, pooled, 1.0, treatment_n, control_n)
    z = student.t_quantile(0.5 + confidence_level / 2, math.inf)

    def by_difference(delta: float) -> float:
        q2 = _control_rate_under_difference(treatment_successes, treatment_n, control_successes, control_n, delta)
        return _standardised(difference - delta, _std_error(q2 + delta, q2, 1.0, treatment_n, control_n))

    return replace(
        described,
        std_error=std_error,
        statistic=difference / std_error,
        pvalue=student.two_sided_pvalue(difference / std_error, math.inf),
        ci_lower=_crossing(lambda delta: by_difference(delta) - z, -1.0, difference),
        ci_upper=_crossing(lambda delta: by_difference(delta) + z, difference, 1.0),
        relative=_relative(treatment_successes, treatment_n, control_successes, control_n, z),
    )


def _relative(x1: int, n1: int, x2: int, n2: int, z: float) -> RelativeEffect:
    """The ratio of rates less one, with Koopman's interval."""
    if not x2:
        return RelativeEffect(method="score", reason="no control unit succeeded, so there is nothing to divide by")
    p1, p2 = x1 / n1, x2 / n2
    ratio = p1 / p2

    def by_ratio(theta: float) -> float:
        q2 = _control_rate_under_ratio(x1, n1, x2, n2, theta)
        return _standardised(p1 - theta * p2, _std_error(theta * q2, q2, theta, n1, n2))

    lower = _crossing(lambda theta: by_ratio(theta) - z, 0.0, ratio)
    above = ratio + 1.0
    while by_ratio(above) > -z and above < _LARGEST_RATIO:
        above *= 2
    if above >= _LARGEST_RATIO:
        return RelativeEffect(
            estimate=ratio - 1,
            method="score",
            reason="the control rate cannot be told from zero, so the ratio has no upper bound",
        )
    upper = _crossing(lambda theta: by_ratio(theta) + z, ratio, above)
    return RelativeEffect(estimate=ratio - 1, ci_lower=lower - 1, ci_upper=upper - 1, method="score")


def _std_error(q1: float, q2: float, theta: float, n1: int, n2: int) -> float:
    """Standard error of p_1 - θ·p_2 at rates q, with Miettinen and Nurminen's N/(N-1)."""
    n = n1 + n2
    variance = q1 * (1 - q1) / n1 + theta**2 * q2 * (1 - q2) / n2
    return math.sqrt(max(variance, 0.0) * n / (n - 1))


def _standardised(distance: float, std_error: float) -> float:
    if std_error > 0:
        return distance / std_error
    return math.copysign(math.inf, distance) if distance else 0.0


def _control_rate_under_difference(x1: int, n1: int, x2: int, n2: int, delta: float) -> float:
    """The most likely control rate when the rates differ by δ: a root of a cubic, in closed form."""
    n, x = n1 + n2, x1 + x2
    # coefficients of the likelihood equation n·q³ + b·q² + c·q + d = 0
    b = (n1 + 2 * n2) * delta - n - x
    c = (n2 * delta - n - 2 * x2) * delta + x
    d = x2 * delta * (1 - delta)
    v = (b / (3 * n)) ** 3 - b * c / (6 * n * n) + d / (2 * n)
    radius = math.sqrt(max((b / (3 * n)) ** 2 - c / (3 * n), 0.0))
    u = math.copysign(radius, v)
    angle = (math.pi + math.acos(max(-1.0, min(1.0, v / u**3 if u else 1.0)))) / 3
    root = 2 * u * math.cos(angle) - b / (3 * n)
    return min(max(root, 0.0, -delta), 1.0, 1.0 - delta)


def _control_rate_under_ratio(x1: int, n1: int, x2: int, n2: int, theta: float) -> float:
    """The most likely control rate when the ratio of rates is θ: a root of a quadratic."""
    if theta == 0.0:
        return x2 / (n2 + x1) if n2 + x1 else 0.0
    a, b, c = (n1 + n2) * theta, n1 * theta + x1 + n2 + x2 * theta, x1 + x2
    root = 2 * c / (b + math.sqrt(max(b * b - 4 * a * c, 0.0)))
    return min(root, 1.0, 1.0 / theta)


def _crossing(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function crosses zero; the end of the range where it does not."""
    if function(low) <= 0:
        return low
    if function(high) >= 0:
        return high
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if function(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _refuse_counts(x1: int, n1: int, x2: int, n2: int) -> None:
    for name, successes, n in (("treatment", x1, n1), ("control", x2, n2)):
        if n < 1 or not 0 <= successes <= n:
            raise InvalidInput(
                f"{successes} successes of {n} {name} units is impossible; give 0 to n successes of n ≥ 1 units"
            )
