"""What the rows are about: metric ids and arms, from whatever names a file has for them."""

import re

import numpy as np

from rallyuxr.ingest.cells import Codes, Labels, read_labels
from rallyuxr.ingest.columns import Layout, snake_case
from rallyuxr.ingest.options import ReadOptions
from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.ingest.table import Table
from rallyuxr.models.experiment import MAX_METRICS
from rallyuxr.models.safe_csv import looks_like_formula

METRIC_ID = re.compile(r"[a-z_]{1,64}")
ARM_NAMES = {
    **dict.fromkeys(("treatment", "treated", "test", "t", "1", "true", "yes", "variant", "variation", "b"), 1),
    **dict.fromkeys(("control", "untreated", "c", "0", "false", "no", "holdout", "a"), 0),
}
INVALID = -1
"""The code of a name that was refused."""


def read_metrics(table: Table, layout: Layout, options: ReadOptions, log: ProblemLog) -> Labels:
    """Every row's metric id as a code into the valid ids; `INVALID` where it is refused."""
    column = layout.columns.get("metric")
    if column is None:
        return _only_metric(table, options, log)
    labels = read_labels(table.columns[column])
    rows = table.rows[labels.firsts()]
    ids: dict[str, int] = {}
    codes = [INVALID] * len(labels.names)
    for code, label in enumerate(labels.names):
        trouble = _metric_trouble(label, options)
        if trouble is None:
            codes[code] = ids.setdefault(snake_case(label), len(ids))
        else:
            log.add(*trouble, row=int(rows[code]), column=column, value=label)
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
    if trouble := _metric_trouble(metric, options):
        log.add(*trouble, value=metric)
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


def read_arms(table: Table, column: str, options: ReadOptions, log: ProblemLog) -> Codes:
    """1 for the treated arm, 0 for control, `INVALID` for a name that is neither."""
    labels = read_labels(table.columns[column])
    rows = table.rows[labels.firsts()]
    own = {name.lower(): int(arm == "treatment") for name, arm in options.arms.items()}
    known = {**ARM_NAMES, **own}
    arms = [known.get(label.lower(), INVALID) for label in labels.names]
    for code, label in enumerate(labels.names):
        if arms[code] == INVALID:
            log.add(
                "This names neither the treated nor the control arm.",
                "Write treatment or control, or say which arm it is.",
                row=int(rows[code]),
                column=column,
                value=label,
            )
    return labels.expand(arms)
