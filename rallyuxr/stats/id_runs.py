"""Ids of rows that are sorted by them, told by their runs: an id is looked up once, not in each of its rows."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_FIRST_ROWS = 1024
"""Rows whose runs are looked at before all rows are."""


class IdRuns(NamedTuple):
    """The ids of runs, an Arrow array, and the runs' lengths in rows."""

    ids: Any
    lengths: NDArray[np.int32]

    def codes(self) -> NDArray[np.int32] | None:
        """Codes of all rows in the order of the ids' appearance; None where an id has more than one run."""
        if len(self.ids.unique()) < len(self.ids):
            return None
        return np.repeat(np.arange(len(self.ids), dtype=np.int32), self.lengths)


def id_runs(column: Any) -> IdRuns | None:
    """The runs of an Arrow column of text; None with missing values, or with more runs than half its rows."""
    import pyarrow
    import pyarrow.compute

    array = column.combine_chunks() if isinstance(column, pyarrow.ChunkedArray) else column
    is_text = pyarrow.types.is_string(array.type) or pyarrow.types.is_large_string(array.type)
    if isinstance(array, pyarrow.ChunkedArray) or not is_text or array.null_count:
        return None
    for rows in (_FIRST_ROWS, len(array)):
        encoded = pyarrow.compute.run_end_encode(array.slice(0, rows), run_end_type=pyarrow.int32())
        if 2 * len(encoded.values) > len(encoded):
            return None
    return IdRuns(encoded.values, np.diff(np.from_dlpack(encoded.run_ends), prepend=np.int32(0)))
