"""Columns of cells to numbers and codes, every unreadable cell reported."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.ingest.table import Column, Table
from rallyuxr.models.columns import Floats
from rallyuxr.models.safe_csv import looks_like_formula

MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "<na>", "-"})
Flags = NDArray[np.bool_]
Codes = NDArray[np.int32]

COMMA_DECIMAL = re.compile(r"[+-]?\d+,\d+")
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([ ,.'’\u00a0\u202f]\d{3})+([.,]\d+)?")


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column of numbers.

    Attributes:
        values: NaN where a cell is empty or unreadable, shape (N,).
        unreadable: where a problem was reported, shape (N,).
    """

    values: Floats
    unreadable: Flags

    @property
    def absent(self) -> Flags:
        """Where the cell is empty."""
        return np.isnan(self.values) & ~self.unreadable


@dataclass(frozen=True, slots=True)
class Labels:
    """A column of repeated texts as codes, numbered as they appear: `names[codes[i]]` stands in row i."""

    names: tuple[str, ...]
    codes: Codes

    def firsts(self) -> NDArray[np.int64]:
        """The position of each label's first row."""
        return np.flatnonzero(np.diff(np.maximum.accumulate(self.codes), prepend=-1))

    def expand(self, by_label: Sequence[int]) -> Codes:
        """A code for every row from a code for every label."""
        return np.array(by_label, np.int32)[self.codes]


def read_labels(column: Column) -> Labels:
    """The column's texts, stripped, as codes in order of appearance."""
    known: dict[str, int] = {}
    stripped = map(str.strip, column.texts())
    codes = np.fromiter((known.setdefault(text, len(known)) for text in stripped), np.int32)
    return Labels(tuple(known), codes)


def read_numbers(table: Table, name: str, log: ProblemLog, decimal: Literal[".", ","] = ".") -> Numbers:
    """The column's numbers; text, infinities and ambiguous commas are problems, empty cells are absent."""
    column = table.columns[name]
    values = column.floats()
    if values is None:
        texts = column.texts()
        values = _parse_all(texts) if decimal == "." else None
        if values is None:
            return _parse_each(texts, table, name, log, decimal)
    infinite = np.isinf(values)
    for position in np.flatnonzero(infinite):
        _report(table, int(position), name, str(values[position]), log)
    return Numbers(np.where(infinite, np.nan, values), infinite)


def _parse_all(texts: Sequence[str]) -> Floats | None:
    """The fast way, for a column without a single doubtful cell."""
    try:
        values = np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        return None
    return values if not any("_" in text for text in texts) else None


def _parse_each(
    texts: Sequence[str], table: Table, name: str, log: ProblemLog, decimal: Literal[".", ","]
) -> Numbers:
    values, unreadable = np.full(len(texts), np.nan), np.zeros(len(texts), bool)
    for position, text in enumerate(map(str.strip, texts)):
        if text.lower() in MISSING:
            continue
        value = _number(text, decimal)
        if value is None:
            unreadable[position] = True
            _report(table, position, name, text, log, decimal)
        else:
            values[position] = value
    return Numbers(values, unreadable)


def _number(text: str, decimal: Literal[".", ","]) -> float | None:
    if decimal == ",":
        text = text.replace(".", "?").replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) and "_" not in text else None


def _report(
    table: Table, position: int, column: str, text: str, log: ProblemLog, decimal: Literal[".", ","] = "."
) -> None:
    if decimal == "," and _number(text, ".") is not None:
        message, remedy = "A point stands where a decimal comma is needed.", "Say that the decimal is a point."
    else:
        message, remedy = _doubt(text)
    log.add(message, remedy, row=int(table.rows[position]), column=column, value=text)


def _doubt(text: str) -> tuple[str, str]:
    """What is wrong with a text that is no number, and what to do."""
    if text.lower().strip("+-") in ("inf", "infinity"):
        return "Infinity is not a measurement.", "Correct the value, or leave the row out."
    if looks_like_formula(text):
        return "The cell holds a formula, not its result.", "Paste the values instead of the formulas."
    if COMMA_DECIMAL.fullmatch(text) and not GROUPED.fullmatch(text):
        return (
            "A comma stands where a decimal point is needed.",
            "Write 0.031 for 0,031, or say that the decimal is a comma.",
        )
    if GROUPED.fullmatch(text):
        return (
            "The number has separators between its digits.",
            "Write 1234.5 for 1,234.5: digits and one decimal point.",
        )
    if text.endswith("%"):
        return "The number has a percent sign.", "Write proportions as fractions: 0.032 for 3.2%."
    if text[:1] in "$€£¥" or text[-1:] in "$€£¥":
        return "The number has a currency sign.", "Write the amount alone, such as 12.50."
    return "The cell is not a number.", "Write a number such as 0.031, or leave the row out."
