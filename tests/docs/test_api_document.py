"""The API's documents say what the API serves."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from rallyuxr.api.document import document

DOCS = Path(__file__).parents[2] / "docs"
SERVED: dict[str, Any] = json.loads(document())
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in SERVED["paths"].items()
    for method, operation in operations.items()
]
NAMES = [f"{method} {path}" for method, path, _ in OPERATIONS]


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to."""
    if "$ref" not in node:
        return node
    target: Any = SERVED
    for name in node["$ref"].removeprefix("#/").split("/"):
        target = target[name]
    return dict(target)


def bodies(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every body that is asked for or answered with, by media type."""
    for place in (operation.get("requestBody", {}), *operation["responses"].values()):
        yield from resolved(place).get("content", {}).values()


def test_the_committed_openapi_document_is_the_served_one() -> None:
    assert (DOCS / "openapi.json").read_text() == document(), "it is stale; write it anew with `make openapi`"


def test_it_is_openapi_3_1() -> None:
    assert SERVED["openapi"].startswith("3.1")


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_every_body_has_an_example_that_fits_its_schema(method: str, path: str, operation: dict[str, Any]) -> None:
    for body in bodies(operation):
        schema = {**body["schema"], "components": SERVED["components"]}
        problems = [problem.message for problem in Draft202012Validator(schema).iter_errors(body["example"])]
        assert problems == []


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_every_operation_says_what_it_does_and_how_it_fails(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    assert operation["description"]
    assert operation["responses"].keys() >= {"400", "401", "403", "500", "503"}
    assert all(resolved(answer)["description"] for answer in operation["responses"].values())
    assert "422" not in operation["responses"]


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_every_post_and_nothing_else_takes_an_idempotency_key(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    named = {resolved(parameter)["name"] for parameter in operation.get("parameters", [])}
    assert ("Idempotency-Key" in named) == (method == "POST")
    assert method != "POST" or "409" in operation["responses"]


def test_every_operation_has_a_curl() -> None:
    text = (DOCS / "api.md").read_text()
    calls = set()
    for method, path in re.findall(r"curl (?:--compressed )?(?:-X (\w+) )?\"?\$API(/[^\s\"'?]*)", text):
        calls.add((method or "GET", re.sub(r"\$[A-Z]+", "{}", path)))
    served = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path, _ in OPERATIONS}
    named = {(method, re.sub(r"/conversion_rate", "/{}", path)) for method, path in calls}
    assert served - named == set(), "documented endpoints without a curl in docs/api.md"
