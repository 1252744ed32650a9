"""Files of orders, one row per line item, as orders to be placed; read in pieces, so any length fits in memory.

The columns are the order's fields and, for the line, `sku`, `quantity` and `unit_price`, in either spelling
(`order_id` or `orderId`). Rows of one order stand together and agree in the order's fields; an empty cell is a
field left out.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_camel

from rallyuxr.ingest.row_files import read_rows
from rallyuxr.models.order import Order

LINE_FIELDS = ("sku", "quantity", "unitPrice")
FIELDS = tuple(to_camel(name) for name in Order.model_fields if name != "items") + LINE_FIELDS
REQUIRED = ("orderId", "time", "customerId", *LINE_FIELDS)


def read_orders(path: Path, defaults: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """The orders of a CSV or Parquet file in its order, under the contract's names, not validated.

    Args:
        path: a file ending in `.csv`, `.csv.gz` or `.parquet`.
        defaults: fields for every order that has them not, such as `merchantId` and `currency`.

    Raises:
        InvalidInput: not such a file, or columns are missing or unknown.
    """
    rows = read_rows(path, FIELDS, (*REQUIRED, "merchantId", "currency"), defaults)
    for _, lines in groupby(rows, key=lambda row: (row.get("merchantId"), row.get("orderId"))):
        first, *others = lines
        order = {name: value for name, value in first.items() if name not in LINE_FIELDS}
        yield {**order, "items": [_line(row) for row in (first, *others)]}


def _line(row: Mapping[str, str]) -> dict[str, str]:
    return {name: row[name] for name in LINE_FIELDS if name in row}
