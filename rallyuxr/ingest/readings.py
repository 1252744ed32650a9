"""The long and the wide form to readings: one value of one arm in one hour or day, checked cell by cell."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rallyuxr.ingest.cell_checks import CellChecks
from rallyuxr.ingest.cells import Codes, Flags, Labels, Numbers, read_labels, read_numbers
from rallyuxr.ingest.columns import Layout
from rallyuxr.ingest.names import INVALID, read_arms, read_metrics
from rallyuxr.ingest.options import ReadOptions
from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.ingest.table import RowNumbers, Table
from rallyuxr.ingest.times import Times, read_times
from rallyuxr.models.columns import Floats, Hours


@dataclass(frozen=True, slots=True)
class Readings:
    """Values of arms in time, as columns of one length.

    Attributes:
        metrics: metric ids; `metric` holds codes into them.
        time: `datetime64[s]` UTC.
        treated: whether the value is the treated arm's.
        value, participants, denominator: the mean, who it is a mean over, and what it is per (NaN: no ratio).
        row: the number of the row it came from.
    """

    metrics: tuple[str, ...]
    metric: Codes
    time: Hours
    treated: Flags
    value: Floats
    participants: Floats
    denominator: Floats | None
    row: RowNumbers

    @property
    def weight(self) -> Floats:
        """What a value counts by: its denominator where it has one, else its participants."""
        if self.denominator is None:
            return self.participants
        return np.where(np.isnan(self.denominator), self.participants, self.denominator)

    def take(self, index: NDArray[Any]) -> "Readings":
        """The readings at an index or a mask."""
        taken = (None if column is None else column[index] for column in self._columns())
        return Readings(self.metrics, *taken)  # type: ignore[arg-type]

    def and_then(self, other: "Readings") -> "Readings":
        """These readings, then others of the same metrics."""
        pairs = zip(self._columns(), other._columns(), strict=True)
        joined = (
            None if mine is None or theirs is None else np.concatenate([mine, theirs]) for mine, theirs in pairs
        )
        return Readings(self.metrics, *joined)  # type: ignore[arg-type]

    def _columns(self) -> tuple[NDArray[Any] | None, ...]:
        return tuple(getattr(self, column.name) for column in fields(self)[1:])


def read_long(table: Table, layout: Layout, options: ReadOptions, log: ProblemLog) -> tuple[Readings, Times]:
    """Rows of one arm each."""
    rows = _rows(table, layout, options, log)
    return rows.arm("", read_arms(table, layout.columns["arm"], options, log)), rows.times


def read_wide(table: Table, layout: Layout, options: ReadOptions, log: ProblemLog) -> tuple[Readings, Times]:
    """Rows that hold both arms."""
    rows = _rows(table, layout, options, log)
    fields_given = {"treatment_denominator", "control_denominator"} & layout.columns.keys()
    if len(fields_given) == 1:
        log.add(
            f"There is a {fields_given.pop()}, but none of the other arm.",
            "Give the denominators of both arms, or of neither.",
        )
    treatment, control = (
        rows.arm(prefix, np.full(table.rows.size, treated, np.int32))
        for prefix, treated in (("treatment_", 1), ("control_", 0))
    )
    return treatment.and_then(control), rows.times


def _rows(table: Table, layout: Layout, options: ReadOptions, log: ProblemLog) -> "_Rows":
    column = layout.columns["timestamp"]
    metrics = read_metrics(table, layout, options, log)
    times = read_times(table, column, read_labels(table.columns[column]), options.time_zone, log)
    return _Rows(table, layout, options, log, metrics, times)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a table whose metrics and times are read."""

    table: Table
    layout: Layout
    options: ReadOptions
    log: ProblemLog
    metrics: Labels
    times: Times

    def arm(self, prefix: str, arms: Codes) -> Readings:
        """The readings of one group of value columns: the long form's only one, or one arm's of the wide form."""
        check = CellChecks(self.table, self.log)
        value_column, n_column = self.layout.columns[f"{prefix}value"], self.layout.columns[f"{prefix}sample_size"]
        value, participants = self._numbers(value_column), self._numbers(n_column)
        check.weights(value_column, value, n_column, participants)
        check.proportions(value_column, value, self.metrics, self.options.value_types)
        keep = (participants.values > 0) & ~np.isnan(value.values)
        keep &= (self.metrics.codes != INVALID) & (arms != INVALID) & ~np.isnat(self.times.values)
        denominator = None
        if denominator_column := self.layout.columns.get(f"{prefix}denominator"):
            denominator = self._numbers(denominator_column)
            check.denominators(value, denominator_column, denominator, self.metrics)
            keep &= ~(denominator.values <= 0)
        return Readings(
            metrics=self.metrics.names,
            metric=self.metrics.codes,
            time=self.times.values,
            treated=arms == 1,
            value=value.values,
            participants=participants.values,
            denominator=None if denominator is None else denominator.values,
            row=self.table.rows,
        ).take(keep)

    def _numbers(self, column: str) -> Numbers:
        return read_numbers(self.table, column, self.log, self.options.decimal)
