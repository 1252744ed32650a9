"""Python values as DynamoDB attributes and back: exact numbers, aware times, raw bytes."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from rallyuxr.models.base import Record, iso_z

Attribute = dict[str, Any]
Item = dict[str, Any]
SMALLEST = 1e-130
"""The cloud stores no number nearer to zero, but zero."""
AnyRecord = TypeVar("AnyRecord", bound=Record)


def to_attributes(values: Mapping[str, Any]) -> dict[str, Attribute]:
    """The attribute map of `values`; absent (`None`) values are left out.

    Examples
    --------
    >>> to_attributes({"id": "a", "cost": Decimal("9.90"), "share": 0.5, "by": None})
    {'id': {'S': 'a'}, 'cost': {'N': '9.90'}, 'share': {'N': '0.5'}}
    """
    return {name: to_attribute(value) for name, value in values.items() if value is not None}


def to_attribute(value: Any) -> Attribute:
    """One typed attribute; a float becomes the shortest decimal that reads back to it."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, float) and abs(value) < SMALLEST:
        return {"N": "0"}
    if isinstance(value, int | float | Decimal):
        return {"N": str(value)}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, datetime):
        return {"S": iso_z(value)}
    if isinstance(value, Mapping):
        return {"M": to_attributes(value)}
    if isinstance(value, list | tuple):
        return {"L": [to_attribute(element) for element in value]}
    raise TypeError(f"{type(value).__name__} has no DynamoDB attribute type")


def from_attributes(attributes: Mapping[str, Attribute]) -> Item:
    """The plain values of an item: numbers are int, or Decimal where they have a fraction.

    Examples
    --------
    >>> from_attributes({"n": {"N": "3"}, "x": {"N": "0.25"}})
    {'n': 3, 'x': Decimal('0.25')}
    """
    return {name: _from_attribute(attribute) for name, attribute in attributes.items()}


def _from_attribute(attribute: Attribute) -> Any:
    ((kind, value),) = attribute.items()
    if kind == "N":
        return int(value) if value.lstrip("-").isdigit() else Decimal(value)
    if kind == "M":
        return from_attributes(value)
    if kind == "L":
        return [_from_attribute(element) for element in value]
    return value


def record_item(record: Record) -> Item:
    """A record under the contract's names, ready to be stored."""
    return record.model_dump(by_alias=True, exclude_none=True)


def read_record(model: type[AnyRecord], item: Mapping[str, Any]) -> AnyRecord:
    """The record within an item; attributes that only storage uses are left out."""
    names = {field.alias or name for name, field in model.model_fields.items()}
    return model.model_validate({name: value for name, value in item.items() if name in names})
