"""The long and the wide form to readings: one value of one arm in one hour or day, checked cell by cell."""

import re
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rallyuxr.ingest.cells import Codes, Flags, Labels, Numbers, read_labels, read_numbers
from rallyuxr.ingest.columns import Layout, snake_case
from rallyuxr.ingest.options import ReadOptions
from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.ingest.table import RowNumbers, Table
from rallyuxr.ingest.times import Times, read_times
from rallyuxr.models.experiment import MAX_METRICS
from rallyuxr.models.results import Floats, Hours
from rallyuxr.models.safe_csv import looks_like_formula

METRIC_ID = re.compile(r"[a-z_]{1,64}")
ARM_NAMES = {
    **dict.fromkeys(("treatment", "treated", "test", "t", "1", "true", "yes", "variant", "variation", "b"), 1),
    **dict.fromkeys(("control", "untreated", "c", "0", "false", "no", "holdout", "a"), 0),
}
INVALID = -1


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


def read_metrics(table: Table, layout: Layout, options: ReadOptions, log: ProblemLog) -> Labels:
    """Every row's metric id as a code into the valid ids; `INVALID` where it is refused."""
    column = layout.columns.get("metric")
    if column is None:
        return _only_metric(table, options, log)
    labels = read_labels(table.columns[column])
    ids: dict[str, int] = {}
    codes = [INVALID] * len(labels.names)
    for code, label in enumerate(labels.names):
        trouble = _metric_trouble(label, options)
        if trouble is None:
            codes[code] = ids.setdefault(snake_case(label), len(ids))
        else:
            log.add(*trouble, row=int(table.rows[labels.first(code)]), column=column, value=label)
    if len(ids) > MAX_METRICS:
        log.add(
            f"The file holds {len(ids)} metrics; an experiment has at most {MAX_METRICS}.",
            "Keep the metrics that the decision rests on.",
            column=column,
        )
    return Labels(tuple(ids), labels.expand(codes))


def _only_metric(table: Table, options: ReadOptions, log: ProblemLog) -> Labels:
    metric = options.only_metric
    if metric is None:
        log.add(
            "No column for metric, so it is not known what was measured.",
            "Add a column metric, or name the file's only metric.",
            column="metric",
        )
        return Labels((), np.full(table.rows.size, INVALID, np.int32))
    return Labels((metric,), np.zeros(table.rows.size, np.int32))


def _metric_trouble(label: str, options: ReadOptions) -> tuple[str, str] | None:
    metric_id, plan = snake_case(label), options.experiment
    if looks_like_formula(label):
        return "The cell holds a formula, not a metric id.", "Write the metric's id as plain text."
    if not METRIC_ID.fullmatch(metric_id):
        return (
            "This is not a metric id.",
            "Use at most 64 lower-case letters and underscores, such as conversion_rate.",
        )
    if plan is not None and metric_id not in plan.metrics:
        return (
            f"{metric_id} is not among the experiment's metrics.",
            f"Add it to the experiment, remove its rows, or rename it to one of {', '.join(plan.metrics)}.",
        )
    return None


def read_long(table: Table, layout: Layout, options: ReadOptions, log: ProblemLog) -> tuple[Readings, Times]:
    """Rows of one arm each."""
    metrics, times = _keys(table, layout, options, log)
    arms = read_arms(table, layout.columns["arm"], options, log)
    readings = _arm(table, layout, "", metrics, times, arms, options, log)
    return readings, times


def read_wide(table: Table, layout: Layout, options: ReadOptions, log: ProblemLog) -> tuple[Readings, Times]:
    """Rows that hold both arms."""
    metrics, times = _keys(table, layout, options, log)
    treatment, control = (
        _arm(table, layout, prefix, metrics, times, np.full(table.rows.size, treated, np.int32), options, log)
        for prefix, treated in (("treatment_", 1), ("control_", 0))
    )
    return treatment.and_then(control), times


def _keys(table: Table, layout: Layout, options: ReadOptions, log: ProblemLog) -> tuple[Labels, Times]:
    column = layout.columns["timestamp"]
    labels = read_labels(table.columns[column])
    return (
        read_metrics(table, layout, options, log),
        read_times(table, column, labels, options.time_zone, log),
    )


