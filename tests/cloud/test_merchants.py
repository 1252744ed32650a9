"""What merchants read: comparison, paging, versions, freshness, and only their own."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from rallyuxr.errors import InvalidInput, NotFound
from rallyuxr.local import Endpoint
from rallyuxr.models.order import Merchant, Order
from rallyuxr.services.analytics import AnalyticsQuery, read_analytics
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import freshness, list_merchants
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.orders import place_orders
from rallyuxr.services.rebuild import rebuild_aggregates
from tests.cloud.order_samples import bare_shops, new_merchant, requests_to

DAY = date(2025, 3, 31)


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    return bare_shops(cloud, "shops")


def sell(ctx: Context, merchant: Merchant, days: dict[int, int], *, mark: str = "") -> None:
    """Place and aggregate orders of 2.00: so many on the day so many days after DAY, one an hour."""
    orders = [
        Order.model_validate(
            {
                "merchant_id": merchant.merchant_id,
                "order_id": f"{mark}day{offset}-{number}",
                "time": merchant.midnight(DAY + timedelta(days=offset)) + timedelta(hours=number),
                "customer_id": f"{mark}c-{number}",
                "currency": merchant.currency,
                "items": [{"sku": "tea", "quantity": 1, "unit_price": Decimal(2)}],
            }
        )
        for offset, count in days.items()
        for number in range(count)
    ]
    place_orders(ctx, orders)
    aggregate_changes(ctx, orders)


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


@pytest.mark.slow
@pytest.mark.parametrize(("granularity", "objects"), [("hourly", 5), ("daily", 2)])
def test_reading_costs_by_the_days_asked_for_whatever_the_number_of_orders(
    ctx: Context, granularity: Any, objects: int
) -> None:
    """One object a day, or one for each of the two months; a listing, and another one for how fresh it is."""
    few, many = new_merchant(ctx), new_merchant(ctx)
    sell(ctx, few, dict.fromkeys(range(-2, 3), 1))
    for share in range(8):
        sell(ctx, many, dict.fromkeys(range(-2, 3), 20), mark=f"{share}-")
    query = AnalyticsQuery(granularity, DAY - timedelta(days=2), DAY + timedelta(days=3))
    costs = []
    for merchant, orders in ((few, 5), (many, 800)):
        with requests_to(ctx, "s3") as requests:
            analytics = read_analytics(ctx, merchant.merchant_id, query).analytics
        assert analytics is not None
        assert analytics.range.totals.orders == orders
        costs.append(dict(requests))
    assert costs == [{"ListObjectsV2": 2, "GetObject": objects}] * 2


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
