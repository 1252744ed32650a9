"""Tables as HTML, in pages and reports alike: read aloud cell by cell, and stacked on a phone. Pure."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

STYLE = Path(__file__).with_name("tables.css")


def html_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows with the same columns, in their order; every cell is plain text.

    >>> html_table([{"Step": "Effect", "Number": "< 1"}])[-93:]
    '<tr><td data-label="Step">Effect</td><td data-label="Number">&lt; 1</td></tr></tbody></table>'
    """
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in rows[0])
    lines = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    return f'<table class="readable"><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>'


def _cells(row: Mapping[str, str]) -> str:
    return "".join(f'<td data-label="{escape(name)}">{escape(cell)}</td>' for name, cell in row.items())
