"""The pages' document names every page."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_page_stands_in_the_document():
    text = (ROOT / "docs" / "pages.md").read_text()
    names = {path.stem for path in (ROOT / "pages").glob("*.py")} - {"overview"}
    assert not {name for name in names if f"`/{name}" not in text}
    assert "| Overview | `/` |" in text