def read_arms(table: Table, column: str, options: ReadOptions, log: ProblemLog) -> Codes:
    """1 for the treated arm, 0 for control, `INVALID` for a name that is neither."""
    labels = read_labels(table.columns[column])
    own = {name.lower(): int(arm == "treatment") for name, arm in options.arms.items()}
    known = {**ARM_NAMES, **own}
    arms = [known.get(label.lower(), INVALID) for label in labels.names]
    for code, label in enumerate(labels.names):
        if arms[code] == INVALID:
            log.add(
                "This names neither the treated nor the control arm.",
                "Write treatment or control, or say which arm it is.",
                row=int(table.rows[labels.first(code)]),
                column=column,
                value=label,
            )
    return labels.expand(arms)


def _arm(
    table: Table,
    layout: Layout,
    prefix: str,
    metrics: Labels,
    times: Times,
    arms: Codes,
    options: ReadOptions,
    log: ProblemLog,
) -> Readings:
    """The readings of one group of value columns: the long form's only one, or one arm's of the wide form."""
    value_column, n_column = layout.columns[f"{prefix}value"], layout.columns[f"{prefix}sample_size"]
    denominator_column = layout.columns.get(f"{prefix}denominator")
    value = read_numbers(table, value_column, log, options.decimal)
    participants = read_numbers(table, n_column, log, options.decimal)
    check = _CellChecks(table, log)
    check.weights(value_column, value, n_column, participants)
    keep = (participants.values > 0) & ~np.isnan(value.values)
    denominator = None
    if denominator_column is not None:
        denominator = read_numbers(table, denominator_column, log, options.decimal)
        check.denominators(value, denominator_column, denominator, metrics)
        keep &= ~(denominator.values <= 0)
    check.proportions(value_column, value, metrics, options)
    keep &= (metrics.codes != INVALID) & (arms != INVALID) & ~np.isnat(times.values)
    return Readings(
        metrics=metrics.names,
        metric=metrics.codes,
        time=times.values,
        treated=arms == 1,
        value=value.values,
        participants=participants.values,
        denominator=None if denominator is None else denominator.values,
        row=table.rows,
    ).take(keep)


@dataclass(frozen=True, slots=True)
class _CellChecks:
    """Checks between the cells of one row."""

    table: Table
    log: ProblemLog

    def weights(self, value_column: str, value: Numbers, n_column: str, participants: Numbers) -> None:
        n, has_value = participants.values, ~np.isnan(value.values)
        self._report(n < 0, n_column, n, "A sample size cannot be negative.", "Give the number of participants.")
        self._report(
            (n == 0) & has_value,
            n_column,
            n,
            "There is a value, but nobody it was measured on.",
            "Give the number of participants, or leave the value empty.",
        )
        self._report(
            participants.absent & has_value,
            n_column,
            n,
            "The sample size is missing.",
            "Give the number of participants behind the value: hours are weighted by it.",
        )
        self._report(
            value.absent & (n > 0),
            value_column,
            value.values,
            "The value is missing, though participants are given.",
            "Give the value, or leave the row out: a missing hour is not a zero.",
        )

    def denominators(self, value: Numbers, column: str, denominator: Numbers, metrics: Labels) -> None:
        """Where a metric has denominators, each of its values needs one; other metrics need none."""
        ratios = np.unique(metrics.codes[~np.isnan(denominator.values)])
        absent = denominator.absent & np.isin(metrics.codes, ratios)
        bad = ~np.isnan(value.values) & (absent | (denominator.values <= 0))
        self._report(
            bad,
            column,
            denominator.values,
            "A ratio needs a denominator above zero.",
            "Give the total that the value is per, or leave the row out.",
        )

    def proportions(self, column: str, value: Numbers, metrics: Labels, options: ReadOptions) -> None:
        ids = [code for code, name in enumerate(metrics.names) if options.value_types.get(name) == "proportion"]
        if not ids:
            return
        outside = np.isin(metrics.codes, ids) & ((value.values < 0) | (value.values > 1))
        self._report(
            outside,
            column,
            value.values,
            "A proportion lies between 0 and 1.",
            "Write proportions as fractions: 0.032 for 3.2 %.",
        )

    def _report(self, where: Flags, column: str, values: Floats, message: str, remedy: str) -> None:
        for position in np.flatnonzero(where):
            shown = "" if np.isnan(values[position]) else f"{values[position]:g}"
            self.log.add(message, remedy, row=int(self.table.rows[position]), column=column, value=shown)
