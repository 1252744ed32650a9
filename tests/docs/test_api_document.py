"""The API's documents say what the API serves."""

import json
import re
from pathlib import Path

from rallyuxr.api.document import document

DOCS = Path(__file__).parents[2] / "docs"


def test_the_committed_openapi_document_is_the_served_one() -> None:
    assert (DOCS / "openapi.json").read_text() == document(), "it is stale; write it anew with `make openapi`"


def test_it_is_openapi_3_1() -> None:
    assert json.loads(document())["openapi"].startswith("3.1")


def test_every_operation_has_a_curl() -> None:
    text = (DOCS / "api.md").read_text()
    calls = set()
    for method, path in re.findall(r"curl (?:--compressed )?(?:-X (\w+) )?\"?\$API(/[^\s\"'?]*)", text):
        calls.add((method or "GET", re.sub(r"\$[A-Z]+", "{}", path)))
    served = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, operations in json.loads(document())["paths"].items()
        for method in operations
    }
    named = {(method, re.sub(r"/conversion_rate", "/{}", path)) for method, path in calls}
    assert served - named == set(), "documented endpoints without a curl in docs/api.md"
