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


def as_grid(
    of_units: Sequence[NDArray[Any]], of_periods: Sequence[NDArray[Any]], outcome: NDArray[Any]
) -> Grid | None:
    """Columns (n,) as a grid, sorted by unit or by period; None where the first rows or their number do not fit."""
    unit, period = of_units[0], of_periods[0]
    if outcome.size < 4:
        return None
    by_unit = bool(unit[0] == unit[1])
    run = _run_length(unit if by_unit else period)
    if not 1 < run < outcome.size or outcome.size % run:
        return None

    def view(values: NDArray[Any]) -> NDArray[Any]:
        return values.reshape(-1, run) if by_unit else values.reshape(-1, run).T

    grid = Grid(tuple(map(view, of_units)), tuple(map(view, of_periods)), view(outcome))
    first = grid.of_periods[0][0]
    return grid if np.unique(first).size == first.size else None


def unit_blocks(n_units: int, cells_per_unit: int) -> list[slice]:
    """Slices that cover all units, each short enough for one product of its cells."""
    step = max(16, _CELLS_PER_BLOCK // cells_per_unit)
    return [slice(start, start + step) for start in range(0, n_units, step)]


def _run_length(values: NDArray[Any]) -> int:
    """How many rows from the first on share its value."""
    size = 64
    while size < 2 * values.size:
        changed = np.flatnonzero(values[:size] != values[0])
        if changed.size:
            return int(changed[0])
        size *= 4
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
