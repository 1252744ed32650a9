"""Wild cluster bootstrap of the collapsed difference-in-differences, for few clusters.

Notation: cluster i has change D_i and weight w_i; a is the treated minus the control mean change,
V = Σ_arms Σ_i w_i²(D_i - D̄)² / (Σ w)² its cluster-robust variance. To test an effect τ, changes are
redrawn as v_i·r_i, where r_i are the residuals that obey τ and v_i a random sign. On a balanced panel
this equals the bootstrap of the two-way fixed effects regression clustered by unit.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.panel_data import Flags, Floats
from rallyuxr.stats.unit_means import UnitMeans

_WEBB_BELOW = 10
"""With fewer clusters, two-point signs give too few distinct draws; Webb's six points are used."""

_WEBB = np.sqrt(np.array([0.5, 1.0, 1.5]))
_TIE = 1e-12
_BISECTIONS = 80
_DOUBLINGS = 40
_DRAWS_PER_BLOCK = 1000
_MOST_CLUSTERS = 2000


@dataclass(frozen=True, slots=True)
class WildBootstrap:
    """What the bootstrap says of an effect; interval ends are infinite where no effect can be excluded."""

    estimate: float
    std_error: float
    pvalue: float
    ci_lower: float
    ci_upper: float
    n_draws: int


@dataclass(frozen=True, slots=True)
class _Draws:
    """Each draw's statistic as a function of τ: (a0 + τ·a1)² / (v0 + τ·v1 + τ²·v2), arrays of (m,)."""

    a0: Floats
    a1: Floats
    v0: Floats
    v1: Floats
    v2: Floats

    def squared_statistics(self, effect: float) -> Floats:
        numerator = np.square(self.a0 + effect * self.a1)
        variance = self.v0 + effect * self.v1 + effect**2 * self.v2
        safe = np.where(variance > 0, variance, 1.0)
        return np.where(variance > 0, numerator / safe, np.where(numerator > 0, np.inf, 0.0))


def wild_cluster_bootstrap(
    units: UnitMeans, *, confidence_level: float = 0.95, reps: int = 9999, seed: int = 0
) -> WildBootstrap:
    """Studentised wild cluster bootstrap with the null imposed, its interval by inverting the test.

    All 2^G Rademacher signs are used where there are at most `reps` of them, `reps` random ones
    otherwise, and Webb's six-point weights below ten clusters.

    Parameters
    ----------
    units
        Collapsed units, or clusters of units.
    confidence_level
        Of the interval.
    reps, seed
        Random draws and their seed.

    References
    ----------
    Cameron, Gelbach and Miller (2008), Review of Economics and Statistics 90:414-427; Webb (2023),
    Canadian Journal of Economics 56:839-858.
    """
    n = units.change.size
    arm_sizes = (np.count_nonzero(units.treated), np.count_nonzero(~units.treated))
    if min(arm_sizes) < 2 or n > _MOST_CLUSTERS:
        raise InvalidInput(
            f"the wild cluster bootstrap is for 2 to {_MOST_CLUSTERS} clusters with at least two in each arm; got "
            f"{arm_sizes[0]} treated and {arm_sizes[1]} control: use method='placebo' or 'unit_means'"
        )
    share = _arm_shares(units)
    sign = np.where(units.treated, 1.0, -1.0)
    estimate = float((sign * share) @ units.change)
    residual = units.change - _arm_means(units.treated, share, units.change[None, :])[0]
    variance = float(np.square(share * residual).sum())
    if not variance > 0:
        raise InvalidInput("the units of each arm all changed by the same amount, so there is nothing to resample")
    draws = _draw(units, share, sign, _signs(n, reps, seed))

    def pvalue(effect: float) -> float:
        threshold = (estimate - effect) ** 2 / variance
        return float(np.mean(draws.squared_statistics(effect) >= threshold * (1 - _TIE)))

    std_error = float(np.sqrt(variance * n / (n - 1)))
    alpha = 1 - confidence_level
    return WildBootstrap(
        estimate=estimate,
        std_error=std_error,
        pvalue=pvalue(0.0),
        ci_lower=_boundary(pvalue, estimate, -std_error, alpha),
        ci_upper=_boundary(pvalue, estimate, std_error, alpha),
        n_draws=draws.a0.size,
    )


def _weights(units: UnitMeans) -> Floats:
    return np.ones(units.change.size) if units.weight is None else units.weight


def _arm_shares(units: UnitMeans) -> Floats:
    """Each cluster's share of its arm's weight, (n,)."""
    weight = _weights(units)
    totals: Floats = np.where(units.treated, weight[units.treated].sum(), weight[~units.treated].sum())
    return weight / totals


def _arm_means(treated: Flags, share: Floats, values: Floats) -> Floats:
    """Each row's arm means, spread over the clusters: (m, n) to (m, n)."""
    treatment: Floats = values @ np.where(treated, share, 0.0)
    control: Floats = values @ np.where(treated, 0.0, share)
    means: Floats = np.where(treated, treatment[:, None], control[:, None])
    return means


def _signs(n: int, reps: int, seed: int) -> Floats:
    """Random signs, (m, n); the first row is the sample itself."""
    if n >= _WEBB_BELOW and 2**n <= reps:
        return np.array(list(itertools.product((1.0, -1.0), repeat=n)))
    rng = np.random.default_rng(seed)
    drawn: Floats = rng.choice([-1.0, 1.0], size=(reps, n))
    if n < _WEBB_BELOW:
        drawn *= rng.choice(_WEBB, size=(reps, n))
    return np.vstack([np.ones(n), drawn])


def _draw(units: UnitMeans, share: Floats, sign: Floats, signs: Floats) -> _Draws:
    weight = _weights(units) / _weights(units).sum()
    level = units.change - weight @ units.change
    slope = weight @ units.treated - units.treated
    parts = []
    for start in range(0, len(signs), _DRAWS_PER_BLOCK):
        block = signs[start : start + _DRAWS_PER_BLOCK]
        drawn_level, drawn_slope = block * level, block * slope
        level_residual = drawn_level - _arm_means(units.treated, share, drawn_level)
        slope_residual = drawn_slope - _arm_means(units.treated, share, drawn_slope)
        squared_share = np.square(share)
        parts.append(
            (
                drawn_level @ (sign * share),
                drawn_slope @ (sign * share),
                np.square(level_residual) @ squared_share,
                2 * (level_residual * slope_residual) @ squared_share,
                np.square(slope_residual) @ squared_share,
            )
        )
    return _Draws(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _boundary(pvalue: Callable[[float], float], estimate: float, step: float, alpha: float) -> float:
    """Where the test starts to reject, walking from the estimate in the direction of `step`.

    Zero, where it lies that way, is tested first, so that the interval excludes it exactly when
    p(0) < α even if p(τ) should not fall evenly.
    """
    inside, outside = estimate, estimate + step
    if estimate * step < 0:
        inside, outside = (0.0, step) if pvalue(0.0) >= alpha else (estimate, 0.0)
    for _ in range(_DOUBLINGS):
        if pvalue(outside) < alpha:
            break
        inside, outside, step = outside, outside + 2 * step, 2 * step
    else:
        return float(np.copysign(np.inf, step))
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        if pvalue(middle) >= alpha:
            inside = middle
        else:
            outside = middle
    return inside
