"""The collapse to unit means of rows that fill a grid: one pass, and no array as long as the units.

Each block of units is checked, summed to its units' means by one matrix product, and forgotten once
the moments of both arms have taken it up. Rows that come in pieces are collapsed piece by piece.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rallyuxr.stats.arm_moments import ArmMoments, PanelMoments
from rallyuxr.stats.id_runs import PiecewiseRuns
from rallyuxr.stats.panel_data import LARGEST, ColumnNames, Floats
from rallyuxr.stats.unit_grid import Grid, Layout, as_grid, find_layout, unit_blocks

Columns = Mapping[str, Any]


def grid_moments(columns: Columns, names: ColumnNames) -> PanelMoments | None:
    """Moments of both arms of a panel whose rows stand in order; None where the rows need a closer look.

    Parameters
    ----------
    columns
        As `read_columns` gives them, (n,) each.
    names
        Without covariates, cluster and weights, which need the rows.
    """
    if not names.is_plain:
        return None
    runs = PiecewiseRuns()
    (columns,) = _with_codes([columns], str(names.unit), runs)
    if not _are_arrays(columns, names):
        return None
    layout = find_layout(columns[str(names.unit)], columns[str(names.period)])
    return _collapse(layout, [columns], names) if layout is not None and runs.are_distinct() else None


def stream_moments(pieces: Iterable[Columns], names: ColumnNames) -> PanelMoments | None:
    """The same for rows sorted by unit that come in pieces, one of which is in memory at a time.

    Parameters
    ----------
    pieces
        Columns of any lengths; a unit's rows may begin in one piece and end in the next. Units may be Arrow texts.
    names
        As for `grid_moments`.
    """
    if not names.is_plain:
        return None
    runs = PiecewiseRuns()
    rest = _with_codes(pieces, str(names.unit), runs)
    first = next(rest, None)
    if first is None or not _are_arrays(first, names):
        return None
    layout = find_layout(first[str(names.unit)], first[str(names.period)])
    if layout is None or not layout.by_unit:
        return None
    moments = _collapse(layout, _whole_units(itertools.chain([first], rest), layout.run), names)
    return moments if moments is not None and runs.are_distinct() else None


def _collapse(layout: Layout, pieces: Iterable[Columns], names: ColumnNames) -> PanelMoments | None:
    sums = None
    for columns in pieces:
        unit, period, treated, post, outcome = _five(columns, names)
        if not _are_arrays(columns, names) or not layout.fits(unit.size):
            return None
        grid = as_grid(layout, [unit, treated], [period, post], outcome)
        sums = sums or _GridSums(grid)
        with np.errstate(over="ignore", invalid="ignore"):
            if not sums.add(grid):
                return None
    return None if sums is None else sums.moments()


def _whole_units(pieces: Iterable[Columns], run: int) -> Iterator[Columns]:
    """The same rows cut where units end: a unit cut in two is put together and passed on alone."""
    kept: Columns = {}
    n_kept = 0
    for columns in pieces:
        size = len(next(iter(columns.values())))
        start = min(run - n_kept, size) if n_kept else 0
        if n_kept:
            kept = {name: np.concatenate([kept[name], values[:start]]) for name, values in columns.items()}
            n_kept += start
            if n_kept < run:
                continue
            yield kept
        stop = size - (size - start) % run
        if stop > start:
            yield {name: values[start:stop] for name, values in columns.items()}
        kept, n_kept = {name: values[stop:].copy() for name, values in columns.items()}, size - stop
    if n_kept:
        yield kept


class _GridSums:
    """A grid's moments while its pieces come in.

    Notation: z = (change, pre) of a unit is C(y - shift) with the contrasts C (2, n_periods) of its outcomes y.
    """

    def __init__(self, grid: Grid) -> None:
        self._of_periods = [values[0].copy() for values in grid.of_periods]
        self._after = self._of_periods[1] == 1
        self._shift = float(grid.outcome[0, 0])
        n_after = int(np.count_nonzero(self._after))
        pre = ~self._after / max(self._after.size - n_after, 1)
        self._contrasts = np.stack([self._after / max(n_after, 1) - pre, pre])
        self._last_unit: Any = None
        self._arms = (_ArmSums(), _ArmSums())

    def add(self, grid: Grid) -> bool:
        """Take up units that follow those before; whether they stood in order and had flags of 0 and 1."""
        unit, treated = grid.of_units
        follows = self._last_unit is None or unit[0, 0] > self._last_unit
        if not (follows and all(map(np.array_equal, (values[0] for values in grid.of_periods), self._of_periods))):
            return False
        self._last_unit = unit[-1, 0]
        blocks = unit_blocks(*grid.outcome.shape)
        buffer = np.empty_like(grid.outcome[blocks[0]], dtype=np.float64)
        for block in blocks:
            arm = treated[block, 0].astype(np.float64)
            if not (grid.ordered(block) and _are_flags(arm)):
                return False
            outcome = np.subtract(grid.outcome[block], self._shift, out=buffer[: arm.size], dtype=np.float64)
            z = self._contrasts @ outcome.T
            for sums, member in zip(self._arms, (arm == 1, arm == 0), strict=True):
                sums.add(z.take(np.flatnonzero(member), axis=1))
        return True

    def moments(self) -> PanelMoments | None:
        """What the arms' estimators need; None where no period is after the start, or a value was out of bounds."""
        counted = _are_flags(self._of_periods[1]) and bool(self._after.any())
        if not counted or not (abs(self._shift) <= LARGEST and all(arm.is_bounded for arm in self._arms)):
            return None
        has_baseline = not self._after.all()
        level = 0.0 if has_baseline else self._shift
        treatment, control = (arm.moments(level) for arm in self._arms)
        n_units = treatment.n_units + control.n_units
        return PanelMoments(
            treatment=treatment,
            control=control,
            shift=self._shift if has_baseline else 0.0,
            n_obs=n_units * self._after.size,
            n_units=n_units,
            n_incomplete=0,
            has_baseline=has_baseline,
            balanced=True,
            n_periods=self._after.size,
            post_share=float(self._after.mean()),
        )


