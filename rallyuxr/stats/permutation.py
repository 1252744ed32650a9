"""Inference by re-assignment: what would the effect look like had other units been treated?

Notation: D_i is the change of unit i, a_S the difference in (weighted) mean change when the units S
are called treated, a_0 the one observed. Under a constant effect τ the changes D_i - τ·T_i do not
depend on the assignment, so p(τ) is the share of assignments with \\|a_S - τ·b_S\\| ≥ \\|a_0 - τ\\|, where
b_S is a_S computed on T itself. The interval holds every τ with p(τ) ≥ 1 - confidence_level.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.panel_data import Flags, Floats
from rallyuxr.stats.unit_means import UnitMeans

_MOST_ENUMERATED = 200_000
"""Assignments up to this many are enumerated, and the p-value is exact."""

_MOST_DRAWN = 50_000_000
"""Members drawn over all random assignments; beyond it Welch's approximation has nothing to fear."""

_TIE = 1e-12
"""Assignments whose statistic equals the observed one up to this share of it count as ties."""


@dataclass(frozen=True, slots=True)
class Randomization:
    """What re-assignment says of an effect.

    Attributes
    ----------
    estimate
        The observed difference in mean change.
    std_error
        Standard deviation of the re-assigned differences; for a placebo test, of the placebo effects.
    pvalue
        Share of assignments at least as extreme as the one observed, itself included.
    ci_lower, ci_upper
        Ends of the inverted test, infinite where too few assignments exist to exclude any effect.
    n_assignments
        Assignments compared.
    exact
        Whether these were all there are.
    """

    estimate: float
    std_error: float
    pvalue: float
    ci_lower: float
    ci_upper: float
    n_assignments: int
    exact: bool


def permutation(
    units: UnitMeans, *, confidence_level: float = 0.95, reps: int = 9999, seed: int = 0
) -> Randomization:
    """Compare the effect with those of all (or `reps` random) assignments of as many units.

    Parameters
    ----------
    units
        Collapsed units, or clusters of units where whole clusters were assigned.
    confidence_level
        Of the interval by test inversion.
    reps, seed
        Random assignments, where there are more than 200,000 in all, and their seed.

    References
    ----------
    Fisher (1935), The Design of Experiments; Imbens and Rosenbaum (2005), JRSS A 168:109-126 for
    inverting the test.

    Examples
    --------
    >>> from rallyuxr.stats.panel_data import ColumnNames, read_panel
    >>> from rallyuxr.stats.unit_means import collapse_units
    >>> data = {"u": [0, 0, 1, 1, 2, 2, 3, 3], "t": [0, 1] * 4, "arm": [1, 1, 1, 1, 0, 0, 0, 0],
    ...         "y": [1.0, 5.0, 2.0, 7.0, 1.0, 2.0, 3.0, 3.5]}
    >>> panel = read_panel(data, ColumnNames("u", "t", "arm", "t", "y"))
    >>> result = permutation(collapse_units(panel))
    >>> result.estimate, round(result.pvalue, 4), result.n_assignments
    (3.75, 0.3333, 6)
    """
    members, exact = _assignments(_smaller_arm(units.treated), reps, seed)
    effects = _differences(units, units.change, members)
    observed = _observed(units, units.change)
    overlap = _differences(units, units.treated.astype(np.float64), members)
    lower, upper = _accepted_effects(observed, effects, overlap)
    ci_lower, ci_upper = _invert(lower, upper, 1 - confidence_level)
    return Randomization(
        estimate=observed,
        std_error=float(effects.std()),
        pvalue=float(np.mean((lower <= 0) & (upper >= 0))),
        ci_lower=ci_lower,
        ci_upper=ci_upper,
        n_assignments=len(members),
        exact=exact,
    )


