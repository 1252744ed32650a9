"""Aggregates as Parquet, for DuckDB and Athena: one file per merchant and month, written within a minute.

Whoever changes a month's rows marks its files as behind; the function `parquetWriter` looks for marks every minute.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rallyuxr.errors import RallyError, Unavailable
from rallyuxr.models.aggregate import Aggregate, AggregateBook, AnalyticsGranularity, ArmMoments, Visited
from rallyuxr.models.order import Merchant
from rallyuxr.services.analytics import read_books
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import require_merchant
from rallyuxr.services.rebuild import known_days

GRANULARITIES: tuple[AnalyticsGranularity, ...] = ("hourly", "daily")
MONEY, SQUARES = "DECIMAL(38, 4)", "DECIMAL(38, 8)"
"""Of every currency, so that files of several merchants read as one table; no currency has more than 4 decimals."""
_ARM_KINDS = {
    **dict.fromkeys(("net_squares", "customer_net_squares"), SQUARES),
    **dict.fromkeys(("net", "customer_orders_net"), MONEY),
}
_MOMENTS = ", ".join(f"{name} {_ARM_KINDS.get(name, 'BIGINT')}" for name in ArmMoments.model_fields)
COLUMNS: Mapping[str, str] = {
    "start": "TIMESTAMPTZ",
    "end": "TIMESTAMPTZ",
    "currency": "VARCHAR",
    **dict.fromkeys(("orders", "items", "customers", "new_customers", "returning_customers"), "BIGINT"),
    **dict.fromkeys(("gross", "discounts", "refunds", "net", "shipping", "tax"), MONEY),
    **dict.fromkeys(Visited.model_fields, "BIGINT"),
    "statuses": "MAP(VARCHAR, BIGINT)",
    "channels": f"STRUCT(channel VARCHAR, orders BIGINT, net {MONEY})[]",
    "products": f"STRUCT(sku VARCHAR, quantity BIGINT, gross {MONEY})[]",
    "arms": f"STRUCT(experiment_id VARCHAR, arm VARCHAR, {_MOMENTS})[]",
}


@dataclass(frozen=True, slots=True)
class PublishedFiles:
    """The objects that were written, and the months that could not be, and why."""

    keys: tuple[str, ...]
    failed: Mapping[str, str]


def publish_behind(ctx: Context) -> PublishedFiles:
    """Write the files of every month whose rows changed since; what fails stays marked and is tried again."""
    keys: list[str] = []
    failed = {}
    for name, mark in ctx.store.files_behind.pending().items():
        merchant_id, month = name.split("#")
        try:
            keys += _publish_month(ctx, require_merchant(ctx, merchant_id), date.fromisoformat(f"{month}-01"))
        except Unavailable:
            raise
        except RallyError as problem:
            failed[name] = problem.message
            continue
        ctx.store.files_behind.clear(name, mark)
    return PublishedFiles(tuple(keys), failed)


def publish_parquet(ctx: Context, merchant_id: str, first: date, last: date) -> tuple[str, ...]:
    """Write the months that hold `first` to `last` now, each whole, and return the objects' keys.

    Raises:
        NotFound: no such merchant.
    """
    merchant = require_merchant(ctx, merchant_id)
    months = sorted({day.replace(day=1) for day in known_days(ctx, merchant_id, first, last)})
    return tuple(key for month in months for key in _publish_month(ctx, merchant, month))


def parquet(merchant: Merchant, books: Sequence[AggregateBook]) -> bytes:
    """The books' rows as one Parquet file; amounts are exact decimals.

    The file says which revision of the rows it holds, so two different months never have the same bytes.
    """
    import duckdb

    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
    revision = sum(book.revision for book in books)
    writer = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    with TemporaryDirectory() as folder, writer:
        source, target = Path(folder, "rows.json"), Path(folder, "rows.parquet")
        rows = (json.dumps(_flat(merchant, row)) for book in books for row in book.rows)
        source.write_text("\n".join(rows))
        table = f"read_json('{source}', format = 'newline_delimited', columns = {{{columns}}})"
        writer.execute(
            f"COPY (FROM {table}) TO '{target}' "
            f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {{schema_version: '1', revision: '{revision}'}})"
        )
        return target.read_bytes()


def _publish_month(ctx: Context, merchant: Merchant, month: date) -> list[str]:
    following = (month + timedelta(days=31)).replace(day=1)

    def content(granularity: AnalyticsGranularity) -> bytes:
        return parquet(merchant, read_books(ctx, merchant, granularity, month, following))

    return [
        ctx.store.aggregates.replace_file(granularity, merchant.merchant_id, f"{month:%Y-%m}", content)
        for granularity in GRANULARITIES
    ]


def _flat(merchant: Merchant, row: Aggregate) -> dict[str, Any]:
    fields = row.model_dump(mode="json", by_alias=False)
    return {
        **fields,
        "currency": merchant.currency,
        "channels": [{"channel": name, **part} for name, part in fields["channels"].items()],
        "arms": [
            {"experiment_id": experiment_id, "arm": arm, **moments}
            for experiment_id, arms in fields["arms"].items()
            for arm, moments in arms.items()
        ],
    }
