"""Where an answer leads: OpenAPI links, for readers and testers of the document."""

from typing import Any


def leads_to(*operations: str, **places: str) -> dict[int | str, dict[str, Any]]:
    """What a route's `responses` say of its 201: these operations take those places of its body as parameters."""
    parameters = {name: f"$response.body#{place}" for name, place in places.items()}
    return {201: {"links": {each: {"operationId": each, "parameters": parameters} for each in operations}}}