def placebo(units: UnitMeans, *, confidence_level: float = 0.95) -> Randomization:
    """Inference for one treated unit: rank its effect among those of pretending each control was treated.

    The p-value and interval are the permutation test's, whose assignments are one unit each; the
    standard error is the standard deviation of the placebo effects, each control against the others.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), JASA 105:493-505; Arkhangelsky et al. (2021), American
    Economic Review 111:4088-4118, algorithm 4.
    """
    few = _smaller_arm(units.treated)
    if np.count_nonzero(few) != 1 or few.size < 3:
        raise InvalidInput(
            f"a placebo test needs one unit against several; got {np.count_nonzero(units.treated)} treated and "
            f"{np.count_nonzero(~units.treated)} control units: use method='permutation'"
        )
    ranked = permutation(units, confidence_level=confidence_level)
    others = units.change[~few]
    weight = np.ones(others.size) if units.weight is None else units.weight[~few]
    rest = (weight @ others - weight * others) / (weight.sum() - weight)
    std_error = float((others - rest).std(ddof=1)) if others.size > 1 else 0.0
    return Randomization(
        ranked.estimate, std_error, ranked.pvalue, ranked.ci_lower, ranked.ci_upper, ranked.n_assignments, True
    )


def _smaller_arm(treated: Flags) -> Flags:
    return treated if 2 * np.count_nonzero(treated) <= treated.size else ~treated


def _assignments(few: Flags, reps: int, seed: int) -> tuple[NDArray[np.intp], bool]:
    """Members of the smaller arm under each assignment, (m, k); all of them, or the observed and random ones."""
    n, k = few.size, int(np.count_nonzero(few))
    if math.comb(n, k) <= _MOST_ENUMERATED:
        return np.array(list(itertools.combinations(range(n), k)), dtype=np.intp), True
    if reps * k > _MOST_DRAWN:
        raise InvalidInput(f"{reps} assignments of {k} units each are too many to draw; use method='unit_means'")
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(n, k, replace=False, shuffle=False) for _ in range(reps)]
    return np.array([np.flatnonzero(few), *drawn]), False


def _differences(units: UnitMeans, values: Floats, members: NDArray[np.intp]) -> Floats:
    """Treated minus control mean of `values` under each assignment, (m,)."""
    weight = np.ones(values.size) if units.weight is None else units.weight
    weighted = weight * values
    inside, inside_weight = weighted[members].sum(axis=1), weight[members].sum(axis=1)
    difference: Floats = inside / inside_weight - (weighted.sum() - inside) / (weight.sum() - inside_weight)
    treated_is_inside = np.array_equal(_smaller_arm(units.treated), units.treated)
    return difference if treated_is_inside else -difference


def _observed(units: UnitMeans, values: Floats) -> float:
    return float(_differences(units, values, np.flatnonzero(_smaller_arm(units.treated))[None, :])[0])


def _accepted_effects(observed: float, effects: Floats, overlap: Floats) -> tuple[Floats, Floats]:
    """For each assignment, the interval of τ at which it is at least as extreme as the observed one.

    \\|a - τb\\| ≥ \\|a_0 - τ\\| holds between the roots (a_0 - a)/(1 - b) and (a_0 + a)/(1 + b) where
    -1 < b < 1, and everywhere where the assignment is the observed one or its mirror image.
    """
    always = 1 - np.abs(overlap) < _TIE
    toward = np.where(always, 1.0, 1 - overlap)
    away = np.where(always, 1.0, 1 + overlap)
    roots = np.sort(np.stack([(observed - effects) / toward, (observed + effects) / away]), axis=0)
    slack = _TIE * max(abs(observed), float(np.abs(effects).max()))
    return np.where(always, -np.inf, roots[0] - slack), np.where(always, np.inf, roots[1] + slack)


def _invert(lower: Floats, upper: Floats, alpha: float) -> tuple[float, float]:
    """Ends of {τ : p(τ) ≥ α}: every accepted interval holds the estimate, so p falls away from it on both sides."""
    needed = max(1, math.ceil(alpha * lower.size))
    while needed > 1 and (needed - 1) / lower.size >= alpha:
        needed -= 1
    return float(np.sort(lower)[needed - 1]), float(-np.sort(-upper)[needed - 1])
