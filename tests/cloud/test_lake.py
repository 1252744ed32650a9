"""Parquet read in place over the network: the bucket's objects, by range, as the docs say."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rallyuxr.local import Endpoint
from rallyuxr.models.order import Merchant, Order
from rallyuxr.services.aggregate_files import publish_parquet
from rallyuxr.services.analytics import read_rows
from rallyuxr.services.context import Context
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.orders import place_orders
from tests.cloud.eavesdropper import Eavesdropper, eavesdropping
from tests.cloud.order_samples import bare_shops, new_merchant

DOCS = (Path(__file__).parents[2] / "docs" / "merchants.md").read_text()
MARCH, MAY = date(2025, 3, 1), date(2025, 5, 1)
KEY_PREFIX = "aggregates/v1/parquet"


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    return bare_shops(cloud, "lake")


@pytest.fixture(scope="module")
def merchants(ctx: Context) -> tuple[Merchant, Merchant]:
    """Two shops, each with two months of orders, written as Parquet."""
    shops = new_merchant(ctx), new_merchant(ctx, currency="JPY", time_zone="Asia/Tokyo")
    for scale, shop in enumerate(shops, start=1):
        orders = [an_order(shop, number, scale) for number in range(300)]
        place_orders(ctx, orders)
        aggregate_changes(ctx, orders)
        assert len(publish_parquet(ctx, shop.merchant_id, MARCH, MAY)) == 4
    return shops


def an_order(shop: Merchant, number: int, scale: int) -> Order:
    lines = [{"sku": f"sku-{(number * 7 + line * 13) % 90}", "quantity": 1 + line} for line in range(10)]
    content = {
        "merchant_id": shop.merchant_id,
        "order_id": f"o-{number}",
        "time": shop.midnight(MARCH) + timedelta(hours=4 * number, minutes=20),
        "customer_id": f"c-{number % 97}",
        "currency": shop.currency,
        "items": [{**line, "unit_price": Decimal(scale * (1 + number % 50))} for line in lines],
    }
    return Order.model_validate(content)


@pytest.fixture
def ear(cloud: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Eavesdropper]:
    with eavesdropping(cloud.url) as heard:
        monkeypatch.setenv("AWS_ENDPOINT_URL", heard.url)
        yield heard
        monkeypatch.undo()


def documented(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", DOCS.split("## Where it lies")[1], re.DOTALL)
    assert found is not None
    return found[1]


def connected() -> duckdb.DuckDBPyConnection:
    """A connection made as the docs say."""
    names: dict[str, Any] = {}
    exec(documented("python"), names)
    connection: duckdb.DuckDBPyConnection = names["connection"]
    return connection


def test_the_documented_query_reads_the_buckets_objects_by_range_and_equals_the_rows(
    ctx: Context, merchants: tuple[Merchant, Merchant], ear: Eavesdropper
) -> None:
    for shop in merchants:
        query = documented("sql").replace("BUCKET", ctx.store.cloud.bucket)
        assert "berlin-books" in query
        with connected() as connection:
            table = connection.sql(query.replace("berlin-books", shop.merchant_id)).to_arrow_table()
        found = [(row["start"], row["orders"], row["net"]) for row in table.to_pylist()]
        rows = read_rows(ctx, shop, "daily", MARCH, MAY)
        assert found == [(row.start, row.orders, row.net) for row in rows if row.start >= shop.midnight(MARCH)]
        assert len(found) > 45
        folder = f"/{ctx.store.cloud.bucket}/{KEY_PREFIX}/daily/merchant={shop.merchant_id}"
        assert {each.path for each in ear.objects()} == {
            f"{folder}/month={month}/rows.parquet" for month in ("2025-03", "2025-04")
        }
        assert all(each.range and each.status == 206 for each in ear.objects())
        ear.heard.clear()


def test_a_question_fetches_the_months_it_asks_for_and_no_other(
    ctx: Context, merchants: tuple[Merchant, Merchant], ear: Eavesdropper
) -> None:
    shop, bucket = merchants[0], ctx.store.cloud.bucket
    files = f"{KEY_PREFIX}/hourly/merchant={shop.merchant_id}/month=*/rows.parquet"
    question = "SELECT sum(orders), sum(net) FROM read_parquet('{}', hive_partitioning = true) WHERE month = '{}'"
    with connected() as connection:
        answer = connection.execute(question.format(f"s3://{bucket}/{files}", "2025-03")).fetchall()
    rows = read_rows(ctx, shop, "hourly", MARCH, date(2025, 4, 1))
    assert answer == [(sum(row.orders for row in rows), sum(row.net for row in rows))]
    key = files.replace("*", "2025-03")
    assert {each.path for each in ear.objects()} == {f"/{bucket}/{key}"}
    stored = ctx.store.cloud.call("s3", "head_object", Bucket=bucket, Key=key)["ContentLength"]
    assert sum(each.size for each in ear.objects()) <= 2 * stored  # for what is in it, and for its rows
