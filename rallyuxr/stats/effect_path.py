"""Paths of effects over time, with bands that cover the whole path at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rallyuxr.stats import student
from rallyuxr.stats.panel_data import Floats

_ROUNDING = 1e-24
"""A variance below this share of the path's largest is rounding noise around zero."""


@dataclass(frozen=True, slots=True)
class PathEffect:
    """One point of a path; `at` is its period or its number of periods since the start.

    The interval covers this effect, the band all effects of the path at once, each at the path's
    level. They are absent at the reference, whose effect is zero by construction.
    """

    at: Any
    estimate: float
    std_error: float | None = None
    ci_lower: float | None = None
    ci_upper: float | None = None
    band_lower: float | None = None
    band_upper: float | None = None


@dataclass(frozen=True, slots=True)
class EffectPath:
    """Effects in the order of time; `critical_value` times the standard error is half the band."""

    effects: tuple[PathEffect, ...]
    critical_value: float | None
    dof: float
    confidence_level: float


def effect_path(
    at: Sequence[Any],
    estimates: Floats,
    covariance: Floats,
    *,
    dof: float,
    confidence_level: float,
    reps: int,
    seed: int,
) -> EffectPath:
    """Intervals and a simultaneous band for effects with a known covariance.

    Parameters
    ----------
    at
        (k,) where each effect stands on the path.
    estimates, covariance
        (k,) and (k, k); a variance of zero marks the reference.
    dof, confidence_level, reps, seed
        Of the intervals' t distribution, and of the draws behind the band.
    """
    variances = np.diag(covariance)
    free = np.flatnonzero(variances > _ROUNDING * variances.max(initial=0.0))
    critical_value = None
    if free.size:
        critical_value = simultaneous_critical_value(
            covariance[np.ix_(free, free)], confidence_level=confidence_level, reps=reps, seed=seed
        )
    effects = [PathEffect(label, float(estimate)) for label, estimate in zip(at, estimates, strict=True)]
    for k in free.tolist():
        estimate, std_error = float(estimates[k]), float(np.sqrt(variances[k]))
        lower, upper = student.interval(estimate, std_error, dof, confidence_level)
        margin = (critical_value or 0.0) * std_error
        effects[k] = PathEffect(at[k], estimate, std_error, lower, upper, estimate - margin, estimate + margin)
    return EffectPath(tuple(effects), critical_value, dof, confidence_level)


def simultaneous_critical_value(
    covariance: Floats, *, confidence_level: float = 0.95, reps: int = 9999, seed: int = 0
) -> float:
    """The multiple of each standard error that makes intervals cover all effects at once.

    The quantile of max_k \\|z_k\\| where z is normal with the effects' correlation. Drawing z from the
    covariance Ψ'Ψ of influence values is the multiplier bootstrap with normal multipliers.

    Parameters
    ----------
    covariance
        (k, k) of the estimated effects, with positive variances.
    confidence_level, reps, seed
        Joint coverage, number of draws and their seed.

    References
    ----------
    Montiel Olea and Plagborg-Møller (2019), Journal of Applied Econometrics 34:1-17.

    Examples
    --------
    >>> 1.9 < simultaneous_critical_value(np.eye(1)) < 2.0 < simultaneous_critical_value(np.eye(5))
    True
    """
    spread = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(spread, spread)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    independent = np.random.default_rng(seed).standard_normal((reps, len(spread)))
    draws = np.einsum("rk,jk->rj", independent, root)
    return float(np.quantile(np.abs(draws).max(axis=1), confidence_level))
