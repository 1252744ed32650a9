"""Read results from anywhere: recognise, check, and report every problem at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rallyuxr.errors import InvalidData
from rallyuxr.ingest import coverage, series
from rallyuxr.ingest.columns import Layout, ShapeName, recognise
from rallyuxr.ingest.csv_text import WESTERN
from rallyuxr.ingest.options import ReadOptions
from rallyuxr.ingest.problems import Problem, ProblemLog
from rallyuxr.ingest.readings import Readings, read_long, read_wide
from rallyuxr.ingest.sources import read_table
from rallyuxr.ingest.table import Format, Table
from rallyuxr.ingest.times import Times
from rallyuxr.ingest.units import read_units
from rallyuxr.models import Caution, ExperimentData
from rallyuxr.models.experiment import DataSource
from rallyuxr.models.results import Granularity, Hours
from rallyuxr.models.safe_csv import csv_bytes

PREVIEW_ROWS = 8


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


def read_results(source: Any, **options: Any) -> ExperimentData:
    """What does this file, or data frame, say about both arms over time?

    Args:
        source: the path of a CSV, Parquet or JSON file, its bytes, an open file, a pandas, Polars or Arrow table,
            or the contract's record of results.
        options: the fields of `ReadOptions`: `experiment`, `mapping`, `metric`, `time_zone`, ...

    Raises:
        InvalidData: the content has problems; all of them are in `problems`.
        InvalidInput: there is no such file, or an option makes no sense.

    Examples:
        >>> data = read_results(
        ...     b"day,group,users,mean\\n"
        ...     b"2025-01-14,control,900,0.030\\n2025-01-14,treatment,910,0.031\\n"
        ...     b"2025-01-15,control,905,0.029\\n2025-01-15,treatment,899,0.034\\n",
        ...     metric="conversion_rate",
        ... )
        >>> data.granularity, data.series["conversion_rate"].treatment
        ('daily', array([0.031, 0.034]))
    """
    return inspect_results(source, ReadOptions(**options)).require()


def inspect_results(source: Any, options: ReadOptions | None = None) -> Upload:
    """How would this source be read, and what is wrong with it? Bad content raises nothing.

    Examples:
        >>> upload = inspect_results(b"timestamp,arm,value,n\\n2025-01-15T14:00:00Z,control,abc,10\\n")
        >>> [problem.column for problem in upload.problems]
        ['metric', 'value']
    """
    options = options or ReadOptions()
    log = ProblemLog()
    table = read_table(source, options, log)
    if table is None:
        return Upload(data=None, problems=log.listed(), problem_count=log.count)
    layout = None
    if table.rows.size > options.max_rows:
        log.add(
            f"The table has {table.rows.size:,} rows; at most {options.max_rows:,} are read.",
            "Aggregate to hours or days, or keep only the experiment's metrics and window.",
        )
    else:
        layout = recognise(table, options.mapping, log)
        _refuse_no_rows(table, log)
    if layout is None or not table.rows.size:
        return _report(table, layout, None, log)
    if layout.shape == "units":
        return _inspect_units(table, layout, options, log)
    return _inspect_series(table, layout, options, log)


def _refuse_no_rows(table: Table, log: ProblemLog) -> None:
    if not table.rows.size and not log.count:
        log.add("There is a header but no row of data.", "Add the rows, one for each time, metric and arm.")


def _inspect_series(table: Table, layout: Layout, options: ReadOptions, log: ProblemLog) -> Upload:
    read = read_wide if layout.shape == "wide" else read_long
    readings, times = read(table, layout, options, log)
    readings = series.ordered(readings)
    series.refuse_duplicates(readings, log)
    hourly = series.into_hours(readings)
    data = ExperimentData(
        series=series.to_series(hourly),
        granularity=series.granularity(hourly.time, log),
        source=_origin(table, layout),
        truth=table.truth,
    )
    series.refuse_one_arm(data.series, log)
    return _report(table, layout, data, log, options, times, _hour_cautions(readings, hourly))


def _inspect_units(table: Table, layout: Layout, options: ReadOptions, log: ProblemLog) -> Upload:
    panels, times, left_out = read_units(table, layout, options, log)
    data = ExperimentData(panels=panels, granularity="units", source=_origin(table, layout), truth=table.truth)
    return _report(table, layout, data, log, options, times, left_out)


def _origin(table: Table, layout: Layout) -> DataSource:
    """Simulated data stays simulated when an export of it is read again."""
    column = layout.columns.get("data_source")
    labels = {text.strip().lower() for text in table.columns[column].texts()} if column else set()
    return "simulator" if labels & {"simulated", "simulator"} else table.origin


def _hour_cautions(readings: Readings, hourly: Readings) -> tuple[Caution, ...]:
    off = series.off_the_hour(readings)
    if not off:
        return ()
    return (
        Caution(
            code="not_on_the_hour",
            message=f"{off:,} of {readings.row.size:,} values do not begin on a full hour; each counts in the hour "
            f"it lies in. Values of one hour were averaged, weighted by sample size: {hourly.row.size:,} are left.",
        ),
    )


def _recognition_cautions(table: Table, times: Times | None) -> Iterator[Caution]:
    if table.encoding == WESTERN:
        yield Caution(
            code="not_utf8",
            message="The file is not UTF-8 and was read as Windows-1252 (Latin-1): check names with accents.",
        )
    if times is not None and len(times.offsets) > 1:
        yield Caution(
            code="several_offsets",
            message=f"The times carry {len(times.offsets)} offsets from UTC ({times.zone}); all were converted.",
        )


def _report(
    table: Table,
    layout: Layout | None,
    data: ExperimentData | None,
    log: ProblemLog,
    options: ReadOptions | None = None,
    times: Times | None = None,
    warnings: tuple[Caution, ...] = (),
) -> Upload:
    if data is not None and options is not None:
        if options.experiment is not None:
            coverage.refuse_uncovered(data, options.experiment, log)
        if options.now is not None:
            coverage.refuse_future(data, options.now, log)
        warnings += tuple(coverage.cautions(data, options.experiment))
    columns = layout.columns if layout else {}
    return Upload(
        data=None if log.count else data,
        problems=log.listed(),
        problem_count=log.count,
        format=table.format,
        encoding=table.encoding,
        delimiter=table.delimiter,
        shape=layout.shape if layout else None,
        granularity=data.granularity if data else None,
        time_zone=times.zone if times else None,
        columns=columns,
        ignored=tuple(name for name in table.columns if name not in columns.values()),
        n_rows=table.rows.size,
        header=tuple(table.columns),
        first_rows=tuple(zip(*(column.texts()[:PREVIEW_ROWS] for column in table.columns.values()), strict=True)),
        metrics=_metrics(data) if data else (),
        warnings=(*_recognition_cautions(table, times), *warnings),
    )


def _metrics(data: ExperimentData) -> tuple[MetricCoverage, ...]:
    return tuple(_covered(metric_id, times, data) for metric_id, times in coverage.periods_of(data).items())


def _covered(metric_id: str, times: Hours, data: ExperimentData) -> MetricCoverage:
    columns, panel = data.series.get(metric_id), data.panels.get(metric_id)
    return MetricCoverage(
        metric_id=metric_id,
        n_periods=times.size,
        first=times[0],
        last=times[-1],
        n_units=len(panel.units) if panel else None,
        treatment_samples=float(columns.treatment_n.sum()) if columns else None,
        control_samples=float(columns.control_n.sum()) if columns else None,
    )
