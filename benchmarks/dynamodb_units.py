"""What DynamoDB charges: sizes of items, and the capacity units of writing and reading them."""

import math
from collections.abc import Iterable, Mapping
from typing import Any


def item_bytes(item: Mapping[str, Any]) -> int:
    """An item's size as DynamoDB counts it."""
    return sum(len(name.encode()) + _attribute_bytes(attribute) for name, attribute in item.items())


def _attribute_bytes(attribute: Mapping[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    if kind == "S":
        return len(value.encode())
    if kind == "B":
        return len(value)
    if kind == "N":
        return len(value.strip("-0.").replace(".", "")) // 2 + 2
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _attribute_bytes(each) for name, each in value.items())
    if kind == "L":
        return 3 + sum(1 + _attribute_bytes(each) for each in value)
    return 1


def write_units(items: Iterable[Mapping[str, Any]]) -> int:
    """Write units of putting each item by itself."""
    return sum(math.ceil(item_bytes(item) / 1024) for item in items)


def read_units(items: Iterable[Mapping[str, Any]]) -> float:
    """Read units of one eventually consistent query that returns these items."""
    return math.ceil(sum(map(item_bytes, items)) / 4096) / 2
