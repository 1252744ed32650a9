"""What merchants read: real orders against a plain query, comparison, paging, versions, files, only their own."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest

from infra.cloud import Cloud
from infra.plan import apply
from infra.resources.storage import Bucket
from infra.resources.tables import DynamoTable
from rallyuxr.errors import InvalidInput, NotFound
from rallyuxr.ingest.order_files import read_orders
from rallyuxr.local import Endpoint
from rallyuxr.models.order import Merchant, Order
from rallyuxr.services.analytics import AnalyticsQuery, read_analytics, read_rows
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import add_merchant, freshness, list_merchants
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.order_imports import import_orders
from rallyuxr.services.orders import place_orders
from rallyuxr.services.rebuild import rebuild_aggregates
from rallyuxr.settings import Settings
from rallyuxr.store import Store
from rallyuxr.store.tables import ORDER_INDEX, ORDERS, VISITS

DAY = date(2025, 3, 31)


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    """Tables and a bucket without functions: the tests deliver the events themselves."""
    settings = Settings(stage="shops", endpoint_url=cloud.url)
    infra = Cloud(settings, cloud.keys())
    apply([DynamoTable(infra, ORDERS), DynamoTable(infra, ORDER_INDEX), DynamoTable(infra, VISITS), Bucket(infra)])
    return Context(Store(settings), clock=lambda: datetime(2025, 6, 1, tzinfo=UTC))


def new_merchant(ctx: Context, **changes: Any) -> Merchant:
    known = {"merchant_id": f"m-{uuid4()}", "name": "Shop", "time_zone": "Europe/Berlin", "currency": "EUR"}
    return add_merchant(ctx, Merchant.model_validate({**known, **changes}))


def sell(ctx: Context, merchant: Merchant, days: dict[int, int]) -> None:
    """Place and aggregate orders of 2.00: so many on the day so many days after DAY, one an hour."""
    orders = [
        Order.model_validate(
            {
                "merchant_id": merchant.merchant_id,
                "order_id": f"day{offset}-{number}",
                "time": merchant.midnight(DAY + timedelta(days=offset)) + timedelta(hours=number),
                "customer_id": f"c-{number}",
                "currency": merchant.currency,
                "items": [{"sku": "tea", "quantity": 1, "unit_price": Decimal(2)}],
            }
        )
        for offset, count in days.items()
        for number in range(count)
    ]
    place_orders(ctx, orders)
    aggregate_changes(ctx, orders)


CDNOW_AS_ORDERS = """
COPY (
    WITH visits AS (
        SELECT row_number() OVER () AS number, * FROM read_csv(
            $source, delim = ' ', header = false, skip = 1,
            columns = {'customer': 'VARCHAR', 'day': 'VARCHAR', 'discs': 'INTEGER', 'dollars': 'DECIMAL(9, 2)'}
        )
    )
    SELECT 'cdnow-' || (customer::INTEGER % 2) || $suffix AS merchant_id, 'o-' || number AS order_id,
        strftime(strptime(day, '%Y%m%d'), '%Y-%m-%dT12:00:00Z') AS time, customer AS customer_id,
        'cds' AS sku, 1 AS quantity, dollars AS unit_price, 'USD' AS currency, 'paid' AS status
    FROM visits WHERE day < '19970701' ORDER BY day, number
) TO '{file}' (HEADER)
"""
PLAIN_QUERY = """
SELECT time[:10]::DATE, count(*), sum(unit_price), count(DISTINCT customer_id),
    count(DISTINCT customer_id) FILTER (time = first_time)
