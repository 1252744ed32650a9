"""Located problems of an upload, gathered so that all are reported at once."""

from collections import Counter

from rallyuxr.models import Record

MAX_LISTED = 1000
MAX_OF_A_KIND = 100
"""So that one broken column cannot crowd out the problems of the others."""

LONGEST_VALUE = 80


class Problem(Record):
    """One thing that is wrong, where, and what to do.

    Attributes:
        row: as the file counts: a CSV's header is row 1; tables without a header line count their rows from 1.
            Absent when the problem is not in one row.
        column: the column as the file names it.
        value: what stands there, cut after 80 characters.
    """

    row: int | None = None
    column: str | None = None
    value: str | None = None
    message: str
    remedy: str


class ProblemLog:
    """Collects problems while reading goes on; lists the first ones of each kind and counts all."""

    def __init__(self) -> None:
        self.count = 0
        self._listed: list[Problem] = []
        self._kinds: Counter[tuple[str | None, str]] = Counter()

    def add(
        self,
        message: str,
        remedy: str,
        *,
        row: int | None = None,
        column: str | None = None,
        value: str | None = None,
    ) -> None:
        """Report one problem; problems of one column with one remedy are of a kind."""
        self.count += 1
        self._kinds[column, remedy] += 1
        if len(self._listed) < MAX_LISTED and self._kinds[column, remedy] <= MAX_OF_A_KIND:
            shown = value if value is None or len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}…"
            self._listed.append(Problem(row=row, column=column, value=shown, message=message, remedy=remedy))

    def listed(self) -> tuple[Problem, ...]:
        """The problems in the file's order, those of the whole file first."""
        return tuple(sorted(self._listed, key=lambda problem: problem.row or 0))
