"""Event study on units: the effect in every period against one printed reference period.

Notation: y_it = α_i + λ_t + β_t·treated_i + e_it with β = 0 in the reference period. Unit effects and
period effects by arm make the arms separate: in arm a, with m_i marking the n_i periods in which unit i was
seen, the period effects δ_a solve G_a δ_a = g_a, where G_a = diag(Σ m_i) - Σ m_i m_i' / n_i and g_a sums the
outcomes less their unit means. Then β = δ_T - δ_C, and the rows of residuals are the units' scores.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.effect_path import EffectPath, effect_path
from rallyuxr.stats.panel_data import ColumnNames, Flags, Floats, Panel, read_panel
from rallyuxr.stats.panel_estimates import small_sample_factor
from rallyuxr.stats.unit_grid import unit_blocks
from rallyuxr.stats.unit_table import Pivot, constant_within_units, pivot


@dataclass(frozen=True, slots=True)
class PanelEventStudy:
    """Effects by period against `reference`, clustered by unit or by a coarser cluster.

    Attributes
    ----------
    path
        One effect per period, in the order of time, with intervals and a simultaneous band.
    reference
        The period all others are compared with.
    small_sample
        Convention of the variance, see `panel_estimates.small_sample_factor`.
    n_obs, n_units, n_clusters
        What the computation rested on.
    """

    path: EffectPath
    reference: Any
    small_sample: str
    n_obs: int
    n_units: int
    n_clusters: int


def panel_event_study(
    data: Any,
    *,
    unit: str,
    period: str,
    treated: str,
    outcome: str,
    reference: Any,
    cluster: str | None = None,
    small_sample: str = "cr1_nested",
    confidence_level: float = 0.95,
    reps: int = 9999,
    seed: int = 0,
) -> PanelEventStudy:
    """How did the gap between the arms move, period by period?

    Parameters
    ----------
    data, unit, period, treated, outcome, cluster
        As for `did_panel`; units may miss periods.
    reference
        The period to compare with, usually the last before the start.
    small_sample, confidence_level
        Of the variance and the intervals.
    reps, seed
        Draws behind the simultaneous band, and their seed.

    Raises
    ------
    InvalidInput
        Where the reference is no period of the data, or some period was seen in one arm alone.

    Examples
    --------
    >>> data = {
    ...     "shop": [shop for shop in range(6) for _ in range(3)],
    ...     "week": [1, 2, 3] * 6,
    ...     "arm": [int(shop < 3) for shop in range(6) for _ in range(3)],
    ...     "sales": [4, 5, 8, 3, 3, 7, 5, 4, 8, 4, 5, 5, 2, 2, 3, 6, 5, 6],
    ... }
    >>> study = panel_event_study(
    ...     data, unit="shop", period="week", treated="arm", outcome="sales", reference=2
    ... )
    >>> [(effect.at, round(effect.estimate, 4)) for effect in study.path.effects]
    [(1, 0.0), (2, 0.0), (3, 3.0)]
    """
    names = ColumnNames(unit, period, treated, treated, outcome, cluster=cluster)
    panel = read_panel(data, names)
    table = pivot(panel)
    at = [panel.period.label(code) for code in table.periods.tolist()]
    if reference not in at:
        raise InvalidInput(f"reference is {reference!r}; choose one of the periods {at}")
    free = np.array([column for column, label in enumerate(at) if label != reference], dtype=np.intp)
    arms = [_fit_arm(table, member, free) for member in (table.treated, ~table.treated)]
    cluster_codes, n_clusters = _clusters(panel, table)
    if n_clusters < 3:
        raise InvalidInput(f"{n_clusters} independent units cannot bear an event study; add units")
    scatter = _scatter(table, arms, cluster_codes, n_clusters, free)
    factor = small_sample_factor(
        small_sample,
        n_obs=panel.n_obs,
        n_clusters=n_clusters,
        n_slopes=free.size,
        n_nested=table.treated.size,
        n_crossed=len(at),
    )
    estimates = np.zeros(len(at))
    covariance = np.zeros((len(at), len(at)))
    estimates[free] = arms[0].effects[free] - arms[1].effects[free]
    covariance[np.ix_(free, free)] = scatter * factor
    return PanelEventStudy(
        path=effect_path(
            at,
            estimates,
            covariance,
            dof=float(n_clusters - 1),
            confidence_level=confidence_level,
            reps=reps,
            seed=seed,
        ),
        reference=reference,
        small_sample=small_sample,
        n_obs=panel.n_obs,
        n_units=table.treated.size,
        n_clusters=n_clusters,
    )


class _Arm(NamedTuple):
    """Period effects (n_periods,), zero at the reference; the inverse of G_a, (n_free, n_free)."""

    effects: Floats
    inverse: Floats


class _Sums(NamedTuple):
    """Normal equations of one arm over all periods: G_a and g_a."""

    gram: Floats
    moments: Floats


def _fit_arm(table: Pivot, member: Flags, free: NDArray[np.intp]) -> _Arm:
    sums = _normal_equations(table, member)
    gram = sums.gram[np.ix_(free, free)]
    values, vectors = np.linalg.eigh(gram)
    if not free.size or not values[0] > 1e-10 * values[-1]:
        raise InvalidInput(
            "one arm was not seen in every period, or never in the reference period by units seen in others; "
            "leave out such periods or choose another reference"
        )
    inverse = (vectors / values) @ vectors.T
    effects = np.zeros(table.periods.size)
    effects[free] = inverse @ sums.moments[free]
    return _Arm(effects, inverse)


def _normal_equations(table: Pivot, member: Flags) -> _Sums:
    n_periods = table.periods.size
    gram, moments = np.zeros((n_periods, n_periods)), np.zeros(n_periods)
    for block, within, seen in _within_blocks(table):
        chosen = member[block].astype(np.float64)
        moments += chosen @ within
        if seen is not None:
            weighted = seen * chosen[:, None]
            gram += np.diag(weighted.sum(axis=0)) - (weighted / seen.sum(axis=1, keepdims=True)).T @ seen
    if table.complete:
        gram = np.count_nonzero(member) * (np.eye(n_periods) - 1.0 / n_periods)
    return _Sums(gram, moments)


def _scatter(
    table: Pivot, arms: list[_Arm], cluster: NDArray[np.intp] | None, n_clusters: int, free: NDArray[np.intp]
) -> Floats:
    """Σ ψψ' over clusters, ψ = ± G_a⁻¹ times the residuals of the free periods, (n_free, n_free)."""
    scatter = np.zeros((free.size, free.size))
    by_cluster = np.zeros((0 if cluster is None else n_clusters, free.size))
    for side, arm in zip((1.0, -1.0), arms, strict=True):
        own = np.zeros_like(scatter)
        for block, within, seen in _within_blocks(table):
            member = table.treated[block] == (side > 0)
            residual = _residuals(within[member], None if seen is None else seen[member], arm.effects)[:, free]
            if cluster is None:
                own += residual.T @ residual
            else:
                np.add.at(by_cluster, cluster[block][member], side * residual @ arm.inverse)
        scatter += arm.inverse @ own @ arm.inverse
    scatter += by_cluster.T @ by_cluster
    return scatter


