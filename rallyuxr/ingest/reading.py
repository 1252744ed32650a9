"""Read results from anywhere: recognise, check, and report every problem at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from rallyuxr.ingest import coverage, series
from rallyuxr.ingest.columns import Layout, recognise
from rallyuxr.ingest.csv_text import WESTERN
from rallyuxr.ingest.options import TOO_LARGE, ReadOptions
from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.ingest.readings import read_long, read_wide
from rallyuxr.ingest.sources import read_table
from rallyuxr.ingest.table import Table
from rallyuxr.ingest.times import Times
from rallyuxr.ingest.units import read_units
from rallyuxr.ingest.upload import MetricCoverage, Upload
from rallyuxr.models import Caution, ExperimentData
from rallyuxr.models.experiment import DataSource

PREVIEW_ROWS = 8


@dataclass(frozen=True, slots=True, eq=False)
class _Content:
    """What a table says, once its shape is known."""

    data: ExperimentData
    times: Times
    cautions: tuple[Caution, ...]


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
    layout = recognise(table, options.mapping, log) if _has_usable_size(table, options, log) else None
    if layout is None:
        return _described(table, log)
    content = (_unit_content if layout.shape == "units" else _series_content)(table, layout, options, log)
    if options.experiment is not None:
        coverage.refuse_uncovered(content.data, options.experiment, log)
    if options.now is not None:
        coverage.refuse_future(content.data, options.now, log)
    cautions = (
        *_recognition_cautions(table, content.times),
        *content.cautions,
        *coverage.cautions(content.data, options),
    )
    return replace(
        _described(table, log, layout.columns),
        data=None if log.count else content.data,
        shape=layout.shape,
        granularity=content.data.granularity,
        time_zone=content.times.zone,
        metrics=tuple(_covered(content.data)),
        warnings=cautions,
    )


def _has_usable_size(table: Table, options: ReadOptions, log: ProblemLog) -> bool:
    if not table.rows.size and not log.count:
        log.add("There is a header but no row of data.", "Add the rows, one for each time, metric and arm.")
    if table.rows.size > options.max_rows:
        log.add(
            f"The table has {table.rows.size:,} rows; at most {options.max_rows:,} are read.",
            TOO_LARGE,
        )
    return 0 < table.rows.size <= options.max_rows


def _described(table: Table, log: ProblemLog, columns: Mapping[str, str] = MappingProxyType({})) -> Upload:
    """The upload as far as its table alone tells."""
    return Upload(
        data=None,
        problems=log.listed(),
        problem_count=log.count,
        format=table.format,
        encoding=table.encoding,
        delimiter=table.delimiter,
        columns=columns,
        ignored=tuple(name for name in table.columns if name not in columns.values()),
        n_rows=table.rows.size,
        header=tuple(table.columns),
        first_rows=tuple(zip(*(column.first(PREVIEW_ROWS) for column in table.columns.values()), strict=True)),
    )


def _series_content(table: Table, layout: Layout, options: ReadOptions, log: ProblemLog) -> _Content:
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
    return _Content(data, times, tuple(series.cautions(readings, hourly)))


def _unit_content(table: Table, layout: Layout, options: ReadOptions, log: ProblemLog) -> _Content:
    panels, times, cautions = read_units(table, layout, options, log)
    data = ExperimentData(panels=panels, granularity="units", source=_origin(table, layout), truth=table.truth)
    return _Content(data, times, cautions)


def _origin(table: Table, layout: Layout) -> DataSource:
    """Simulated data stays simulated when an export of it is read again."""
    column = layout.columns.get("data_source")
    labels = {text.strip().lower() for text in table.columns[column].texts()} if column else set()
    return "simulator" if labels & {"simulated", "simulator"} else table.origin


def _recognition_cautions(table: Table, times: Times) -> Iterator[Caution]:
    if table.encoding == WESTERN:
        yield Caution(
            code="not_utf8",
            message="The file is not UTF-8 and was read as Windows-1252 (Latin-1): check names with accents.",
        )
    if len(times.offsets) > 1:
        yield Caution(
            code="several_offsets",
            message=f"The times carry {len(times.offsets)} offsets from UTC ({times.zone}); all were converted.",
        )


def _covered(data: ExperimentData) -> Iterator[MetricCoverage]:
    for metric_id, times in coverage.periods_of(data).items():
        columns, panel = data.series.get(metric_id), data.panels.get(metric_id)
        yield MetricCoverage(
            metric_id=metric_id,
            n_periods=times.size,
            first=times[0],
            last=times[-1],
            n_units=len(panel.units) if panel else None,
            treatment_samples=float(columns.treatment_n.sum()) if columns else None,
            control_samples=float(columns.control_n.sum()) if columns else None,
        )
