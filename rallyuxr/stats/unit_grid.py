"""Rows that fill a grid of units by periods in order, told by comparing neighbours: nothing is sorted or coded.

Many large panels are sorted by unit, or by period, with every unit seen in every period. Their columns
then are tables as they stand, and blocks of them that fit the cache can be checked and summed in one pass.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_CELLS_PER_BLOCK = 125_000
"""Blocks stay in cache, and their matrix products below the size at which BLAS starts threads: these gain
nothing here and cost much on a busy machine."""


class Layout(NamedTuple):
    """How rows may be sorted: by unit or by period, in runs of `run` rows that share the unit or the period."""

    by_unit: bool
    run: int

    def fits(self, n_rows: int) -> bool:
        """Whether so many rows are whole runs."""
        return n_rows % self.run == 0

    def table(self, values: NDArray[Any]) -> NDArray[Any]:
        """A column (n,) as a view of shape (n_units, n_periods)."""
        runs = values.reshape(-1, self.run)
        return runs if self.by_unit else runs.T


class Grid(NamedTuple):
    """Views of shape (n_units, n_periods) on columns whose rows may fill a grid; `ordered` tells block by block.

    `of_units` have one value per unit and `of_periods` one per period where the rows are in order; the first of
    each is the id.
    """

    of_units: tuple[NDArray[Any], ...]
    of_periods: tuple[NDArray[Any], ...]
    outcome: NDArray[Any]

    def ordered(self, block: slice) -> bool:
        """Whether the rows of these units stand where the grid wants them."""
        ids = self.of_units[0][max(block.start - 1, 0) : block.stop, 0]
        return (
            bool((ids[1:] > ids[:-1]).all())
            and all(_constant_within_units(values[block]) for values in self.of_units)
            and all(_same_in_every_unit(values[block], values[0]) for values in self.of_periods)
        )


def find_layout(unit: NDArray[Any], period: NDArray[Any]) -> Layout | None:
    """How the rows (n,) may be sorted, by the first of them; None where there is no grid of two by two to see."""
    if unit.size < 4:
        return None
    by_unit = bool(unit[0] == unit[1])
    run = _run_length(unit if by_unit else period)
    periods = period[:run] if by_unit else period[::run]
    if not 2 <= run <= unit.size // 2 or np.unique(periods).size < periods.size:
        return None
    return Layout(by_unit, run)


def as_grid(
    layout: Layout, of_units: Sequence[NDArray[Any]], of_periods: Sequence[NDArray[Any]], outcome: NDArray[Any]
) -> Grid:
    """Columns (n,) as a grid without moving them."""
    return Grid(tuple(map(layout.table, of_units)), tuple(map(layout.table, of_periods)), layout.table(outcome))


def unit_blocks(n_units: int, cells_per_unit: int) -> list[slice]:
    """Slices that cover all units, each short enough for one product of its cells."""
    step = max(16, _CELLS_PER_BLOCK // cells_per_unit)
    return [slice(start, start + step) for start in range(0, n_units, step)]


def _run_length(values: NDArray[Any]) -> int:
    """How many rows from the first on share its value."""
    for size in (256, values.size):
        changed = np.flatnonzero(values[:size] != values[0])
        if changed.size:
            return int(changed[0])
    return values.size


def _constant_within_units(values: NDArray[Any]) -> bool:
    """Whether each row of (n_units, n_periods) repeats one value.

    Rows that lie one after the other are compared as one line with itself, shifted by one: short rows
    taken singly cost several times as much.
    """
    if not values.flags.c_contiguous:
        return bool((values == values[:, :1]).all())
    line = values.reshape(-1)
    changes = line[1:] != line[:-1]
    n_periods = values.shape[1]
    changes[n_periods - 1 :: n_periods] = False
    return not changes.any()


def _same_in_every_unit(values: NDArray[Any], first: NDArray[Any]) -> bool:
    """Whether all rows of (n_units, n_periods) equal `first`; shifted by a unit where they lie in one line."""
    if not values.flags.c_contiguous:
        return bool((values == first).all())
    line = values.reshape(-1)
    return bool((values[0] == first).all() and (line[first.size :] == line[: -first.size]).all())
