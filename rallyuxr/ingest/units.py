"""Unit-level rows (unit, period, treated, outcome) to one panel for each metric."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rallyuxr.ingest.cells import Codes, Flags, Labels, read_labels, read_numbers
from rallyuxr.ingest.columns import Layout, snake_case
from rallyuxr.ingest.names import INVALID, METRIC_ID, read_arms, read_metrics
from rallyuxr.ingest.options import ReadOptions
from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.ingest.table import Table
from rallyuxr.ingest.times import Times, read_times
from rallyuxr.models import Caution, UnitPanel
from rallyuxr.models.columns import Hours
from rallyuxr.models.safe_csv import looks_like_formula

BEFORE_AND_AFTER = {"0": 0, "pre": 0, "before": 0, "false": 0, "1": 1, "post": 1, "after": 1, "true": 1}


def read_units(
    table: Table, layout: Layout, options: ReadOptions, log: ProblemLog
) -> tuple[dict[str, UnitPanel], Times, tuple[Caution, ...]]:
    """The panel of each metric, what the periods said of their zone, and what was left out."""
    columns = layout.columns
    units = read_labels(table.columns[columns["unit"]])
    _refuse_formulas(table, columns["unit"], units, log)
    arms = read_arms(table, columns["treated"], options, log)
    times = _read_periods(table, columns["period"], options, log)
    metrics = read_metrics(table, layout, _with_metric(columns["outcome"], layout, options), log)
    outcome = read_numbers(table, columns["outcome"], log, options.decimal)
    _refuse_changing_arms(table, columns["treated"], units, arms, log)

    readable = (metrics.codes != INVALID) & (arms != INVALID) & ~np.isnat(times.values)
    keep = readable & ~np.isnan(outcome.values)
    order = np.lexsort((times.values, units.codes, metrics.codes))
    order = order[keep[order]]
    _refuse_duplicates(table, units, times.values, metrics, order, log)
    panels = {
        metric_id: _panel(rows, units, times.values, arms, outcome.values)
        for code, metric_id in enumerate(metrics.names)
        if (rows := order[metrics.codes[order] == code]).size
    }
    _refuse_one_arm(panels, log)
    return panels, times, tuple(_left_out(int((readable & outcome.absent).sum())))


def _with_metric(outcome_column: str, layout: Layout, options: ReadOptions) -> ReadOptions:
    """Without a metric column the outcome's column names the metric, if its name can be one."""
    name = snake_case(outcome_column)
    if "metric" in layout.columns or options.only_metric or not METRIC_ID.fullmatch(name):
        return options
    return replace(options, metric=name)


def _read_periods(table: Table, column: str, options: ReadOptions, log: ProblemLog) -> Times:
    """Dates and times as they are; other periods by `period_starts`, or before and after the experiment's start."""
    labels = read_labels(table.columns[column])
    plan, starts = options.experiment, {str(name): start for name, start in options.period_starts.items()}
    if not starts and plan is not None and {name.lower() for name in labels.names} <= BEFORE_AND_AFTER.keys():
        both = (plan.baseline_start, plan.start_date)
        starts = {name: both[BEFORE_AND_AFTER[name.lower()]] for name in labels.names}
    names = tuple(starts[name].isoformat() if name in starts else name for name in labels.names)
    return read_times(table, column, replace(labels, names=names), options.time_zone, log)


def _refuse_formulas(table: Table, column: str, units: Labels, log: ProblemLog) -> None:
    rows = table.rows[units.firsts()]
    for code, name in enumerate(units.names):
        if not name or looks_like_formula(name):
            log.add(
                "The unit has no name." if not name else "The unit's name could run as a formula in a spreadsheet.",
                "Name every unit by plain text or a number." if not name else "Remove the leading =, +, - or @.",
                row=int(rows[code]),
                column=column,
                value=name,
            )


def _refuse_changing_arms(table: Table, column: str, units: Labels, arms: Codes, log: ProblemLog) -> None:
    valid = arms != INVALID
    treated = np.zeros(len(units.names), bool)
    treated[units.codes[valid & (arms == 1)]] = True
    changing = valid & (arms == 0) & treated[units.codes]
    positions = np.flatnonzero(changing)
    codes, first = np.unique(units.codes[positions], return_index=True)
    for code, position in zip(codes, positions[first], strict=True):
        log.add(
            f"{units.names[code]} is treated in some rows and control in others.",
            "Give each unit's arm, the same in all its rows, not treated × after: the start date says when.",
            row=int(table.rows[position]),
            column=column,
            value=units.names[code],
        )


def _refuse_duplicates(
    table: Table, units: Labels, periods: Hours, metrics: Labels, order: np.ndarray, log: ProblemLog
) -> None:
    keys = (metrics.codes[order], units.codes[order], periods[order])
    same: Flags = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    for place in np.flatnonzero(same) + 1:
        log.add(
            f"{units.names[units.codes[order[place]]]} already has a value for this period, "
            f"in row {table.rows[order[place - 1]]}.",
            "Keep one row for each unit, period and metric.",
            row=int(table.rows[order[place]]),
            value=str(periods[order[place]].astype("datetime64[D]")),
        )


def _panel(rows: np.ndarray, units: Labels, periods: Hours, arms: Codes, outcome: np.ndarray) -> UnitPanel:
    """One metric's rows as dense codes, units in the order of their names."""
    present = np.unique(units.codes[rows])
    names = np.array([units.names[code] for code in present], object)
    by_name = np.argsort(names)
    dense = np.full(len(units.names), INVALID, np.int32)
    dense[present[by_name]] = np.arange(present.size, dtype=np.int32)
    starts, period = np.unique(periods[rows], return_inverse=True)
    unit = dense[units.codes[rows]]
    treated = np.zeros(present.size, np.int8)
    treated[unit] = arms[rows]
    sort = np.lexsort((period, unit))
    return UnitPanel(
        units=tuple(names[by_name]),
        periods=starts,
        unit=unit[sort],
        period=period[sort].astype(np.int32),
        treated=treated,
        outcome=outcome[rows][sort],
    )


def _refuse_one_arm(panels: dict[str, UnitPanel], log: ProblemLog) -> None:
    for metric_id, panel in panels.items():
        for arm, code in (("treated", 1), ("control", 0)):
            if not (panel.treated == code).any():
                log.add(
                    f"{metric_id} has no {arm} units, so there is nothing to compare.",
                    "Upload units of both arms; the treated column holds 1 for treated units and 0 for the others.",
                    value=metric_id,
                )


def _left_out(missing: int) -> Iterator[Caution]:
    if missing:
        yield Caution(
            code="missing_outcomes",
            message=f"{missing:,} rows have no outcome and are left out; a missing value is not a zero.",
        )
