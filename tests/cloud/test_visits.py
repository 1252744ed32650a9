"""Counts of visits: which one stands, what they do to the aggregates, and whose they are."""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import permutations
from uuid import uuid4

import pytest

from rallyuxr.errors import InvalidInput, NotFound
from rallyuxr.local import Endpoint
from rallyuxr.models.order import Merchant
from rallyuxr.models.visits import VisitCount
from rallyuxr.services.analytics import AnalyticsQuery, read_analytics, read_rows
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import add_merchant, freshness
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.rebuild import rebuild_aggregates
from rallyuxr.services.visits import MAX_COUNTS, record_visits
from rallyuxr.store import CountedHour
from tests.cloud.order_samples import NOW, bare_shops, disturbed

DAY = date(2025, 3, 31)


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    return bare_shops(cloud, "visits")


@pytest.fixture
def merchant(ctx: Context) -> Merchant:
    return add_merchant(ctx, Merchant(merchant_id=f"m-{uuid4()}", name="Shop", time_zone="Asia/Kolkata"))


def a_count(
    merchant: Merchant, hour: int, visits: int, minute: int | None = None, arm: str | None = None
) -> VisitCount:
    start = merchant.midnight(DAY) + timedelta(hours=hour)
    counted = None if minute is None else start + timedelta(hours=1, minutes=minute)
    return VisitCount.model_validate(
        {"hour": start, "visits": visits, "counted_at": counted, "arm": arm, "experiment_id": arm and "x"}
    )


def standing(ctx: Context, merchant: Merchant) -> list[int]:
    return [count.visits for count in ctx.store.visits.counts_of_day(merchant, DAY)]


def aggregated(ctx: Context, merchant: Merchant, counts: Sequence[VisitCount]) -> None:
    aggregate_changes(ctx, [CountedHour(merchant.merchant_id, count.hour) for count in counts])


@pytest.mark.parametrize("together", [False, True])
def test_the_count_of_the_latest_time_stands_in_whatever_order_they_come(ctx: Context, together: bool) -> None:
    for minutes in permutations([(1, 70), (5, 50), (5, 40), (3, 90)]):
        merchant = add_merchant(ctx, Merchant(merchant_id=f"m-{uuid4()}", name="Shop"))
        counts = [a_count(merchant, 3, visits, minute) for minute, visits in minutes]
        for piece in [counts] if together else [[count] for count in counts]:
            record_visits(ctx, merchant.merchant_id, piece)
        assert standing(ctx, merchant) == [50]


def test_a_count_is_replaced_never_added_to_and_the_answer_says_so(ctx: Context, merchant: Merchant) -> None:
    def outcomes(*counts: VisitCount) -> list[str]:
        return [receipt.outcome for receipt in record_visits(ctx, merchant.merchant_id, counts)]

    assert outcomes(a_count(merchant, 3, 70, 1), a_count(merchant, 4, 5, 1)) == ["created", "created"]
    assert outcomes(a_count(merchant, 3, 70, 1)) == ["unchanged"]
    assert outcomes(a_count(merchant, 3, 60, 2), a_count(merchant, 3, 99, 0)) == ["updated", "unchanged"]
    assert outcomes(a_count(merchant, 3, 30, 2, arm="treatment")) == ["created"]
    assert standing(ctx, merchant) == [60, 30, 5]


def test_a_count_that_does_not_say_when_it_was_counted_was_counted_when_it_came(
    ctx: Context, merchant: Merchant
) -> None:
    record_visits(ctx, merchant.merchant_id, [a_count(merchant, 3, 70)])
    assert record_visits(ctx, merchant.merchant_id, [a_count(merchant, 3, 10, 30)])[0].outcome == "unchanged"
    later = Context(ctx.store, clock=lambda: NOW + timedelta(hours=1))
    assert record_visits(later, merchant.merchant_id, [a_count(merchant, 3, 10)])[0].outcome == "updated"
    assert standing(ctx, merchant) == [10]


@pytest.mark.parametrize("between", [1, 2, 3])
def test_a_later_count_that_comes_while_an_earlier_one_is_taken_stands(
    ctx: Context, merchant: Merchant, between: int
) -> None:
    """Before the merchant is read, the counts there are, or the write that decides."""
    record_visits(ctx, merchant.merchant_id, [a_count(merchant, 3, 70, 1)])

    def later() -> None:
        record_visits(ctx, merchant.merchant_id, [a_count(merchant, 3, 10, 30)])

    with disturbed(ctx.store, between, later, reached=False):
        receipt = record_visits(ctx, merchant.merchant_id, [a_count(merchant, 3, 50, 5)])[0]
    assert (receipt.outcome, standing(ctx, merchant)) == ("unchanged", [10])


