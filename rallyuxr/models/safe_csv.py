"""CSV that a spreadsheet may open: no cell can run as a formula."""

import csv
import io
from collections.abc import Iterable, Sequence

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def looks_like_formula(text: str) -> bool:
    """Whether a spreadsheet could run this text; plain numbers such as -3.5 cannot be run.

    Examples:
        >>> looks_like_formula("=1+1"), looks_like_formula("-3.5"), looks_like_formula("-cmd")
        (True, False, True)
    """
    if not text.startswith(FORMULA_STARTS):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def safe_cell(value: object) -> object:
    """The value; where it is text that could run as a formula, behind an apostrophe (OWASP's advice).

    Examples:
        >>> safe_cell("=HYPERLINK(1)")
        "'=HYPERLINK(1)"
        >>> safe_cell(-3.5)
        -3.5
    """
    return f"'{value}" if isinstance(value, str) and looks_like_formula(value) else value


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file in UTF-8 with a byte-order mark, which Excel needs to read names rightly; `None` is an empty cell.

    Examples:
        >>> csv_bytes(["name", "usd"], [["@sum", 3.5], ["plain", None]]).decode("utf-8-sig")
        "name,usd\\r\\n'@sum,3.5\\r\\nplain,\\r\\n"
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow([safe_cell(name) for name in header])
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode("utf-8-sig")
