"""Athena cannot run here: its statement is held against every file the writer makes, as strictly as it can be."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rallyuxr.local import Endpoint
from rallyuxr.models.order import Order
from rallyuxr.models.visits import VisitCount
from rallyuxr.services import aggregate_files
from rallyuxr.services.aggregate_files import publish_parquet
from rallyuxr.services.analytics import read_rows
from rallyuxr.services.context import Context
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.orders import place_orders
from rallyuxr.services.visits import record_visits
from rallyuxr.store import CountedHour
from tests.cloud.athena import disagreements, read_ddl
from tests.cloud.order_samples import bare_shops, new_merchant

DAILY = (Path(__file__).parents[2] / "docs" / "athena.sql").read_text()
HOURLY = DAILY.replace("daily", "hourly")
NOW = datetime(2025, 5, 31, tzinfo=UTC)
MONTHS = {"New York": ("1899-12", "2025-05"), "Auckland": ("1900-01", "2025-05", "2025-06")}
"""Of the earliest and the latest order that is taken, on clocks behind and ahead of UTC."""


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    return bare_shops(cloud, "athena", now=NOW)


@pytest.fixture(scope="module")
def shops(ctx: Context) -> dict[str, str]:
    """Merchants whose orders have everything in them, at the ends of the calendar; their ids by city."""
    found = {}
    for city, zone, currency in (
        ("New York", "America/New_York", "USD"),
        ("Auckland", "Pacific/Auckland", "BHD"),
    ):
        shop = new_merchant(ctx, time_zone=zone, currency=currency)
        times = [datetime(1900, 1, 1, tzinfo=UTC), NOW, NOW + timedelta(days=1)]
        orders = [
            Order.model_validate(
                {
                    "merchant_id": shop.merchant_id,
                    "order_id": f"o-{number}",
                    "time": time,
                    "customer_id": "ann",
                    "currency": currency,
                    "items": [{"sku": "tea", "quantity": 3, "unit_price": Decimal("10000000000.01")}],
                    "experiment_id": "x",
                    "arm": "control",
                    "status": "refunded",
                    "refunded": Decimal("0.01"),
                }
            )
            for number, time in enumerate(times)
        ]
        assert {receipt.outcome for receipt in place_orders(ctx, orders)} == {"created"}
        counted = shop.hour_of(NOW)
        record_visits(ctx, shop.merchant_id, [VisitCount(hour=counted, visits=7)])
        aggregate_changes(ctx, [*orders, CountedHour(shop.merchant_id, counted)])
        publish_parquet(ctx, shop.merchant_id, date.min, date.max)
        found[city] = shop.merchant_id
    return found


def stored(ctx: Context, granularity: str) -> dict[str, bytes]:
    """Every object where the statement's table lies, by key."""
    bucket, prefix = ctx.store.cloud.bucket, f"aggregates/v1/parquet/{granularity}/"
    listed = ctx.store.cloud.call("s3", "list_objects_v2", Bucket=bucket, Prefix=prefix)["Contents"]
    return {
        each["Key"]: ctx.store.cloud.call("s3", "get_object", Bucket=bucket, Key=each["Key"])["Body"].read()
        for each in listed
    }


@pytest.mark.parametrize("ddl", [DAILY, HOURLY], ids=["daily", "hourly"])
def test_athenas_table_fits_every_file_and_every_file_lies_in_a_partition(
    ctx: Context, shops: dict[str, str], ddl: str
) -> None:
    table = read_ddl(ddl)
    files = stored(ctx, table.name.removeprefix("rallyuxr_"))
    assert disagreements(table, files, NOW) == []
    partitions = [table.of(key, NOW) for key in files]
    expected = [{"merchant": shops[city], "month": month} for city, months in MONTHS.items() for month in months]
    assert sorted(map(repr, partitions)) == sorted(map(repr, expected)), "one file for each partition"


