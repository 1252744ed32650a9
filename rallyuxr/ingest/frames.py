"""Parquet files and data frames (pandas, Polars, Arrow) to a table; needs pyarrow, which is imported on use."""

import io
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from rallyuxr.ingest.options import TOO_LARGE, ReadOptions
from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.ingest.table import Format, Table, refuse_repeated
from rallyuxr.models.columns import Floats

MAX_EXPANSION = 8
"""How many times the limit on bytes a Parquet file may unpack to."""


@dataclass(frozen=True, slots=True)
class ArrowColumn:
    """Cells in an Arrow array, of whatever type."""

    cells: Any

    def filled(self) -> bool:
        """Whether any cell is not null."""
        return bool(self.cells.null_count < len(self.cells))

    def first(self, count: int) -> list[str]:
        """The first cells as text."""
        return ArrowColumn(self.cells[:count]).texts()

    def texts(self) -> list[str]:
        """Whole numbers without a point, as labels are written; times in UTC end in Z."""
        import pyarrow as pa

        cells, kind = self.cells, self.cells.type
        if pa.types.is_timestamp(kind):
            cells = cells.cast(pa.timestamp("us", "UTC" if kind.tz else None), safe=False).cast(pa.string())
        return [_text(cell) for cell in cells.to_pylist()]

    def floats(self) -> Floats | None:
        """The numbers, NaN where null."""
        import pyarrow as pa

        kind = self.cells.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            return None
        return np.asarray(self.cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)


def _text(cell: object) -> str:
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def parquet_table(data: bytes, options: ReadOptions, log: ProblemLog) -> Table | None:
    """Read a Parquet file, and stop where it unpacks to more than it should."""
    if find_spec("pyarrow") is None:
        log.add("Parquet cannot be read by this part of the deployment.", "Send the data as CSV or JSON.")
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    batches, unpacked = [], 0
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        for batch in file.iter_batches():
            unpacked += batch.nbytes
            if unpacked > MAX_EXPANSION * options.max_bytes:
                allowed = MAX_EXPANSION * options.max_bytes / 2**20
                log.add(f"The file unpacks to more than {allowed:,.0f} MB; nothing of it was kept.", TOO_LARGE)
                return None
            batches.append(batch)
        return _arrow_table(pa.Table.from_batches(batches, file.schema_arrow), "parquet", log)
    except (pa.ArrowException, OSError) as error:
        log.add(
            f"The file begins like Parquet but cannot be read: {error}.",
            "Write the file again, or save it as CSV in UTF-8.",
        )
        return None


def frame_table(frame: Any, log: ProblemLog) -> Table | None:
    """Read a pandas, Polars or Arrow table, or anything else that speaks Arrow's stream protocol."""
    import pyarrow as pa

    names = [str(name) for name in getattr(frame, "columns", ())] if not isinstance(frame, pa.Table) else []
    if len(set(names)) < len(names):
        refuse_repeated(names, log)
        return None
    try:
        table = pa.table(frame)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # a pandas column of mixed objects
        table = pa.table({name: _column(frame[name]) for name in names})
    return _arrow_table(table, "frame", log)


def _column(cells: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.array(cells)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if cell is None else str(cell) for cell in cells])


def _arrow_table(table: Any, form: Format, log: ProblemLog) -> Table:
    refuse_repeated(table.column_names, log)
    columns = {
        name: ArrowColumn(table.column(position).combine_chunks())
        for position, name in enumerate(table.column_names)
        if not name.startswith("__index_level_")
    }
    return Table(columns=columns, rows=np.arange(1, table.num_rows + 1), format=form)
