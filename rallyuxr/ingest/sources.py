"""Where a table comes from: a path, bytes, an open file, a data frame, or a record of results."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rallyuxr.errors import InvalidInput
from rallyuxr.ingest.csv_text import csv_table
from rallyuxr.ingest.options import TOO_LARGE, ReadOptions
from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.ingest.table import Table, TextColumn
from rallyuxr.models import ExperimentResult

FOREIGN_FORMATS = {
    b"PK\x03\x04": ("an Excel workbook or a ZIP archive", "Save the sheet as CSV UTF-8 and upload that."),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "Save the sheet as CSV UTF-8 and upload that."),
    b"\x1f\x8b": ("compressed with gzip", "Unpack the file and upload what is in it."),
    b"%PDF": ("a PDF", "Export the table behind it as CSV UTF-8 and upload that."),
}


def read_table(source: Any, options: ReadOptions, log: ProblemLog) -> Table | None:
    """Read any source into a table; its problems go to `log`.

    Raises:
        InvalidInput: there is no such file, or `source` is of a type that cannot be read.
    """
    if isinstance(source, ExperimentResult):
        source = source.to_json()
    if isinstance(source, Mapping):
        return _result_table(source, log)
    if hasattr(source, "__arrow_c_stream__"):
        from rallyuxr.ingest.frames import frame_table

        return frame_table(source, log)
    data = _bytes(source, options.max_bytes, log)
    return None if data is None else _parse(data, options, log)


def _bytes(source: Any, max_bytes: int, log: ProblemLog) -> bytes | None:
    """The source's bytes, or None if there are too many; never more than the limit is held."""
    if isinstance(source, str | PathLike):
        path = Path(source)
        if not path.is_file():
            raise InvalidInput(f"There is no file {str(path)!r}; give the path of a CSV, Parquet or JSON file.")
        with path.open("rb") as file:
            return _bytes(file, max_bytes, log)
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source) if len(source) <= max_bytes else None
    elif hasattr(source, "read"):
        read = source.read(max_bytes + 1)
        data = read.encode() if isinstance(read, str) else bytes(read)
        data = data if len(data) <= max_bytes else None
    else:
        raise InvalidInput(
            f"An object of type {type(source).__name__} cannot be read as results; give a path, bytes, an open "
            "file, a pandas, Polars or Arrow table, or the contract's record."
        )
    if data is None:
        log.add(
            f"The file is larger than {max_bytes / 2**20:,.0f} MB; nothing of it was read.",
            TOO_LARGE,
        )
    return data


def _parse(data: bytes, options: ReadOptions, log: ProblemLog) -> Table | None:
    if data.startswith(b"PAR1"):
        from rallyuxr.ingest.frames import parquet_table

        return parquet_table(data, options, log)
    for mark, (what, remedy) in FOREIGN_FORMATS.items():
        if data.startswith(mark):
            log.add(f"The file is {what}, not CSV, Parquet or JSON.", remedy)
            return None
    if data.lstrip()[:1] in (b"{", b"["):
        return _json_table(data, log)
    return csv_table(data, log, options.delimiter)


def _json_table(data: bytes, log: ProblemLog) -> Table | None:
    try:
        content = json.loads(data)
    except ValueError as error:
        log.add(f"The file begins like JSON but cannot be read: {error}.", "Write valid JSON in UTF-8.")
        return None
    if isinstance(content, list) and all(isinstance(row, Mapping) for row in content):
        return _rows_table(content)
    return _result_table(content, log)


def _result_table(record: Any, log: ProblemLog) -> Table | None:
    """The contract's record of results, one row for each time point of each metric."""
    try:
        rows = [
            {"metric": metric_id, **point}
            for metric_id, metric in record["metrics"].items()
            for point in metric["timeSeries"]
        ]
    except (AttributeError, KeyError, IndexError, TypeError):
        log.add(
            "The JSON is not the contract's record of results.",
            'Give {"metrics": {"<metric id>": {"timeSeries": [{"timestamp": ..., "treatmentValue": ..., ...}]}}}.',
        )
        return None
    table = _rows_table(rows)
    if record.get("dataSource") != "simulator":
        return table
    return replace(table, origin="simulator", truth=_truth(record.get("truth")))


def _truth(effects: Any) -> dict[str, float] | None:
    if not isinstance(effects, Mapping):
        return None
    return {name: float(effect) for name, effect in effects.items() if isinstance(effect, float | int)}


def _rows_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: TextColumn([_text(row.get(name)) for row in rows]) for name in names}
    return Table(columns=columns, rows=np.arange(1, len(rows) + 1), format="json")


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)