def _residuals(within: Floats, seen: Floats | None, effects: Floats) -> Floats:
    if seen is None:
        seen = np.ones((1, effects.size))
    unit_means = seen @ effects / seen.sum(axis=1)
    residual: Floats = within - seen * (effects - unit_means[:, None])
    return residual


def _within_blocks(table: Pivot) -> Iterator[tuple[slice, Floats, Floats | None]]:
    """Blocks of outcomes less their unit means, zero where unseen, with the pattern of what was seen."""
    n_units, n_periods = table.outcome.shape
    for block in unit_blocks(n_units, n_periods**2 // 2):
        outcome = table.outcome[block]
        if table.complete:
            yield block, outcome - outcome.mean(axis=1, keepdims=True), None
        else:
            seen = (~np.isnan(outcome)).astype(np.float64)
            filled = np.nan_to_num(outcome)
            means = filled.sum(axis=1, keepdims=True) / seen.sum(axis=1, keepdims=True)
            yield block, (filled - means) * seen, seen


def _clusters(panel: Panel, table: Pivot) -> tuple[NDArray[np.intp] | None, int]:
    """Each unit's cluster, or None where units are their own, and the number of clusters."""
    if panel.cluster is None:
        return None, table.treated.size
    present, codes = np.unique(constant_within_units(panel.unit, panel.cluster)[table.units], return_inverse=True)
    return codes, present.size
