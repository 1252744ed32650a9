"""Aggregates as Parquet, for DuckDB and Athena: the rows as they are now, one file per merchant and month."""

import io
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from rallyuxr.models.aggregate import Aggregate, AnalyticsGranularity, ArmMoments
from rallyuxr.models.currency import minor_digits
from rallyuxr.models.order import Merchant
from rallyuxr.services.analytics import read_rows
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import require_merchant

if TYPE_CHECKING:
    import pyarrow as pa

GRANULARITIES: tuple[AnalyticsGranularity, ...] = ("hourly", "daily")
_MONEY = ("gross", "discounts", "refunds", "net", "shipping", "tax")
_COUNTS = ("orders", "items", "customers", "new_customers", "returning_customers")
_SQUARES = ("net_squares", "customer_net_squares")
_ARM_MONEY = ("net", "customer_orders_net")
_DIGITS = 38


def publish_parquet(ctx: Context, merchant_id: str, first: date, last: date) -> tuple[str, ...]:
    """Write the months that hold `first` to `last`, each whole, and return the objects' keys.

    Raises:
        NotFound: no such merchant.
    """
    merchant = require_merchant(ctx, merchant_id)
    keys = []
    for month in sorted({day.replace(day=1) for day in ctx.store.orders.days(merchant_id, first, last)}):
        following = (month + timedelta(days=31)).replace(day=1)
        for granularity in GRANULARITIES:
            rows = read_rows(ctx, merchant, granularity, month, following)
            if rows:
                content = parquet(merchant, rows)
                keys.append(ctx.store.aggregates.put_parquet(granularity, merchant_id, f"{month:%Y-%m}", content))
    return tuple(keys)


def parquet(merchant: Merchant, rows: Sequence[Aggregate]) -> bytes:
    """The rows as one Parquet file; amounts are exact decimals, the schema is in `docs/merchants.md`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([_flat(merchant, row) for row in rows], schema=_schema(merchant.currency))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _flat(merchant: Merchant, row: Aggregate) -> dict[str, Any]:
    arms = [
        {"experiment_id": experiment_id, "arm": arm, **moments.model_dump(by_alias=False)}
        for experiment_id, by_arm in row.arms.items()
        for arm, moments in by_arm.items()
    ]
    return {
        **row.model_dump(exclude={"arms", "channels"}, by_alias=False),
        "currency": merchant.currency,
        "statuses": list(row.statuses.items()),
        "channels": [{"channel": name, **part.model_dump(by_alias=False)} for name, part in row.channels.items()],
        "products": [part.model_dump(by_alias=False) for part in row.products],
        "arms": arms,
    }


def _schema(currency: str) -> "pa.Schema":
    import pyarrow as pa

    money, squares = (
        pa.decimal128(_DIGITS, minor_digits(currency)),
        pa.decimal128(_DIGITS, 2 * minor_digits(currency)),
    )
    kinds = {**dict.fromkeys(_SQUARES, squares), **dict.fromkeys(_ARM_MONEY, money)}
    moments = [(name, kinds.get(name, pa.int64())) for name in ArmMoments.model_fields]
    moment = pa.timestamp("us", tz="UTC")
    return pa.schema(
        [
            ("start", moment),
            ("end", moment),
            ("currency", pa.string()),
            *((name, pa.int64()) for name in _COUNTS),
            *((name, money) for name in _MONEY),
            ("statuses", pa.map_(pa.string(), pa.int64())),
            ("channels", pa.list_(pa.struct([("channel", pa.string()), ("orders", pa.int64()), ("net", money)]))),
            ("products", pa.list_(pa.struct([("sku", pa.string()), ("quantity", pa.int64()), ("gross", money)]))),
            ("arms", pa.list_(pa.struct([("experiment_id", pa.string()), ("arm", pa.string()), *moments]))),
        ]
    )
