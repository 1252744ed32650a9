"""What every source is read into: named columns of cells, and the number of each row."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.models.columns import Floats
from rallyuxr.models.experiment import DataSource

Format = Literal["csv", "json", "parquet", "frame"]
RowNumbers = NDArray[np.int64]


class Column(Protocol):
    """Cells that can be read as text, and perhaps directly as numbers."""

    def filled(self) -> bool:
        """Whether any cell has content."""

    def first(self, count: int) -> Sequence[str]:
        """The first cells as text."""

    def texts(self) -> Sequence[str]:
        """Every cell as text; an absent one is empty."""

    def floats(self) -> Floats | None:
        """The cells as numbers, NaN where absent; None when they are not stored as numbers."""


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Cells that came as text."""

    cells: Sequence[str]

    def filled(self) -> bool:
        """Whether any cell holds more than spaces."""
        return any(map(str.strip, self.cells))

    def first(self, count: int) -> Sequence[str]:
        """The first cells."""
        return self.cells[:count]

    def texts(self) -> Sequence[str]:
        """The cells themselves."""
        return self.cells

    def floats(self) -> None:
        """Text must be parsed."""


@dataclass(frozen=True, slots=True)
class Table:
    """A source as read, before any meaning is given to it.

    Attributes:
        columns: by header, in the file's order.
        rows: each row's number as the file counts, shape (N,).
        origin, truth: what a record of results said about its making.
    """

    columns: Mapping[str, Column]
    rows: RowNumbers
    format: Format
    encoding: str | None = None
    delimiter: str | None = None
    origin: DataSource = "upload"
    truth: Mapping[str, float] | None = None


def refuse_repeated(header: Iterable[str], log: ProblemLog) -> None:
    """Report every column name that occurs more than once."""
    for name, count in Counter(header).items():
        if name and count > 1:
            log.add(
                f"{count} columns are called {name!r}.",
                "Give every column a name of its own, or remove the copies.",
                column=name,
            )
