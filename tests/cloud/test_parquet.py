"""Aggregates as Parquet: as current as promised, never older than before, of every currency in one table."""

import re
import time
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest

from rallyuxr.local import Deployment, Endpoint
from rallyuxr.models.aggregate import AggregateBook
from rallyuxr.models.order import Merchant, Order
from rallyuxr.models.visits import VisitCount
from rallyuxr.services import aggregate_files
from rallyuxr.services.aggregate_files import publish_behind, publish_parquet
from rallyuxr.services.context import Context, connect
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.orders import place_orders
from rallyuxr.services.visits import record_visits
from rallyuxr.store import CountedHour
from tests.cloud.order_samples import bare_shops, new_merchant

DAY = date(2025, 3, 31)
PATIENCE_SECONDS = 180
PROMISED_SECONDS = 75  # a minute, and the stream's and the write's own time on a busy machine


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    return bare_shops(cloud, "files")


@pytest.fixture
def files(ctx: Context, cloud: Endpoint) -> Path:
    """The folder in which the embedded cloud keeps the bucket's Parquet files, each object under its key."""
    return lake(ctx, cloud)


def lake(ctx: Context, cloud: Endpoint) -> Path:
    return cloud.data_dir / "s3" / cloud.account / ctx.store.cloud.bucket / "aggregates" / "v1" / "parquet"


def sold(merchant: Merchant, number: int, price: str = "2.50", day: date = DAY, **changes: Any) -> Order:
    content = {
        "merchant_id": merchant.merchant_id,
        "order_id": f"o-{number}",
        "time": merchant.midnight(day) + timedelta(hours=number),
        "customer_id": f"c-{number}",
        "currency": merchant.currency,
        "items": [{"sku": "tea", "quantity": 1, "unit_price": price}],
    }
    return Order.model_validate({**content, **changes})


def sell(ctx: Context, *orders: Order) -> None:
    place_orders(ctx, orders)
    aggregate_changes(ctx, orders)


def rows(files: Path, granularity: str, merchant: Merchant, columns: str = "orders, net") -> list[tuple[Any, ...]]:
    """Asked of the files where they lie, as of a bucket."""
    pattern = files / granularity / "merchant=*" / "month=*" / "rows.parquet"
    table = f"read_parquet('{pattern}', hive_partitioning = true)"
    query = f"SELECT {columns} FROM {table} WHERE merchant = ? ORDER BY start"
    return duckdb.execute(query, [merchant.merchant_id]).fetchall()


def test_files_follow_the_rows_once_they_are_behind(ctx: Context, files: Path) -> None:
    merchant = new_merchant(ctx)
    sell(
        ctx, sold(merchant, 1), sold(merchant, 2), sold(merchant, 1, order_id="april", day=DAY + timedelta(days=1))
    )
    published = publish_behind(ctx)
    assert published.failed == {}
    assert rows(files, "daily", merchant) == [(2, Decimal("5.00")), (1, Decimal("2.50"))]
    assert rows(files, "hourly", merchant, "orders, month") == [(1, "2025-03"), (1, "2025-03"), (1, "2025-04")]
    assert publish_behind(ctx).keys == ()
    sell(ctx, sold(merchant, 1, status="refunded"))
    assert [key.split("/")[-2] for key in publish_behind(ctx).keys] == ["month=2025-03"] * 2
    assert rows(files, "daily", merchant)[0] == (2, Decimal("2.50"))


