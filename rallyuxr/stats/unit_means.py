"""Each unit's mean before and after: the collapse that makes a panel's rows independent.

Bertrand, Duflo and Mullainathan (2004) show that a panel's rows are serially correlated and that
collapsing each unit to one number before and one after restores valid inference.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.panel_data import Flags, Floats, Panel
from rallyuxr.stats.unit_table import constant_within_units, refuse_duplicates, row_blocks, unit_arms


@dataclass(frozen=True, slots=True)
class UnitMeans:
    """One row per unit that was seen in both windows.

    Attributes
    ----------
    treated
        (G,) the unit's arm.
    change
        (G,) mean of the outcome after minus mean before; the mean after where there is no baseline.
    pre
        (G,) mean before, less `shift`; zeros where there is no baseline.
    covariates
        (k, G) means before the start, or over all rows without a baseline.
    weight
        (G,) mean weight of the unit's rows, or None for equal weights.
    cluster
        (G,) codes, or None where each unit is its own cluster.
    shift
        Constant taken off the outcome before summing, so that a large level costs no digits.
    n_obs, n_units, n_incomplete
        Rows read; units collapsed; units left out because one window had no row.
    has_baseline, balanced
        Whether there are rows before the start; whether every unit has every period.
    n_periods, post_share
        Periods seen and the share of them after the start.
    """

    treated: Flags
    change: Floats
    pre: Floats
    covariates: Floats
    weight: Floats | None
    cluster: NDArray[np.int64] | None
    shift: float
    n_obs: int
    n_units: int
    n_incomplete: int
    has_baseline: bool
    balanced: bool
    n_periods: int
    post_share: float


def collapse_units(panel: Panel) -> UnitMeans:
    """Collapse each unit to its mean before and after the start.

    Raises
    ------
    InvalidInput
        Where a unit and period occur twice, a unit's arm or cluster changes over time, `post`
        differs between units within a period, or no row is after the start.
    """
    shift = float(panel.outcome[0])
    refuse_duplicates(panel)
    arms = unit_arms(panel)
    cells = _sum_cells(panel, shift)
    count = cells.count.reshape(-1, 2)
    rows = count.sum(axis=1)
    _refuse_mixed_periods(panel, cells.periods)
    has_baseline = bool(count[:, 0].any())
    if not count[:, 1].any():
        raise InvalidInput("no row has post = 1; mark the rows after the start of the treatment with 1")
    keep = np.flatnonzero(count.all(axis=1) if has_baseline else count[:, 1])
    weight = cells.count.astype(np.float64) if cells.weight is None else cells.weight

    def window_means(sums: Floats) -> tuple[Floats, Floats]:
        windows, totals = sums.reshape(-1, 2)[keep], weight.reshape(-1, 2)[keep]
        pre = windows[:, 0] / totals[:, 0] if has_baseline else np.zeros(keep.size)
        return pre, windows[:, 1] / totals[:, 1]

    pre, post = window_means(cells.outcome)
    before = 0 if has_baseline else 1
    seen_periods = cells.periods.reshape(-1, 2).any(axis=1)
    n_periods = int(seen_periods.sum())
    return UnitMeans(
        treated=arms[keep],
        change=post - pre if has_baseline else post + shift,
        pre=pre,
        covariates=np.array([window_means(row)[before] for row in cells.covariates]).reshape(-1, keep.size),
        weight=None if cells.weight is None else weight.reshape(-1, 2)[keep].sum(axis=1) / rows[keep],
        cluster=_unit_clusters(panel, keep),
        shift=shift if has_baseline else 0.0,
        n_obs=panel.n_obs,
        n_units=keep.size,
        n_incomplete=int(np.count_nonzero(rows)) - keep.size,
        has_baseline=has_baseline,
        balanced=bool((rows[rows > 0] == n_periods).all()),
        n_periods=n_periods,
        post_share=float(cells.periods.reshape(-1, 2)[:, 1].astype(bool).sum()) / n_periods,
    )


def merge_clusters(units: UnitMeans) -> UnitMeans | None:
    """Collapse units further to their clusters, weighted by units; None where a cluster holds both arms."""
    if units.cluster is None:
        return units
    weight = np.ones(units.change.size) if units.weight is None else units.weight
    _, cluster = np.unique(units.cluster, return_inverse=True)
    total = np.bincount(cluster, weight).astype(np.float64, copy=False)
    treated_share = np.bincount(cluster, weight * units.treated) / total
    treated = treated_share > 0.5
    if not np.array_equal(treated[cluster], units.treated):
        return None

    def mean(values: Floats) -> Floats:
        return np.bincount(cluster, weight * values) / total

    covariates = np.array([mean(row) for row in units.covariates]).reshape(-1, total.size)
    return replace(
        units,
        treated=treated,
        change=mean(units.change),
        pre=mean(units.pre),
        covariates=covariates,
        weight=total,
        cluster=None,
    )


@dataclass(frozen=True, slots=True)
class _Cells:
    """Sums by unit and window, (2·G,) each: cell 2·unit + post."""

    count: NDArray[np.int64]
    weight: Floats | None
    outcome: Floats
    covariates: Floats
    periods: NDArray[np.int64]


def _sum_cells(panel: Panel, shift: float) -> _Cells:
    n_cells = 2 * panel.unit.count
    count = np.zeros(n_cells, dtype=np.int64)
    outcome = np.zeros(n_cells)
    weight = None if panel.weights is None else np.zeros(n_cells)
    covariates = np.zeros((len(panel.covariates), n_cells))
    periods = np.zeros(2 * panel.period.count, dtype=np.int64)
    for rows in row_blocks(panel.unit.codes):
        unit, post = panel.unit.codes[rows], panel.post[rows]
        low, high = int(unit.min()), int(unit.max())
        cell = (unit - unit.dtype.type(low)).astype(np.intp)
        cell *= 2
        cell += post
        size = 2 * (high - low + 1)
        here = slice(2 * low, 2 * low + size)
        count[here] += np.bincount(cell, minlength=size)
        row_weight = 1.0 if panel.weights is None else panel.weights[rows]
        outcome[here] += np.bincount(cell, row_weight * (panel.outcome[rows] - shift), size)
        if weight is not None:
            weight[here] += np.bincount(cell, row_weight, size)
        for sums, values in zip(covariates, panel.covariates, strict=True):
            sums[here] += np.bincount(cell, row_weight * values[rows], size)
        periods += np.bincount(panel.period.codes[rows].astype(np.intp) * 2 + post, minlength=periods.size)
    return _Cells(count, weight, outcome, covariates, periods)


def _refuse_mixed_periods(panel: Panel, periods: NDArray[np.int64]) -> None:
    mixed = np.flatnonzero(periods.reshape(-1, 2).all(axis=1))
    if mixed.size:
        raise InvalidInput(
            f"post differs between units within {mixed.size} periods, for instance period "
            f"{panel.period.label(mixed[0])}; post must be the same for all units of a period. "
            "If units start at different times, use did_staggered"
        )


def _unit_clusters(panel: Panel, keep: NDArray[np.intp]) -> NDArray[np.int64] | None:
    if panel.cluster is None:
        return None
    return constant_within_units(panel.unit, panel.cluster)[keep]