FROM (
    SELECT *, min(time) OVER (PARTITION BY customer_id) AS first_time
    FROM read_csv(
        '{file}', types = {{'time': 'VARCHAR', 'unit_price': 'DECIMAL(9, 2)', 'customer_id': 'VARCHAR'}}
    )
    WHERE merchant_id = '{merchant}'
)
GROUP BY 1 ORDER BY 1
"""


def test_real_orders_equal_a_plain_query_after_duplicates_and_shuffles(ctx: Context, tmp_path: Path) -> None:
    file = tmp_path / "cdnow.csv"
    suffix = f"-{uuid4().hex[:8]}"
    raw = Path(str(distribution("lifetimes").locate_file("lifetimes/datasets/CDNOW_sample.txt"))).read_text()
    cleaned = tmp_path / "cleaned.txt"
    cleaned.write_text("\n".join(" ".join(line.split()[1:]) for line in raw.splitlines()))
    query = CDNOW_AS_ORDERS.replace("{file}", str(file))
    duckdb.execute(query, {"source": str(cleaned), "suffix": suffix})
    merchants = [
        new_merchant(ctx, merchant_id=f"cdnow-{part}{suffix}", time_zone="UTC", currency="USD") for part in (0, 1)
    ]

    orders = list(read_orders(file))
    shuffled = _shuffled_nearby(orders + random.Random(2).sample(orders, 700))
    outcomes = import_orders(ctx, shuffled)
    assert outcomes == {"created": len(orders), "unchanged": 700}

    events = [Order.from_json(order) for order in _shuffled_nearby(shuffled)]
    for first in range(0, len(events), 1000):
        aggregate_changes(ctx, events[first : first + 1000])
    for merchant in merchants:
        plain = duckdb.execute(PLAIN_QUERY.format(file=file, merchant=merchant.merchant_id)).fetchall()
        rows = read_rows(ctx, merchant, "daily", date(1997, 1, 1), date(1998, 1, 1))
        found = [(row.start.date(), row.orders, row.net, row.customers, row.new_customers) for row in rows]
        assert found == plain
        assert len(found) > 170
    rebuilt = rebuild_aggregates(ctx, merchants[0].merchant_id, date(1997, 1, 1), date(1997, 1, 31))
    assert rebuilt.differences == ()


def _shuffled_nearby(orders: list[Any]) -> list[Any]:
    """Out of order, but days that belong together mostly stay so, as in a stream."""
    rng = random.Random(1)
    ranked = sorted(orders, key=lambda order: order["time"])
    return [order for _, order in sorted(enumerate(ranked), key=lambda pair: pair[0] + rng.uniform(0, 300))]


def test_a_range_is_compared_with_the_one_before_and_with_last_year(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    sell(ctx, merchant, {0: 2, 1: 3, -1: 1, -2: 4, -364: 5})

    def orders(compare: Any) -> tuple[list[int | None], int | None]:
        query = AnalyticsQuery("daily", DAY, DAY + timedelta(days=2), ("orders",), compare)
        analytics = read_analytics(ctx, merchant.merchant_id, query).analytics
        assert analytics is not None
        assert analytics.range.totals.orders == 5
        assert analytics.comparison is not None
        return [row.orders for row in analytics.comparison.rows], analytics.comparison.totals.orders

    assert orders("previous") == ([4, 1], 5)
    assert orders("last_year") == ([5], 5)


def test_pages_cover_the_range_once_and_carry_its_totals(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    sell(ctx, merchant, {0: 10, 1: 10, -2: 10})
    seen: list[datetime] = []
    compared: list[datetime] = []
    token = None
    while True:
        query = AnalyticsQuery(
            "hourly", DAY, DAY + timedelta(days=2), compare="previous", limit=7, next_token=token
        )
        analytics = read_analytics(ctx, merchant.merchant_id, query).analytics
        assert analytics is not None
        assert analytics.comparison is not None
        seen += [row.start for row in analytics.range.rows]
        compared += [row.start for row in analytics.comparison.rows]
        assert (analytics.range.totals.orders, analytics.comparison.totals.orders) == (20, 10)
        if (token := analytics.next_token) is None:
            break
    assert len(seen) == len(set(seen)) == 20
    assert len(compared) == len(set(compared)) == 10  # the clocks change between the two ranges


def test_the_version_changes_with_the_orders_and_with_the_question(ctx: Context) -> None:
    merchant, other = new_merchant(ctx), new_merchant(ctx)
    sell(ctx, merchant, {0: 2})
    query = AnalyticsQuery("daily", DAY, DAY + timedelta(days=7))
    first = read_analytics(ctx, merchant.merchant_id, query)
    assert read_analytics(ctx, merchant.merchant_id, query, known_version=first.version).analytics is None
    sell(ctx, other, {0: 3})
    assert read_analytics(ctx, merchant.merchant_id, query).version == first.version
    assert read_analytics(ctx, other.merchant_id, query, known_version=first.version).analytics is not None
    sell(ctx, merchant, {1: 1})
    again = read_analytics(ctx, merchant.merchant_id, query, known_version=first.version)
    assert again.analytics is not None
    assert again.analytics.range.totals.orders == 3


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: AnalyticsQuery("daily", date.min, date(1, 2, 1)), "read from 1900 to 9990"),
        (lambda: AnalyticsQuery("daily", DAY, DAY), "has 0 days"),
        (lambda: AnalyticsQuery("hourly", DAY, DAY + timedelta(days=94)), "read for 1 to 93 days"),
        (lambda: AnalyticsQuery("daily", DAY, DAY + timedelta(days=1), ("profit",)), "No such metrics: profit"),
        (lambda: AnalyticsQuery("daily", DAY, DAY + timedelta(days=1), limit=0), "limit is 0"),
    ],
)
def test_questions_out_of_range_are_refused(make: Callable[[], AnalyticsQuery], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        make()


def test_no_merchant_reads_anothers_rows_whatever_its_id(ctx: Context) -> None:
    stem = f"m-{uuid4().hex[:8]}"
    ids = [stem, f"{stem}1", f"{stem}-1", f"{stem}_day=2025-03-31"[:60].replace("=", "-")]
    for number, merchant_id in enumerate(ids, start=1):
        sell(ctx, new_merchant(ctx, merchant_id=merchant_id), {0: number})
    for number, merchant_id in enumerate(ids, start=1):
        query = AnalyticsQuery("hourly", DAY - timedelta(days=30), DAY + timedelta(days=30))
        analytics = read_analytics(ctx, merchant_id, query).analytics
        assert analytics is not None
        assert analytics.range.totals.orders == number
        assert rebuild_aggregates(ctx, merchant_id, DAY, DAY).orders == number
    for stranger in (f"{stem}/../{stem}1", f"{stem}/", "#merchants", "merchant=x", "", f"{stem}#2025-03-31"):
        with pytest.raises((NotFound, InvalidInput)):
            read_analytics(ctx, stranger, AnalyticsQuery("daily", DAY, DAY + timedelta(days=1)))


def test_freshness_tells_the_newest_order_and_when_it_was_counted(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    assert freshness(ctx, merchant).to_json() == {}
    sell(ctx, merchant, {0: 2, 1: 4})
    known = freshness(ctx, merchant)
    assert known.last_order_at == merchant.midnight(DAY + timedelta(days=1)) + timedelta(hours=3)
    assert known.aggregated_at is not None


def test_every_merchant_is_listed(ctx: Context) -> None:
    merchant = new_merchant(ctx, time_zone="Asia/Tokyo", currency="JPY")
    assert merchant in list_merchants(ctx)