@pytest.mark.parametrize("ddl", [DAILY, HOURLY], ids=["daily", "hourly"])
def test_the_query_of_the_statement_gives_the_rows(
    ctx: Context, shops: dict[str, str], ddl: str, tmp_path: Path
) -> None:
    """On a table of the files that partition projection leads to, read under the declared types."""
    table = read_ddl(ddl)
    granularity: Any = table.name.removeprefix("rallyuxr_")
    query = "\n".join(line.removeprefix("-- ") for line in ddl[ddl.index("-- SELECT") :].splitlines())
    with duckdb.connect() as athena:
        for number, (key, content) in enumerate(stored(ctx, granularity).items()):
            file = tmp_path / f"{number}.parquet"
            file.write_bytes(content)
            values = ", ".join(f"'{value}' AS {name}" for name, value in (table.of(key, NOW) or {}).items())
            create = "INSERT INTO files" if number else "CREATE TABLE files AS"
            athena.execute(f"{create} SELECT *, {values} FROM read_parquet('{file}')")
        athena.execute(f"CREATE VIEW {table.name} AS SELECT * FROM files")
        for merchant_id in shops.values():
            asked = query.replace("berlin-books", merchant_id).replace("'2025-03'", "'2025-06'")
            found = athena.sql(asked).to_arrow_table().to_pylist()
            merchant = ctx.store.merchants.get(merchant_id)
            assert merchant is not None
            rows = read_rows(ctx, merchant, granularity, date(2025, 1, 1), date(2025, 7, 1))
            assert [tuple(row.values()) for row in found] == [(row.start, row.orders, row.net) for row in rows]
            assert sum(row.orders for row in rows) == 2


CHANGES_OF_THE_STATEMENT: list[tuple[str, str]] = [
    ("  orders bigint,\n  items bigint,", "  items bigint,"),
    ("  orders bigint,\n  items bigint,", "  items bigint,\n  orders bigint,"),
    ("  currency string,", "  ccy string,"),
    ("  visits bigint,\n", "  visits string,\n"),
    ("  gross decimal(38, 4)", "  gross decimal(38, 2)"),
    ("  net decimal(38, 4)", "  net decimal(20, 4)"),
    ("net_squares: decimal(38, 8)", "net_squares: decimal(38, 4)"),
    ("statuses map<string, bigint>", "statuses map<string, string>"),
    ("struct<channel: string", "struct<name: string"),
    ("quantity: bigint, gross: decimal(38, 4)", "gross: decimal(38, 4), quantity: bigint"),
    ("    visits: bigint, visit_hours: bigint,", "    visit_hours: bigint,"),
    ("merchant string, `month` string", "merchant string"),
    ("STORED AS PARQUET", "STORED AS ORC"),
    ("LOCATION 's3://BUCKET/aggregates/v1/", "LOCATION 's3://BUCKET/aggregates/v2/"),
    ("month=${month}/'", "period=${month}/'"),
    ("daily/merchant=${merchant}", "hourly/merchant=${merchant}"),
    ("'1899-12,NOW", "'1990-01,NOW"),
    ("NOW+1MONTHS'", "NOW'"),
    ("'projection.enabled' = 'true'", "'projection.enabled' = 'false'"),
]


@pytest.mark.parametrize(("there", "instead"), CHANGES_OF_THE_STATEMENT, ids=lambda text: text.strip()[:40])
def test_a_statement_that_says_anything_else_is_noticed(
    ctx: Context, shops: dict[str, str], there: str, instead: str
) -> None:
    assert there in DAILY
    changed = read_ddl(DAILY.replace(there, instead, 1))
    assert disagreements(changed, stored(ctx, "daily"), NOW)


@pytest.mark.parametrize(
    "change",
    [
        lambda columns: {"schema": "VARCHAR", **columns},
        lambda columns: {name: kind for name, kind in columns.items() if name != "tax"},
        lambda columns: {**columns, "orders": "INTEGER"},
        lambda columns: {**columns, "net": "DECIMAL(18, 4)"},
        lambda columns: {**columns, "start": "TIMESTAMP"},
        lambda columns: {**columns, "channels": columns["channels"].replace("orders", "count")},
        lambda columns: {**columns, "statuses": "MAP(VARCHAR, INTEGER)"},
        lambda columns: dict(sorted(columns.items())),
    ],
    ids=[
        "added",
        "removed",
        "narrower",
        "smaller decimal",
        "without zone",
        "renamed",
        "in a map",
        "in other order",
    ],
)
def test_files_with_another_schema_are_noticed(
    ctx: Context,
    shops: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[dict[str, str]], dict[str, str]],
) -> None:
    merchant = ctx.store.merchants.get(shops["New York"])
    assert merchant is not None
    books = aggregate_files.read_books(ctx, merchant, "daily", date(2025, 5, 1), date(2025, 6, 1))
    monkeypatch.setattr(aggregate_files, "COLUMNS", change(dict(aggregate_files.COLUMNS)))
    key = next(key for key in stored(ctx, "daily") if key.endswith("month=2025-05/rows.parquet"))
    assert disagreements(read_ddl(DAILY), {key: aggregate_files.parquet(merchant, books)}, NOW)