class _ArmSums:
    """Number of units, mean (2,) and sums of squares and products about it (2, 2) of z in one arm.

    References
    ----------
    Chan, Golub and LeVeque (1983), The American Statistician 37:242-247, for joining two parts without
    loss of digits.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = np.zeros(2)
        self.scatter = np.zeros((2, 2))

    def add(self, z: Floats) -> None:
        """Take up units' z (2, b), which is overwritten."""
        size = z.shape[1]
        if not size:
            return
        mean = z.sum(axis=1) / size
        z -= mean[:, None]
        gap, share = mean - self.mean, size / (self.count + size)
        self.scatter += z @ z.T
        self.scatter += gap[:, None] * gap * (share * self.count)
        self.mean += gap * share
        self.count += size

    @property
    def is_bounded(self) -> bool:
        """Whether no value was missing, infinite or too large to be squared."""
        bounded = (np.abs(self.mean) <= LARGEST).all() and (np.abs(self.scatter) <= LARGEST**2).all()
        return bool(bounded)

    def moments(self, level: float) -> ArmMoments:
        """The arm's moments, `level` added to the mean change."""
        divisor = self.count * (self.count - 1.0) if self.count > 1 else np.inf
        return ArmMoments(self.count, self.mean + np.array([level, 0.0]), self.scatter / divisor)


def _with_codes(pieces: Iterable[Columns], unit: str, runs: PiecewiseRuns) -> Iterator[Columns]:
    """The same pieces; units that are texts as integers where rows are sorted by unit."""
    for columns in pieces:
        codes = None if isinstance(columns[unit], np.ndarray) else runs.codes(columns[unit])
        yield columns if codes is None else {**columns, unit: codes}


def _five(columns: Columns, names: ColumnNames) -> list[Any]:
    """Unit, period, treated, post and outcome."""
    return [columns[str(name)] for name in names[:5]]


def _are_arrays(columns: Columns, names: ColumnNames) -> bool:
    """Whether ids can be compared and values computed with as they are."""
    kinds = [*["biufmM"] * 2, *["biuf"] * 3]
    return all(
        isinstance(column, np.ndarray) and column.dtype.kind in allowed
        for column, allowed in zip(_five(columns, names), kinds, strict=True)
    )


def _are_flags(values: NDArray[Any]) -> bool:
    return bool(((values == 0) | (values == 1)).all())
