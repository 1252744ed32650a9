"""Tables as HTML, in pages and reports alike: read aloud cell by cell, and stacked on a phone. Pure."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

LONGEST_WHOLE = 16
STYLE = Path(__file__).with_name("tables.css")


def html_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows with the same columns, in their order; every cell is plain text.

    >>> html_table([{"Step": "The effect", "Number": "< 1"}])[-97:]
    '<tr><td data-label="Step">The effect</td><td data-label="Number">&lt; 1</td></tr></tbody></table>'
    """
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in rows[0])
    lines = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    return f'<table class="readable"><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>'


def _cells(row: Mapping[str, str]) -> str:
    """A short word or number stays on one line: "+" and "€5" would part otherwise."""
    return "".join(
        f'<td data-label="{escape(name)}"{" class=whole" if _whole(cell) else ""}>{escape(cell)}</td>'
        for name, cell in row.items()
    )


def _whole(cell: str) -> bool:
    return 0 < len(cell) <= LONGEST_WHOLE and " " not in cell
