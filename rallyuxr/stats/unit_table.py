"""A panel's rows as a table of units by periods: duplicates, arms and clusters."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.panel_data import Codes, Flags, Floats, Levels, Panel
from rallyuxr.stats.unit_grid import as_grid, find_layout, unit_blocks

_ROWS_PER_BLOCK = 1 << 16
_SCATTERED_ROWS_PER_BLOCK = 1 << 19


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
    layout = find_layout(panel.unit.codes, panel.period.codes)
    if layout is not None and layout.fits(panel.n_obs):
        grid = as_grid(layout, [panel.unit.codes, panel.treated], [panel.period.codes], panel.outcome)
        unit, treated = (values[:, 0] for values in grid.of_units)
        periods = grid.of_periods[0][0].astype(np.intp)
        in_time = bool((np.diff(periods) > 0).all())
        if in_time and all(grid.ordered(block) for block in unit_blocks(*grid.outcome.shape)):
            return Pivot(grid.outcome, treated, unit.astype(np.intp), periods, True)
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


def constant_within_units(unit: Levels, cluster: Levels) -> NDArray[np.int64]:
    """Each unit's cluster, (n_units,); raises where a unit belongs to two."""
    first = np.zeros(unit.count, dtype=np.int64)
    first[unit.codes] = cluster.codes
    moved = np.flatnonzero(first[unit.codes] != cluster.codes)
    if moved.size:
        label = unit.label(int(unit.codes[moved[0]]))
        raise InvalidInput(f"unit {label} belongs to two clusters; a unit needs to stay within one cluster")
    return first
