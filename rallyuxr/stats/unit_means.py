"""Each unit's mean before and after: the collapse that makes a panel's rows independent.

Bertrand, Duflo and Mullainathan (2004) show that a panel's rows are serially correlated and that
collapsing each unit to one number before and one after restores valid inference.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.panel_data import Codes, Flags, Floats, Levels, Panel

_CELLS_PER_BLOCK = 100_000
"""Blocks stay in cache, and their matrix products below the size at which BLAS starts threads: these gain
nothing here and cost much on a busy machine."""

_ROWS_PER_BLOCK = 1 << 16
_SCATTERED_ROWS_PER_BLOCK = 1 << 19


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
    plain = panel.weights is None and panel.cluster is None and not panel.covariates.size
    grid = _collapse_grid(panel) if plain else None
    return grid or _collapse_rows(panel)


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


class _Grid(NamedTuple):
    """Views of shape (n_units, n_periods) on rows that may fill a grid in order; `ordered` tells block by block."""

    unit: NDArray[Any]
    period: NDArray[Any]
    treated: Flags
    post: Flags
    outcome: Floats

    def ordered(self, block: slice) -> bool:
        """Whether these units' rows stand where the grid wants them, each unit in one arm."""
        ids = np.arange(block.start, min(block.stop, len(self.unit)), dtype=self.unit.dtype)[:, None]
        return bool(
            (self.unit[block] == ids).all()
            and (self.period[block] == self.period[:1]).all()
            and (self.treated[block] == self.treated[block, :1]).all()
        )


def _grid(panel: Panel) -> _Grid | None:
    """The rows as a grid, sorted by unit or by period; None where their number does not fit."""
    n_units, n_periods = panel.unit.count, panel.period.count
    if panel.n_obs != n_units * n_periods or n_periods < 2:
        return None
    columns = (panel.unit.codes, panel.period.codes, panel.treated, panel.post, panel.outcome)
    by_unit = panel.unit.codes[0] == panel.unit.codes[1]
    views: list[NDArray[Any]] = [
        values.reshape(n_units, n_periods) if by_unit else values.reshape(n_periods, n_units).T
        for values in columns
    ]
    grid = _Grid(*views)
    return grid if np.unique(grid.period[0]).size == n_periods else None


