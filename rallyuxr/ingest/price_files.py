"""Prices kept as a file, in a repository for instance: JSON, TOML or CSV under the contract's names."""

import csv
import io
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rallyuxr.errors import InvalidInput
from rallyuxr.models import CreateMetricValue, ValidationRules

Entry = dict[str, Any]
BOOKKEEPING = {"lastUpdated", "updatedBy", "version"}
"""What a stored metric value has beside its terms; passed over, so that an export can be applied."""
TERMS = {str(field.alias) for field in CreateMetricValue.model_fields.values()}
RULES = {str(field.alias) for field in ValidationRules.model_fields.values()}
FLAGS = {"true": True, "false": False}


def read_price_file(path: Path) -> dict[str, Entry]:
    """The entries of a file by metric, in its order; their values are as they were written.

    Raises:
        InvalidInput: the file cannot be read, or entries name no metric, one twice, or fields that do not exist.
    """
    if path.suffix not in READERS:
        raise InvalidInput(f"{path.name} is not one of {', '.join(READERS)}; prices are read from those.")
    try:
        found = list(READERS[path.suffix](path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput(f"{path}: {error}; give a file of metric values, as docs/cli.md shows it.") from None
    entries: dict[str, Entry] = {}
    problems = []
    for place, fields in enumerate(found, start=1):
        metric_id = fields.get("metricId")
        if not isinstance(metric_id, str) or not metric_id:
            problems.append(f"entry {place} names no metricId")
        elif metric_id in entries:
            problems.append(f"entry {place}: {metric_id} is there already; keep one of them")
        elif strangers := sorted(fields.keys() - TERMS - BOOKKEEPING):
            problems.append(f"{metric_id}: there is no field {', '.join(strangers)}")
        else:
            entries[metric_id] = {name: value for name, value in fields.items() if name in TERMS}
    if problems:
        raise InvalidInput("\n".join(problems))
    return entries


def _json(text: str) -> Iterable[Entry]:
    return _entries(json.loads(text, parse_float=str))


def _toml(text: str) -> Iterable[Entry]:
    """A table for each metric, under its id."""
    tables = tomllib.loads(text, parse_float=str)
    return _entries([{"metricId": name, **_table(name, fields)} for name, fields in tables.items()])


def _csv(text: str) -> Iterable[Entry]:
    """A row for each metric; an empty cell is a field left out, the rules have columns of their own."""
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    return [_cells(row) for row in rows]


def _cells(row: Mapping[Any, Any]) -> Entry:
    if None in row:
        raise ValueError(f"a row has {len(row[None])} cells more than the header")
    filled = {name: value.strip() for name, value in row.items() if value and value.strip()}
    rules = {name: filled.pop(name) for name in list(filled) if name in RULES}
    flags = {
        name: FLAGS.get(filled[name].lower(), filled[name]) for name in ("countsTowardTotal",) if name in filled
    }
    return filled | flags | ({"validationRules": rules} if rules else {})


def _table(name: str, fields: object) -> Entry:
    if not isinstance(fields, dict):
        raise ValueError(f"{name} stands outside a table; begin each metric with [{name}]")
    return fields


def _entries(found: object) -> list[Entry]:
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise ValueError("it holds no list of metric values")
    return found


READERS: dict[str, Callable[[str], Iterable[Entry]]] = {".json": _json, ".toml": _toml, ".csv": _csv}