def test_a_month_that_changes_while_it_is_written_is_written_again(
    ctx: Context, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merchant = new_merchant(ctx)
    sell(ctx, sold(merchant, 1))
    once_then(monkeypatch, lambda: sell(ctx, sold(merchant, 2)))
    publish_behind(ctx)
    assert ctx.store.files_behind.pending().keys() == {f"{merchant.merchant_id}#2025-03"}
    publish_behind(ctx)
    assert rows(files, "daily", merchant) == [(2, Decimal("5.00"))]
    assert ctx.store.files_behind.pending() == {}


def test_a_slow_writer_never_replaces_a_newer_file(
    ctx: Context, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merchant = new_merchant(ctx)
    sell(ctx, sold(merchant, 1))
    publish_behind(ctx)

    def others_are_faster() -> None:
        sell(ctx, sold(merchant, 2))
        publish_parquet(ctx, merchant.merchant_id, DAY, DAY)

    once_then(monkeypatch, others_are_faster)
    publish_parquet(ctx, merchant.merchant_id, DAY, DAY)
    assert rows(files, "daily", merchant) == [(2, Decimal("5.00"))]
    assert rows(files, "hourly", merchant) == [(1, Decimal("2.50"))] * 2


def once_then(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Let something happen right after the rows were read for the first time."""
    read, acted = aggregate_files.read_books, []

    def reading(*arguments: Any) -> tuple[AggregateBook, ...]:
        found = read(*arguments)
        if not acted:
            acted.append(True)
            act()
        return found

    monkeypatch.setattr(aggregate_files, "read_books", reading)


def test_merchants_of_every_currency_read_as_one_table_to_the_last_digit(ctx: Context, files: Path) -> None:
    prices = {"JPY": "12345", "USD": "0.01", "BHD": "1.005", "CLF": "0.0001"}
    merchants = {currency: new_merchant(ctx, currency=currency) for currency in prices}
    for currency, merchant in merchants.items():
        sell(ctx, sold(merchant, 1, prices[currency], experiment_id="x", arm="control"))
    publish_behind(ctx)
    for currency, merchant in merchants.items():
        price = Decimal(prices[currency])
        columns = "currency, net, products[1].gross, arms[1].net_squares, statuses['placed']"
        assert rows(files, "daily", merchant, columns) == [(currency, price, price, price**2, 1)]


def test_visits_are_in_the_files(ctx: Context, files: Path) -> None:
    merchant = new_merchant(ctx)
    sell(ctx, sold(merchant, 1))
    count = VisitCount(hour=merchant.midnight(DAY) + timedelta(hours=1), visits=40)
    record_visits(ctx, merchant.merchant_id, [count])
    aggregate_changes(ctx, [CountedHour(merchant.merchant_id, count.hour)])
    publish_behind(ctx)
    assert rows(files, "daily", merchant, "visits, visit_hours, visit_orders") == [(40, 1, 1)]


def test_a_query_for_one_merchant_and_month_opens_one_file(ctx: Context, files: Path) -> None:
    merchants = [new_merchant(ctx) for _ in range(3)]
    for merchant in merchants:
        sell(ctx, sold(merchant, 1), sold(merchant, 2, day=DAY + timedelta(days=1)))
    publish_behind(ctx)
    table = f"read_parquet('{files}/daily/*/*/rows.parquet', hive_partitioning = true)"
    query = f"""
        EXPLAIN ANALYZE SELECT sum(net) FROM {table}
        WHERE merchant = '{merchants[1].merchant_id}' AND month = '2025-04'
    """
    plan = duckdb.execute(query).fetchall()[0][1]
    assert re.search(r"(Total Files Read: 1\b|Scanning Files: 1/)", plan), plan


def test_the_deployed_function_writes_what_orders_changed(deployed: Deployment) -> None:
    """With the policies of its role and nothing but its layers."""
    live = connect(actor="tests")
    merchant = new_merchant(live)
    sell(live, sold(merchant, 1), sold(merchant, 2))
    write_deployed()
    assert rows(lake(live, deployed.endpoint), "daily", merchant) == [(2, Decimal("5.00"))]
    deadline = time.monotonic() + PATIENCE_SECONDS
    # the deployed aggregator follows the same orders and may mark the month again
    while any(name.startswith(merchant.merchant_id) for name in live.store.files_behind.pending()):
        assert time.monotonic() < deadline, "the mark stays although the month was written"
        write_deployed()


def write_deployed() -> None:
    answer = boto3.client("lambda").invoke(FunctionName="rallyuxr-local-parquetWriter")
    assert "FunctionError" not in answer, answer["Payload"].read()


@pytest.mark.slow
def test_files_are_current_within_a_minute_by_themselves(deployed: Deployment) -> None:
    live = connect(actor="tests")
    merchant = new_merchant(live)
    place_orders(live, [sold(merchant, 1)])
    deadline = time.monotonic() + PROMISED_SECONDS
    folder = lake(live, deployed.endpoint) / "daily" / f"merchant={merchant.merchant_id}"
    while not folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert rows(folder.parents[1], "daily", merchant) == [(1, Decimal("2.50"))]
