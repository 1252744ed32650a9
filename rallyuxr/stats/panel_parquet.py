"""Panels in Parquet files: how long they are, and their rows in pieces, so that no file is too large to read."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rallyuxr.errors import InvalidInput

_ROWS_PER_PIECE = 1 << 18
_BUFFER_BYTES = 1 << 20


def count_rows(path: Any) -> int:
    """Rows of a Parquet file, from its footer."""
    rows: int = _open(path).metadata.num_rows
    return rows


def read_pieces(path: Any, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The named columns as arrays (n,), a quarter of a million rows at a time.

    Nothing is yielded where a column is missing or is neither a number nor a time: whoever reads such a
    file as a whole says what is wrong, or codes its ids.
    """
    import pyarrow

    file = _open(path)
    kinds = {field.name: field.type for field in file.schema_arrow}
    for name in names:
        kind = kinds.get(name, pyarrow.null())
        if not pyarrow.types.is_primitive(kind):
            return
    for group in range(file.num_row_groups):  # all at once, Arrow keeps the bytes of every group it has read
        for batch in file.iter_batches(batch_size=_ROWS_PER_PIECE, row_groups=[group], columns=list(names)):
            yield {name: _as_numpy(batch.column(name)) for name in names}


def _as_numpy(column: Any) -> Any:
    """An Arrow array as a NumPy array of numbers, times as integers; itself where values are missing.

    Not by `to_numpy`, which imports pandas.
    """
    import pyarrow

    if column.null_count:
        return column
    if pyarrow.types.is_boolean(column.type):
        column = column.cast(pyarrow.int8())
    elif pyarrow.types.is_temporal(column.type):
        column = column.view(f"int{column.type.bit_width}")
    return np.from_dlpack(column)


def _open(path: Any) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES)
    except pyarrow.ArrowInvalid as error:
        raise InvalidInput(
            f"{os.fspath(path)!r} is not a Parquet file ({error}); write one, or pass a table"
        ) from None
