"""What must hold between the cells of one row."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rallyuxr.ingest.cells import Flags, Labels, Numbers
from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.ingest.table import Table
from rallyuxr.models.columns import Floats
from rallyuxr.models.metric_value import ValueType


@dataclass(frozen=True, slots=True)
class CellChecks:
    """Reports the rows of a table whose cells contradict each other."""

    table: Table
    log: ProblemLog

    def weights(self, value_column: str, value: Numbers, n_column: str, participants: Numbers) -> None:
        """A value needs participants, and participants need a value."""
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

    def proportions(
        self, column: str, value: Numbers, metrics: Labels, value_types: Mapping[str, ValueType]
    ) -> None:
        """Values of the metrics that are proportions lie between 0 and 1."""
        ids = [code for code, name in enumerate(metrics.names) if value_types.get(name) == "proportion"]
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
