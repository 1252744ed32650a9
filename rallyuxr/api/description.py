"""The OpenAPI document as callers see it: errors said once, keys of repetition, examples, no noise."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from rallyuxr.api.examples import ERRORS, EXAMPLES
from rallyuxr.api.idempotency import KEY_HEADER, KEY_PATTERN

Node = dict[str, Any]
OPERATIONS = ("get", "post", "put")
SCHEMA_WORDS = {"type", "anyOf", "enum", "const", "$ref"}
NEVER_SENT = ("HTTPValidationError", "ValidationError")
KEY: Node = {
    "name": KEY_HEADER,
    "in": "header",
    "required": False,
    "description": "Makes repeating safe for a day: the same key and body get the same answer, marked "
    "`Idempotent-Replay: true`; the same key with another body is a 409.",
    "schema": {"type": "string", "pattern": KEY_PATTERN},
    "example": "5f0c2f5e-7c1d-4f0e-9d52-3a9d0c3c9f11",
}


def described(document: Node) -> Node:
    """The document that FastAPI made, in the words and with the examples of this API."""
    components = document["components"]
    components["parameters"] = {"IdempotencyKey": KEY}
    components["responses"] = {_name(status): _error(status) for status in ERRORS}
    for name in NEVER_SENT:
        components["schemas"].pop(name, None)
    for method, operation in _operations(document):
        if method == "post":
            operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/IdempotencyKey"})
        _answer_with_shared_errors(method, operation)
        _show_examples(operation)
    _simplify(document)
    return document


def _operations(document: Node) -> Iterator[tuple[str, Node]]:
    for path in document["paths"].values():
        for method in OPERATIONS:
            if method in path:
                yield method, path[method]


def _answer_with_shared_errors(method: str, operation: Node) -> None:
    """A rejected shape is a 400 here; a body may be too large, a key in use."""
    answers = operation["responses"]
    answers.pop("422", None)
    statuses = {int(status) for status in answers if status >= "400"}
    if method == "post":
        statuses |= {409, 413}
    answers |= {str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(statuses)}


def _error(status: int) -> Node:
    meaning, body = ERRORS[status]
    schema = {"$ref": "#/components/schemas/ErrorAnswer"}
    return {
        "description": meaning,
        "content": {"application/json": {"schema": schema, "example": {"success": False, "error": body}}},
    }


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "")


def _show_examples(operation: Node) -> None:
    asked, answered = EXAMPLES[operation["operationId"]]
    bodies = operation.get("requestBody", {}).get("content", {})
    for media_type, body in bodies.items():
        body["example"] = asked[media_type] if len(bodies) > 1 else asked
    (success,) = (answer for status, answer in operation["responses"].items() if status.startswith("2"))
    if success["description"] == "Successful Response":
        success["description"] = operation["description"].split("\n")[0]
    for media_type, content in success["content"].items():
        several = len(success["content"]) > 1
        content["example"] = answered[media_type] if several else {"success": True, "data": answered}


def _simplify(node: Any) -> None:
    """Drop titles made up from names, and say "or null" in one line, all the way down."""
    if isinstance(node, list):
        for each in node:
            _simplify(each)
    elif isinstance(node, dict):
        if SCHEMA_WORDS & node.keys() and isinstance(node.get("title"), str):
            del node["title"]
        match node.get("anyOf"):
            case [{"type": str(kind), **limits}, {"type": "null"}] if not {"enum", "const"} & limits.keys():
                del node["anyOf"]
                node |= {"type": [kind, "null"], **limits}
        for key, each in node.items():
            if key not in ("example", "examples"):
                _simplify(each)
