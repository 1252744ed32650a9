"""What came of reading a source: the data, how it was understood, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rallyuxr.errors import InvalidData
from rallyuxr.ingest.columns import ShapeName
from rallyuxr.ingest.problems import Problem
from rallyuxr.ingest.table import Format
from rallyuxr.models import Caution, ExperimentData
from rallyuxr.models.columns import Granularity
from rallyuxr.models.safe_csv import csv_bytes


@dataclass(frozen=True, slots=True)
class MetricCoverage:
    """What the upload holds of one metric; `first` and `last` are starts of periods in UTC."""

    metric_id: str
    n_periods: int
    first: np.datetime64
    last: np.datetime64
    n_units: int | None = None
    treatment_samples: float | None = None
    control_samples: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """How a source was understood, what is in it, and what is wrong with it.

    Attributes:
        data: the results; None when there are problems.
        format, encoding, delimiter, shape, granularity, time_zone: what was recognised; None where it was not.
        columns: field → column; `ignored` are the columns that mean nothing here.
        n_rows: rows of data in the source.
        header, first_rows: the start of the table as text, for a preview.
        metrics: what there is of each metric.
        warnings: what the reader should know; they do not stop the upload.
        problems: what must be corrected, at most 1,000 and 100 of a kind; `problem_count` counts all.
    """

    data: ExperimentData | None
    problems: tuple[Problem, ...]
    problem_count: int
    format: Format | None = None
    encoding: str | None = None
    delimiter: str | None = None
    shape: ShapeName | None = None
    granularity: Granularity | None = None
    time_zone: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    n_rows: int = 0
    header: tuple[str, ...] = ()
    first_rows: tuple[tuple[str, ...], ...] = ()
    metrics: tuple[MetricCoverage, ...] = ()
    warnings: tuple[Caution, ...] = ()

    def require(self) -> ExperimentData:
        """The data.

        Raises:
            InvalidData: there are problems; it carries them all.
        """
        if self.data is not None:
            return self.data
        first = self.problems[0]
        where = "".join(
            f"{name} {value}: "
            for name, value in (("row", first.row), ("column", first.column))
            if value is not None
        )
        more = f" (and {self.problem_count - 1:,} more)" if self.problem_count > 1 else ""
        raise InvalidData(f"{where}{first.message} {first.remedy}{more}", self.problems)

    def problems_csv(self) -> bytes:
        """The problems as a CSV file that is safe to open in a spreadsheet."""
        header = ("row", "column", "value", "message", "remedy")
        return csv_bytes(header, ([getattr(problem, name) for name in header] for problem in self.problems))