def unit_blocks(n_units: int, cells_per_unit: int) -> list[slice]:
    """Slices that cover all units, each short enough for one product of its cells."""
    step = max(16, _CELLS_PER_BLOCK // cells_per_unit)
    return [slice(start, start + step) for start in range(0, n_units, step)]


def _collapse_grid(panel: Panel) -> UnitMeans | None:
    """Means by matrix product for rows that fill a grid in order; None for any other layout."""
    grid = _grid(panel)
    if grid is None or not grid.post[0].any():
        return None
    first_post = grid.post[0]
    window = np.stack([~first_post, first_post], axis=1).astype(np.float64)
    window /= np.maximum(window.sum(axis=0), 1.0)
    shift = float(panel.outcome[0])
    means = np.empty((panel.unit.count, 2))
    for block in unit_blocks(panel.unit.count, panel.period.count):
        if not (grid.ordered(block) and (grid.post[block] == first_post).all()):
            return None
        np.matmul(grid.outcome[block] - shift, window, out=means[block])
    has_baseline = not first_post.all()
    pre, post = means.T
    return UnitMeans(
        treated=grid.treated[:, 0].copy(),
        change=post - pre if has_baseline else post + shift,
        pre=pre,
        covariates=np.empty((0, panel.unit.count)),
        weight=None,
        cluster=None,
        shift=shift if has_baseline else 0.0,
        n_obs=panel.n_obs,
        n_units=panel.unit.count,
        n_incomplete=0,
        has_baseline=has_baseline,
        balanced=True,
        n_periods=panel.period.count,
        post_share=float(first_post.mean()),
    )


class Pivot(NamedTuple):
    """Outcomes by unit and period, with the codes of both.

    `outcome` is (n_units, n_periods), NaN where a unit was not seen; `treated` (n_units,);
    `complete` says that every unit was seen in every period.
    """

    outcome: Floats
    treated: Flags
    units: NDArray[np.intp]
    periods: NDArray[np.intp]
    complete: bool


def pivot(panel: Panel) -> Pivot:
    """Rows as a table of units by periods, without a copy where they stand in that order.

    Raises
    ------
    InvalidInput
        Where a unit and period occur twice or a unit's arm changes over time.
    """
    grid = _grid(panel)
    in_time = grid is not None and bool((np.diff(grid.period[0].astype(np.intp)) > 0).all())
    if (
        grid is not None
        and in_time
        and all(grid.ordered(block) for block in unit_blocks(panel.unit.count, panel.period.count))
    ):
        units, periods = np.arange(panel.unit.count), np.arange(panel.period.count)
        return Pivot(grid.outcome, grid.treated[:, 0], units, periods, True)
    refuse_duplicates(panel)
    arms = unit_arms(panel)
    table = np.full((panel.unit.count, panel.period.count), np.nan)
    for rows in row_blocks(panel.unit.codes):
        table[panel.unit.codes[rows], panel.period.codes[rows]] = panel.outcome[rows]
    units = np.flatnonzero(np.bincount(panel.unit.codes, minlength=panel.unit.count))
    periods = np.flatnonzero(np.bincount(panel.period.codes, minlength=panel.period.count))
    complete = panel.n_obs == units.size * periods.size
    if units.size < panel.unit.count or periods.size < panel.period.count:
        table = table[np.ix_(units, periods)]
    return Pivot(table, arms[units], units, periods, complete)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Sums by unit and window, (2·G,) each: cell 2·unit + post."""

    count: NDArray[np.int64]
    weight: Floats | None
    outcome: Floats
    covariates: Floats
    periods: NDArray[np.int64]


def _collapse_rows(panel: Panel) -> UnitMeans:
    """Sums by unit and window for rows in any order."""
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


def row_blocks(unit: Codes) -> list[slice]:
    """Slices that cover all rows: short where neighbouring rows belong to neighbouring units."""
    head = unit[:_ROWS_PER_BLOCK]
    sorted_nearly = int(head.max()) - int(head.min()) < _ROWS_PER_BLOCK
    step = _ROWS_PER_BLOCK if sorted_nearly else _SCATTERED_ROWS_PER_BLOCK
    return [slice(start, start + step) for start in range(0, unit.size, step)]


def refuse_duplicates(panel: Panel) -> None:
    """Raise where one unit has two rows in one period, instead of silently merging them."""
    n_cells = panel.unit.count * panel.period.count
    if n_cells > 8 * panel.n_obs + (1 << 20):
        cells = np.sort(panel.unit.codes.astype(np.int64) * panel.period.count + panel.period.codes)
        n_distinct = 1 + int(np.count_nonzero(cells[1:] != cells[:-1]))
    else:
        seen = np.zeros(n_cells, dtype=np.bool_)
        for rows in row_blocks(panel.unit.codes):
            seen[panel.unit.codes[rows].astype(np.intp) * panel.period.count + panel.period.codes[rows]] = True
        n_distinct = int(np.count_nonzero(seen))
    if n_distinct < panel.n_obs:
        raise InvalidInput(
            f"{panel.n_obs - n_distinct} rows repeat a unit and period that another row already has, "
            f"for instance {_first_duplicate(panel)}; aggregate them to one row, or fix the ids if two units "
            "share one"
        )


def _first_duplicate(panel: Panel) -> str:
    cells = panel.unit.codes.astype(np.int64) * panel.period.count + panel.period.codes
    values, counts = np.unique(cells, return_counts=True)
    unit, period = divmod(int(values[np.argmax(counts > 1)]), panel.period.count)
    return f"unit {panel.unit.label(unit)} in period {panel.period.label(period)}"


def unit_arms(panel: Panel) -> Flags:
    """Each unit's arm, (n_units,); raises where it changes over time."""
    arms = np.zeros(panel.unit.count, dtype=np.bool_)
    blocks = row_blocks(panel.unit.codes)
    for rows in blocks:
        arms[panel.unit.codes[rows]] = panel.treated[rows]
    for rows in blocks:
        mixed = panel.unit.codes[rows][arms[panel.unit.codes[rows]] != panel.treated[rows]]
        if mixed.size:
            raise InvalidInput(
                f"treated changes over time, for instance for unit {panel.unit.label(mixed[0])}; treated names the "
                "arm and is constant within a unit. If units start at different times, use did_staggered"
            )
    return arms


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


def constant_within_units(unit: Levels, cluster: Levels) -> NDArray[np.int64]:
    """Each unit's cluster, (n_units,); raises where a unit belongs to two."""
    first = np.zeros(unit.count, dtype=np.int64)
    first[unit.codes] = cluster.codes
    moved = np.flatnonzero(first[unit.codes] != cluster.codes)
    if moved.size:
        label = unit.label(int(unit.codes[moved[0]]))
        raise InvalidInput(f"unit {label} belongs to two clusters; a unit needs to stay within one cluster")
    return first