def test_each_count_is_answered_for_itself(ctx: Context, merchant: Merchant) -> None:
    midnight = merchant.midnight(DAY)
    sent = [
        {"hour": midnight.isoformat(), "visits": 3},
        {"hour": (midnight + timedelta(minutes=30)).isoformat(), "visits": 3},
        {"hour": "2031-01-01T00:30:00Z", "visits": 3},
        {"hour": midnight.isoformat(), "visits": 3, "countedAt": "2031-01-01T00:00:00Z"},
        {"hour": "0001-01-01T00:00:00Z", "visits": 3},
        {"visits": "many"},
    ]
    receipts = record_visits(ctx, merchant.merchant_id, sent)
    assert [receipt.outcome for receipt in receipts] == ["created", *["refused"] * 5]
    reasons = " ".join(receipt.reason or "" for receipt in receipts)
    for part in (
        "not the start of an hour in Asia/Kolkata",
        "lies in the future",
        "lies before 1900",
        "hour: Field required",
    ):
        assert part in reasons


def test_batches_have_a_limit_and_a_full_one_is_stored_whole(ctx: Context, merchant: Merchant) -> None:
    with pytest.raises(InvalidInput, match="at most 1000"):
        record_visits(ctx, merchant.merchant_id, [{}] * (MAX_COUNTS + 1))
    counts = [a_count(merchant, hour, hour, 1) for hour in range(MAX_COUNTS)]
    assert {receipt.outcome for receipt in record_visits(ctx, merchant.merchant_id, counts)} == {"created"}
    assert sum(len(ctx.store.visits.counts_of_day(merchant, day)) for day in _days(ctx, merchant)) == MAX_COUNTS


def test_an_unknown_merchant_is_not_found(ctx: Context) -> None:
    with pytest.raises(NotFound, match="no merchant 'nobody'"):
        record_visits(ctx, "nobody", [])


def test_visits_without_orders_have_rows_and_are_no_orders(ctx: Context, merchant: Merchant) -> None:
    counts = [a_count(merchant, hour, 10 * hour, 1) for hour in (1, 2, 23)]
    record_visits(ctx, merchant.merchant_id, counts)
    shuffled = random.Random(1).sample(counts * 2, 6)
    aggregated(ctx, merchant, shuffled)
    hours = read_rows(ctx, merchant, "hourly", DAY, DAY + timedelta(days=1))
    assert [row.visits for row in hours] == [10, 20, 230]
    query = AnalyticsQuery("daily", DAY, DAY + timedelta(days=1), ("visits", "conversion", "orders"), "previous")
    analytics = read_analytics(ctx, merchant.merchant_id, query).analytics
    assert analytics is not None
    assert analytics.range.totals.to_json()["conversion"] == {"numerator": 0.0, "denominator": 260, "value": 0.0}
    assert analytics.comparison is not None
    assert analytics.comparison.totals.conversion is None
    assert freshness(ctx, merchant).last_order_at is None


def test_a_lost_count_is_found_and_mended_by_a_rebuild(ctx: Context, merchant: Merchant) -> None:
    counts = [a_count(merchant, hour, 5, 1) for hour in range(4)]
    record_visits(ctx, merchant.merchant_id, counts)
    aggregated(ctx, merchant, counts[:3])
    rebuilt = rebuild_aggregates(ctx, merchant.merchant_id, DAY, DAY)
    assert (rebuilt.days, rebuilt.orders, rebuilt.differences) == (1, 0, (counts[3].hour,))
    assert rebuild_aggregates(ctx, merchant.merchant_id, DAY, DAY).differences == ()


def test_no_merchants_visits_reach_another(ctx: Context) -> None:
    stem = f"m-{uuid4().hex[:8]}"
    shops = [add_merchant(ctx, Merchant(merchant_id=f"{stem}{end}", name="Shop")) for end in ("", "1", "-1")]
    for number, shop in enumerate(shops, start=1):
        counts = [a_count(shop, 3, number, 1)]
        record_visits(ctx, shop.merchant_id, counts)
        aggregated(ctx, shop, counts)
    for number, shop in enumerate(shops, start=1):
        assert standing(ctx, shop) == [number]
        assert [row.visits for row in read_rows(ctx, shop, "daily", DAY, DAY + timedelta(days=1))] == [number]
    for stranger in (f"{stem}#{DAY}", f"{stem}/../{stem}1", "#experiments", ""):
        with pytest.raises((NotFound, InvalidInput)):
            record_visits(ctx, stranger, [a_count(shops[0], 3, 1, 1)])


def _days(ctx: Context, merchant: Merchant) -> list[date]:
    return list(ctx.store.visits.days(merchant.merchant_id))
