"""Real orders: what merchants read equals a plain query over the file that the orders came from, to the cent."""

import random
from datetime import date
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest

from rallyuxr.ingest.order_files import read_orders
from rallyuxr.local import Endpoint
from rallyuxr.models.order import Order
from rallyuxr.services.analytics import read_rows
from rallyuxr.services.context import Context
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.order_imports import import_orders
from rallyuxr.services.rebuild import rebuild_aggregates
from tests.cloud.order_samples import bare_shops, new_merchant

CDNOW = distribution("lifetimes").locate_file("lifetimes/datasets/CDNOW_sample.txt")
FIRST, LAST = date(1997, 1, 1), date(1998, 7, 1)
VISITS = rf"""
    SELECT row_number() OVER () AS number, customer, strptime(day, '%Y%m%d')::DATE AS day,
        dollars::DECIMAL(9, 2) AS dollars, customer::INTEGER % 2 AS part
    FROM (
        SELECT unnest(
            regexp_extract(line, '^\s*\d+\s+(\d+)\s+(\d+)\s+\d+\s+([\d.]+)\s*$', ['customer', 'day', 'dollars'])
        )
        FROM (SELECT unnest(string_split(trim(content, chr(10)), chr(10))) AS line FROM read_text('{CDNOW}'))
    )
"""
"""Each line of the file: a customer bought discs on a day; customers of even and odd numbers are two merchants."""
AS_ORDERS = f"""
COPY (
    SELECT 'cdnow-' || part || $suffix AS merchant_id, 'o-' || number AS order_id,
        strftime(day, '%Y-%m-%dT12:00:00Z') AS time, customer AS customer_id,
        'cds' AS sku, 1 AS quantity, dollars AS unit_price, 'USD' AS currency, 'paid' AS status
    FROM ({VISITS}) WHERE day < $until ORDER BY day, number
) TO '{{file}}' (HEADER)
"""
PLAIN_QUERY = f"""
    SELECT day, count(*), sum(dollars), count(DISTINCT customer), count(DISTINCT customer) FILTER (day = first_day)
    FROM (SELECT *, min(day) OVER (PARTITION BY customer) AS first_day FROM ({VISITS}))
    WHERE part = ? AND day < ? GROUP BY day ORDER BY day
"""


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    return bare_shops(cloud, "real")


@pytest.mark.slow
@pytest.mark.parametrize(("until", "count", "days"), [(date(1997, 2, 1), 885, 31), (LAST, 6919, 500)])
def test_real_orders_equal_a_plain_query_after_duplicates_and_shuffles(
    ctx: Context, tmp_path: Path, until: date, count: int, days: int
) -> None:
    file, suffix = tmp_path / "cdnow.csv", f"-{uuid4().hex[:8]}"
    duckdb.execute(AS_ORDERS.replace("{file}", str(file)), {"suffix": suffix, "until": until})
    merchants = [
        new_merchant(ctx, merchant_id=f"cdnow-{part}{suffix}", time_zone="UTC", currency="USD") for part in (0, 1)
    ]

    orders = list(read_orders(file))
    assert len(orders) == count
    shuffled = shuffled_nearby(orders + random.Random(2).sample(orders, 700))
    assert import_orders(ctx, shuffled) == {"created": count, "unchanged": 700}
    events = [Order.from_json(order) for order in shuffled_nearby(shuffled)]
    for first in range(0, len(events), 1000):
        aggregate_changes(ctx, events[first : first + 1000])

    for part, merchant in enumerate(merchants):
        rows = read_rows(ctx, merchant, "daily", FIRST, LAST)
        found = [(row.start.date(), row.orders, row.net, row.customers, row.new_customers) for row in rows]
        assert found == duckdb.execute(PLAIN_QUERY, [part, until]).fetchall()
        assert len(found) >= days
    assert rebuild_aggregates(ctx, merchants[0].merchant_id, FIRST, date(1997, 1, 31)).differences == ()


def shuffled_nearby(orders: list[Any]) -> list[Any]:
    """Out of order, but days that belong together mostly stay so, as in a stream."""
    rng = random.Random(1)
    ranked = sorted(orders, key=lambda order: order["time"])
    return [order for _, order in sorted(enumerate(ranked), key=lambda pair: pair[0] + rng.uniform(0, 300))]
