"""Files of orders: what is read, what is refused, and where an interrupted import goes on."""

import os
from pathlib import Path

import duckdb
import pytest

from rallyuxr.errors import InvalidInput
from rallyuxr.ingest.order_files import read_orders
from rallyuxr.models.order import Order
from rallyuxr.order_commands import Checkpoint

HEADER = "order_id,time,customer_id,sku,quantity,unit_price,discount\n"
ROWS = (
    "o-1,2025-01-15T14:05:00Z,ann,tea,2,4.50,1.00\n"
    "o-1,2025-01-15T14:05:00Z,ann,cup,1,11,1.00\n"
    "o-2,2025-01-15T15:00:00+01:00,bob,tea,1,4.50,\n"
)
DEFAULTS = {"merchantId": "shop", "currency": "EUR"}


def written(folder: Path, content: str, name: str = "orders.csv") -> Path:
    file = folder / name
    file.write_text(content)
    return file


def test_rows_of_one_order_become_its_lines(tmp_path: Path) -> None:
    first, second = map(Order.from_json, read_orders(written(tmp_path, HEADER + ROWS), DEFAULTS))
    assert [(item.sku, item.quantity) for item in first.items] == [("tea", 2), ("cup", 1)]
    assert (first.net, first.merchant_id, first.currency) == (19, "shop", "EUR")
    assert second.discount == 0


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    file = written(tmp_path, HEADER + ROWS)
    duckdb.execute(f"COPY (FROM read_csv('{file}', all_varchar = true)) TO '{tmp_path}/orders.parquet'")
    assert list(read_orders(tmp_path / "orders.parquet", DEFAULTS)) == list(read_orders(file, DEFAULTS))


@pytest.mark.parametrize(
    ("content", "name", "complaint"),
    [
        ("order_id,time\no-1,2025\n", "orders.csv", "has no column customerId, sku, quantity, unitPrice"),
        (HEADER.replace("discount", "colour") + ROWS, "orders.csv", "columns that have no meaning here: colour"),
        (HEADER + ROWS, "orders.xlsx", "ends neither in"),
    ],
)
def test_files_that_hold_no_orders_are_refused(tmp_path: Path, content: str, name: str, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        list(read_orders(written(tmp_path, content, name), DEFAULTS))


def test_an_import_goes_on_where_it_stopped_unless_the_file_changed(tmp_path: Path) -> None:
    file = written(tmp_path, HEADER + ROWS)
    Checkpoint(file, fresh=False).advance(2_000, ())
    assert Checkpoint(file, fresh=False).settled == 2_000
    assert Checkpoint(file, fresh=True).settled == 0
    os.utime(file, (1, 1))
    assert Checkpoint(file, fresh=False).settled == 0
    Checkpoint(file, fresh=False).finish()
    assert list(tmp_path.glob("*.progress")) == []


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no file .*none\.csv"):
        Checkpoint(tmp_path / "none.csv", fresh=False)
