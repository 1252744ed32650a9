"""A weighted sum of effects, such as their money, and the covariance that gives its variance for other weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rallyuxr.stats import long_run
from rallyuxr.stats.influence import InfluenceSeries

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Composite:
    """The sum Σ w·effect of M metrics.

    Attributes
    ----------
    estimate, std_error, dof
        Of the sum.
    covariance
        (R, R) of the effects in the rows asked for, with w'Σw = std_error².
    """

    estimate: float
    std_error: float
    dof: float
    covariance: Array


def composite(
    influence: InfluenceSeries, rows: Sequence[int], weights: Array, *, periods_per_day: int = 24
) -> Composite:
    """How uncertain is a weighted sum of effects whose errors move together?

    The variance is the default one of the summed series itself (`series.estimate_from_influence` of
    `influence.combined(weights)` gives the same number). The autoregression fitted to the sum
    prewhitens every metric's coefficients too; all that follows is quadratic, so the metrics' covariance Σ
    under it gives the sum's variance exactly, and serves for other weights, where it is no longer quite the
    best one.

    Parameters
    ----------
    influence
        M metrics.
    rows
        R of them, each with a standard error of its own.
    weights
        (R,) finite, not all zero.
    """
    chosen = list(rows)
    spread = np.zeros(len(influence.estimate))
    spread[chosen] = weights
    total = influence.combined(spread)
    scale = np.abs(influence.effect_contribution[chosen]).max(axis=1)
    size = float(np.abs(total.effect_contribution).max())
    errors = [total.effect_contribution / size, influence.effect_contribution[chosen] / scale[:, None]]
    hours = long_run.adjusted_contributions(
        np.concatenate(errors)[None],
        total.memory / np.abs(total.memory).max(),
        total.windows,
        used=total.seen,
        periods_per_day=periods_per_day,
    )
    with np.errstate(all="ignore"):
        noise = long_run.prewhitened_ewc(hours)
    covariance = noise.covariance[0]
    return Composite(
        estimate=float(total.estimate[0]),
        std_error=float(np.sqrt(covariance[0, 0])) * size,
        dof=float(min(noise.dof[0], total.hours_used.sum() - len(total.windows))),
        covariance=covariance[1:, 1:] * np.outer(scale, scale),
    )
