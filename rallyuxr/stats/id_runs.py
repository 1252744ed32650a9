"""Ids of rows that are sorted by them, told by their runs: an id is looked up once, not in each of its rows."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FIRST_ROWS = 1024
"""Rows whose runs are looked at before all rows are."""

_MOST_UNITS = 1 << 20
"""Ids in pieces are remembered until it is known that none comes twice; more than these are DuckDB's to group."""


class IdRuns(NamedTuple):
    """The ids of runs, an Arrow array, and the runs' lengths in rows."""

    ids: Any
    lengths: NDArray[np.int32]


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is one of texts that can be looked at here."""
    import pyarrow

    return bool(pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind))


def id_runs(column: Any, *, sample: bool = True) -> IdRuns | None:
    """The runs of an Arrow column of text; None with missing values, or with more runs than half its rows.

    Without `sample`, runs of any number are taken.
    """
    import pyarrow
    import pyarrow.compute

    array = column.combine_chunks() if isinstance(column, pyarrow.ChunkedArray) else column
    if isinstance(array, pyarrow.ChunkedArray) or not is_text(array.type) or array.null_count:
        return None
    for rows in (FIRST_ROWS, len(array)) if sample else (len(array),):
        encoded = pyarrow.compute.run_end_encode(array.slice(0, rows), run_end_type=pyarrow.int32())
        if sample and 2 * len(encoded.values) > len(encoded):
            return None
    return IdRuns(encoded.values, np.diff(np.from_dlpack(encoded.run_ends), prepend=np.int32(0)))


class PiecewiseRuns:
    """Codes of ids whose rows come in pieces, sorted by them; an id's run may go on in the next piece."""

    def __init__(self) -> None:
        self._ids: list[Any] = []
        self._count = 0

    def codes(self, column: Any) -> NDArray[np.int32] | None:
        """Codes of a piece's rows, an Arrow column of text; None for ids not sorted, or too many to remember."""
        runs = id_runs(column, sample=not self._ids)
        if runs is None or self._count > _MOST_UNITS:
            return None
        goes_on = bool(self._ids) and len(runs.ids) > 0 and self._ids[-1][-1] == runs.ids[0]
        first = self._count - goes_on
        new = runs.ids[int(goes_on) :]
        if len(new):
            self._ids.append(new)
        self._count = first + len(runs.ids)
        return np.repeat(np.arange(first, self._count, dtype=np.int32), runs.lengths)

    def are_distinct(self) -> bool:
        """Whether no id had a second run."""
        if not self._ids:
            return True
        import pyarrow

        return len(pyarrow.chunked_array(self._ids).unique()) == self._count
