"""The collapse to unit means of rows that fill a grid: one pass, and no array as long as the units.

Each block of units is checked, summed to its units' means by one matrix product, and forgotten once
the moments of both arms have taken it up.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rallyuxr.stats.arm_moments import ArmMoments, PanelMoments
from rallyuxr.stats.panel_data import ColumnNames, Flags, Floats
from rallyuxr.stats.unit_grid import Grid, as_grid, unit_blocks


def grid_moments(columns: Mapping[str, Any], names: ColumnNames) -> PanelMoments | None:
    """Moments of both arms of a panel whose rows stand in order; None where the rows need a closer look.

    Parameters
    ----------
    columns
        As `read_columns` gives them, (n,) each.
    names
        Without covariates, cluster and weights, which need the rows.
    """
    if names.covariates or names.cluster is not None or names.weights is not None:
        return None
    ids, values = [names.unit, names.period], [names.treated, names.post, names.outcome]
    if not (_are_arrays(columns, ids, "biufmM") and _are_arrays(columns, values, "biuf")):
        return None
    unit, period, treated, post, outcome = (columns[str(name)] for name in (*ids, *values))
    grid = as_grid([unit, treated], [period, post], outcome)
    if grid is None:
        return None
    first_post = grid.of_periods[1][0]
    after = first_post == 1
    if not (_are_flags(first_post) and after.any()):
        return None
    shift = float(grid.outcome[0, 0])
    with np.errstate(over="ignore", invalid="ignore"):
        sums = _sum_arms(grid, after, shift)
    if sums is None or not np.isfinite(sums.scatter).all():
        return None
    has_baseline = not after.all()
    level = 0.0 if has_baseline else shift
    return PanelMoments(
        treatment=sums.arm(0, level),
        control=sums.arm(1, level),
        shift=shift if has_baseline else 0.0,
        n_obs=grid.outcome.size,
        n_units=len(grid.outcome),
        n_incomplete=0,
        has_baseline=has_baseline,
        balanced=True,
        n_periods=after.size,
        post_share=float(after.mean()),
    )


class _ArmSums:
    """Counts (2,), means (2, 2) and sums of squares and products about them (2, 2, 2) of z = (change, pre).

    The first axis is the arm, treated first.

    References
    ----------
    Chan, Golub and LeVeque (1983), The American Statistician 37:242-247, for joining two parts without
    loss of digits.
    """

    def __init__(self) -> None:
        self.count = np.zeros(2)
        self.mean = np.zeros((2, 2))
        self.scatter = np.zeros((2, 2, 2))

    def add(self, treated: Flags, values: Floats) -> None:
        """Take up a block of units: their arms (b,) and z (2, b)."""
        for row, member in enumerate((treated, ~treated)):
            units = np.flatnonzero(member)
            if not units.size:
                continue
            deviation = values.take(units, axis=1)
            mean = deviation.sum(axis=1) / units.size
            deviation -= mean[:, None]
            gap, share = mean - self.mean[row], units.size / (self.count[row] + units.size)
            self.scatter[row] += deviation @ deviation.T
            self.scatter[row] += gap[:, None] * gap * (share * self.count[row])
            self.mean[row] += gap * share
            self.count[row] += units.size

    def arm(self, row: int, level: float) -> ArmMoments:
        """The moments of one arm, `level` added to the mean change."""
        n_units = int(self.count[row])
        divisor = n_units * (n_units - 1.0) if n_units > 1 else np.inf
        return ArmMoments(n_units, self.mean[row] + [level, 0.0], self.scatter[row] / divisor)


def _sum_arms(grid: Grid, after: NDArray[np.bool_], shift: float) -> _ArmSums | None:
    """Both arms' sums, of the outcome less `shift`; None once the rows leave the grid."""
    n_after = int(np.count_nonzero(after))
    pre = ~after / max(after.size - n_after, 1)
    contrasts = np.stack([after / n_after - pre, pre])
    sums = _ArmSums()
    blocks = unit_blocks(*grid.outcome.shape)
    buffer = np.empty_like(grid.outcome[blocks[0]], dtype=np.float64)
    for block in blocks:
        treated = grid.of_units[1][block, 0].astype(np.float64)
        if not (grid.ordered(block) and _are_flags(treated)):
            return None
        outcome = np.subtract(grid.outcome[block], shift, out=buffer[: treated.size], dtype=np.float64)
        sums.add(treated == 1, contrasts @ outcome.T)
    return sums


def _are_arrays(columns: Mapping[str, Any], names: Sequence[str | None], kinds: str) -> bool:
    return all(
        isinstance(columns[str(name)], np.ndarray) and columns[str(name)].dtype.kind in kinds for name in names
    )


def _are_flags(values: NDArray[Any]) -> bool:
    return bool(((values == 0) | (values == 1)).all())
