"""`python -m rallyuxr.api.document FILE`: write the OpenAPI document that the API serves."""

import json
import sys
from pathlib import Path

from rallyuxr.api.app import create_app


def document() -> str:
    """The OpenAPI 3.1 document as JSON text."""
    return json.dumps(create_app().openapi(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document())
