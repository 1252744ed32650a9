"""Files of visits, one row per hour and, where there are arms, per arm."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_camel

from rallyuxr.ingest.row_files import read_rows
from rallyuxr.models.visits import VisitCount

FIELDS = tuple(map(to_camel, VisitCount.model_fields))
REQUIRED = ("hour", "visits")


def read_visits(path: Path) -> Iterator[dict[str, Any]]:
    """The counts of a CSV or Parquet file, under the contract's names, not validated.

    Raises:
        InvalidInput: not such a file, or columns are missing or unknown.
    """
    return read_rows(path, FIELDS, REQUIRED)
