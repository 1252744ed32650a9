"""Student's t distribution: quantile, tail, p-value and interval, on `scipy.special` alone.

Every estimator takes its p-value and its interval from here, so the two cannot disagree. Infinite
degrees of freedom give the normal distribution.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Interval(NamedTuple):
    """A two-sided interval."""

    lower: float
    upper: float


@lru_cache(maxsize=4096)
def t_quantile(p: float, dof: float) -> float:
    """The value that a t variable with `dof` degrees of freedom stays below with probability `p`.

    Examples
    --------
    >>> round(t_quantile(0.975, 10), 6)
    2.228139
    """
    return float(scipy.special.stdtrit(dof, p))


def t_quantiles(p: float, dof: Array) -> Array:
    """`t_quantile` for many degrees of freedom, of any shape."""
    return np.asarray(scipy.special.stdtrit(dof, p), dtype=float)


def two_sided_pvalues(statistic: Array, dof: Array) -> Array:
    """`two_sided_pvalue` for many statistics and degrees of freedom of one shape."""
    return np.asarray(2.0 * scipy.special.stdtr(dof, -np.abs(statistic)), dtype=float)


def t_sf(x: float, dof: float) -> float:
    """Upper tail P(t > x), computed as the lower tail of -x so that it does not vanish at large x.

    Examples
    --------
    >>> t_sf(40.0, 10) > 0
    True
    """
    return float(scipy.special.stdtr(dof, -x))


def two_sided_pvalue(statistic: float, dof: float) -> float:
    """2·P(t > \\|statistic\\|), the p-value of a two-sided test.

    Examples
    --------
    >>> round(two_sided_pvalue(2.228138851986274, 10), 6)
    0.05
    """
    return 2.0 * t_sf(abs(statistic), dof)


def interval(estimate: float, std_error: float, dof: float, confidence_level: float) -> Interval:
    """The interval estimate ± t·std_error at `confidence_level`.

    Examples
    --------
    >>> lower, upper = interval(1.0, 0.5, 10, 0.95)
    >>> round(lower, 4), round(upper, 4)
    (-0.1141, 2.1141)
    """
    margin = t_quantile(0.5 + confidence_level / 2, dof) * std_error
    return Interval(estimate - margin, estimate + margin)
