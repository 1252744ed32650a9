"""Panels in Parquet files and DuckDB relations: their rows in pieces, so that none is too large to read."""

import os
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.id_runs import FIRST_ROWS, id_runs, is_text
from rallyuxr.stats.panel_data import is_duckdb_relation, is_path, select_columns

_ROWS_PER_PIECE = 1 << 18
_BUFFER_BYTES = 1 << 20

Pieces = Generator[dict[str, Any], None, None]


def count_rows(path: Any) -> int:
    """Rows of a Parquet file, from its footer."""
    rows: int = _open(path).metadata.num_rows
    return rows


def in_pieces(data: Any, names: Sequence[str], *, texts: Sequence[str] = ()) -> Pieces:
    """Columns of a Parquet file or a DuckDB relation as arrays (n,), a quarter of a million rows at a time.

    Those of `texts` may hold texts and are Arrow arrays then. Nothing is yielded of other data, nor where a
    column is missing or else is neither a number nor a time: whoever reads such data as a whole says what is
    wrong, or codes the ids. Close the generator if it is not used up: before, a relation's connection answers
    nothing else.
    """
    if is_duckdb_relation(data):
        yield from _relation_pieces(data, names, texts)
    elif is_path(data) and os.path.isfile(data):
        yield from _file_pieces(data, names, texts)


def _file_pieces(path: Any, names: Sequence[str], texts: Sequence[str]) -> Pieces:
    file = _open(path)
    if _are_readable(file.schema_arrow, names, texts):
        for group in range(file.num_row_groups):  # all at once, Arrow keeps the bytes of every group it has read
            for batch in file.iter_batches(batch_size=_ROWS_PER_PIECE, row_groups=[group], columns=list(names)):
                yield {name: _as_numpy(batch.column(name)) for name in names}


def _relation_pieces(relation: Any, names: Sequence[str], texts: Sequence[str]) -> Pieces:
    if not set(names) <= set(relation.columns) or not all(_have_runs(relation, name) for name in texts):
        return
    with select_columns(relation, names).to_arrow_reader(_ROWS_PER_PIECE) as reader:
        if _are_readable(reader.schema, names, texts):
            for batch in reader:
                yield {name: _as_numpy(batch.column(name)) for name in names}


def _have_runs(relation: Any, name: str) -> bool:
    """Whether a relation's first rows, if texts, are sorted by them: else no piece of it is worth reading."""
    (column,) = select_columns(relation, [name]).limit(FIRST_ROWS).to_arrow_table().columns
    return not is_text(column.type) or id_runs(column) is not None


def _are_readable(schema: Any, names: Sequence[str], texts: Sequence[str]) -> bool:
    """Whether all columns are there, and numbers, times or, where they may be, texts."""
    import pyarrow

    kinds = {field.name: field.type for field in schema}
    return all(
        pyarrow.types.is_primitive(kind) or (name in texts and is_text(kind))
        for name, kind in ((name, kinds.get(name, pyarrow.null())) for name in names)
    )


def _as_numpy(column: Any) -> Any:
    """An Arrow array as a NumPy array of numbers, times as integers; itself where it is text or values are missing.

    Not by `to_numpy`, which imports pandas.
    """
    import pyarrow

    if column.null_count or not pyarrow.types.is_primitive(column.type):
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
