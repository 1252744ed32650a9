"""Files of orders, one row per line item, as orders to be placed; read in pieces, so any length fits in memory.

The columns are the order's fields and, for the line, `sku`, `quantity` and `unit_price`, in either spelling
(`order_id` or `orderId`). Rows of one order stand together and agree in the order's fields; an empty cell is a
field left out.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
from pydantic.alias_generators import to_camel

from rallyuxr.errors import InvalidInput
from rallyuxr.models.order import Order

LINE_FIELDS = ("sku", "quantity", "unitPrice")
FIELDS = tuple(to_camel(name) for name in Order.model_fields if name != "items") + LINE_FIELDS
REQUIRED = ("orderId", "time", "customerId", *LINE_FIELDS)
_ROWS_PER_PIECE = 10_000


def read_orders(path: Path, defaults: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """The orders of a CSV or Parquet file in its order, under the contract's names, not validated.

    Args:
        path: a file ending in `.csv`, `.csv.gz` or `.parquet`.
        defaults: fields for every order that has them not, such as `merchantId` and `currency`.

    Raises:
        InvalidInput: not such a file, or columns are missing or unknown.
    """
    rows = _rows(path, defaults or {})
    for _, lines in groupby(rows, key=lambda row: (row.get("merchantId"), row.get("orderId"))):
        first, *others = lines
        order = {name: value for name, value in first.items() if name not in LINE_FIELDS}
        yield {**order, "items": [_line(row) for row in (first, *others)]}


def _rows(path: Path, defaults: Mapping[str, str]) -> Iterator[dict[str, str]]:
    with duckdb.connect() as connection:
        try:
            connection.execute(_query(path), [str(path)])
        except duckdb.Error as problem:
            raise InvalidInput(f"{path} cannot be read: {problem}") from None
        names = [to_camel(column[0].strip()) for column in connection.description or ()]
        _check(path, names, defaults)
        while piece := connection.fetchmany(_ROWS_PER_PIECE):
            for values in piece:
                given = {name: value for name, value in zip(names, values, strict=True) if value not in (None, "")}
                yield {**defaults, **given}


def _query(path: Path) -> str:
    if path.suffix == ".parquet":
        return "SELECT COLUMNS(*)::VARCHAR FROM read_parquet(?)"
    if path.name.endswith((".csv", ".csv.gz")):
        return "SELECT * FROM read_csv(?, header = true, all_varchar = true, delim = ',')"
    raise InvalidInput(f"{path} ends neither in .csv, .csv.gz nor in .parquet.")


def _check(path: Path, names: list[str], defaults: Mapping[str, str]) -> None:
    missing = [name for name in (*REQUIRED, "merchantId", "currency") if name not in {*names, *defaults}]
    if missing:
        raise InvalidInput(f"{path} has no column {', '.join(missing)}; it has {', '.join(names)}.")
    if strangers := sorted(set(names) - set(FIELDS)):
        raise InvalidInput(f"{path} has columns that no order has: {', '.join(strangers)}. Remove or rename them.")


def _line(row: Mapping[str, str]) -> dict[str, str]:
    return {name: row[name] for name in LINE_FIELDS if name in row}
