"""CSV bytes to a table: encoding, delimiter and row lengths are found out and checked."""

import csv
import io
from collections import Counter
from operator import itemgetter

import numpy as np

from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.ingest.table import Table, TextColumn, refuse_repeated

DELIMITERS = (",", ";", "\t", "|")
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
WESTERN = "cp1252"
SAVE_AS_UTF8 = "Save the file as CSV in UTF-8 and upload it again."


def csv_table(data: bytes, log: ProblemLog, delimiter: str | None = None) -> Table | None:
    """Read a CSV file; what cannot be read goes to `log`, and a table comes back if anything of it can be used."""
    decoded = _decode(data, log)
    if decoded is None:
        return None
    text, encoding = decoded
    delimiter = delimiter or _delimiter(text)
    records = _records(text, delimiter, log)
    first = next((number for number, record in enumerate(records) if any(map(str.strip, record))), None)
    if first is None:
        log.add("The file is empty.", "Upload a file with a header line and at least one row of data.")
        return None
    header = [name.strip() for name in records[first]]
    refuse_repeated(header, log)
    kept, rows = [], []
    for number, record in enumerate(records[first + 1 :], start=first + 2):
        if len(record) == len(header):
            kept.append(record)
            rows.append(number)
        elif any(map(str.strip, record)):
            log.add(
                f"The row has {len(record)} cells, the header has {len(header)}.",
                f"Give every row {len(header)} cells; put quotes around text that contains {delimiter!r}.",
                row=number,
                value=delimiter.join(record),
            )
    columns = {
        name: TextColumn(list(map(itemgetter(position), kept)))
        for position, name in reversed(list(enumerate(header)))
        if name
    }
    return Table(
        columns=dict(reversed(columns.items())),
        rows=np.array(rows, np.int64),
        format="csv",
        encoding=encoding,
        delimiter=delimiter,
    )


def _decode(data: bytes, log: ProblemLog) -> tuple[str, str] | None:
    if data.startswith(UTF16_MARKS):
        try:
            return data.decode("utf-16"), "utf-16"
        except UnicodeDecodeError as error:
            log.add(f"The file begins like UTF-16 text but is not: {error.reason}.", SAVE_AS_UTF8)
            return None
    if (position := data.find(b"\x00")) >= 0:
        log.add(
            "The file contains a NUL byte: it is binary, damaged, or UTF-16 without a byte-order mark.",
            SAVE_AS_UTF8,
            row=_row_of(data, position),
        )
        return None
    try:
        return data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return _decode_western(data, log)


def _decode_western(data: bytes, log: ProblemLog) -> tuple[str, str] | None:
    """Windows-1252, which holds Latin-1 and what Excel writes in Western countries; five bytes are not in it."""
    try:
        return data.decode(WESTERN), WESTERN
    except UnicodeDecodeError as error:
        log.add(
            f"Byte {data[error.start]:#04x} belongs to no encoding that is read here: UTF-8, UTF-16 or Latin-1.",
            SAVE_AS_UTF8,
            row=_row_of(data, error.start),
        )
        return None


def _row_of(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1


def _delimiter(text: str) -> str:
    """The candidate that the first line with content holds most often, outside quotes."""
    line = next((line for line in io.StringIO(text) if line.strip()), "")
    counts = Counter("".join(line.split('"')[::2]))
    return max(DELIMITERS, key=lambda delimiter: counts[delimiter])


def _records(text: str, delimiter: str, log: ProblemLog) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[list[str]] = []
    try:
        records.extend(reader)
    except csv.Error as error:
        log.add(
            f"The line cannot be split into cells: {error}.",
            "Close every quotation mark and double those inside a quoted cell; rows after this one were not read.",
            row=reader.line_num,
        )
    return records
