"""Orders in: what is stored once, what is answered for each, and what is read back."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier

import pytest

from rallyuxr.errors import Conflict, InvalidInput, NotFound, RallyError
from rallyuxr.local import Endpoint
from rallyuxr.services.context import Context
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.orders import MAX_BATCH, get_order, place_order, place_orders, recent_orders
from rallyuxr.store.tables import ORDER_INDEX
from tests.cloud.order_samples import Crash, an_order, bare_shops, disturbed, interrupted, new_merchant, requests_to


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    return bare_shops(cloud, "taken")


def test_the_same_order_twice_changes_nothing_and_other_content_is_refused(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    order = an_order(merchant, 1)
    assert place_order(ctx, order).outcome == "created"
    assert place_order(ctx, order.to_json()).outcome == "unchanged"
    moved = an_order(merchant, 1, hour=40)
    with pytest.raises(Conflict, match="different content"):
        place_order(ctx, moved)
    assert place_order(ctx, {**order.to_json(), "status": "refunded"}).outcome == "updated"
    assert get_order(ctx, merchant.merchant_id, "o-1").net == 0


def test_a_batch_answers_for_each_order(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    stored = an_order(merchant, 1)
    place_order(ctx, stored)
    batch = [
        stored.to_json(),
        an_order(merchant, 2).to_json(),
        {**an_order(merchant, 2).to_json(), "status": "paid"},
        {**an_order(merchant, 3).to_json(), "currency": "USD"},
        {**an_order(merchant, 4).to_json(), "merchantId": "nobody"},
        {**stored.to_json(), "customerId": "someone-else"},
        {"orderId": "o-9"},
        {**an_order(merchant, 5).to_json(), "time": "2031-01-01T00:00:00Z"},
        {**an_order(merchant, 5).to_json(), "time": "0001-01-01T00:00:00Z"},
        {**an_order(merchant, 5).to_json(), "time": "9999-12-31T23:59:59Z"},
    ]
    receipts = place_orders(ctx, batch)
    outcomes = [receipt.outcome for receipt in receipts]
    assert outcomes == ["unchanged", "created", "updated", *["refused"] * 7]
    reasons = " ".join(receipt.reason or "" for receipt in receipts)
    for part in (
        "sells in EUR",
        "no merchant 'nobody'",
        "different content",
        "merchantId: Field required",
        "lies in the future",
        "lies before 1900",
    ):
        assert part in reasons


def test_an_order_repeated_within_a_batch_is_read_once(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    order, refunded = an_order(merchant, 1), an_order(merchant, 1, status="refunded")
    with requests_to(ctx, "dynamodb") as requests:
        receipts = place_orders(ctx, [order, *[order, refunded] * 400])
    assert [receipt.outcome for receipt in receipts] == ["created", "unchanged", "updated"] + ["unchanged"] * 798
    assert requests.total() < 10
    assert get_order(ctx, merchant.merchant_id, order.order_id).status == "refunded"


def test_a_resent_batch_costs_a_few_requests_and_no_write_of_what_is_known(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    orders = [an_order(merchant, number, hour=number % 70) for number in range(MAX_BATCH)]
    with requests_to(ctx, "dynamodb") as requests:
        place_orders(ctx, orders)
    assert requests["TransactWriteItems"] == MAX_BATCH // 50, "two writes for each order, a hundred at once"
    assert requests["BatchGetItem"] == 0, "nothing is looked up where all is new"
    with requests_to(ctx, "dynamodb") as requests:
        receipts = place_orders(ctx, orders)
    assert {receipt.outcome for receipt in receipts} == {"unchanged"}
    # The merchant; one transaction that meets known ids; claims before, then claims and orders, a hundred at once.
    assert requests == {"GetItem": 1, "TransactWriteItems": 1, "BatchGetItem": 30}
    with requests_to(ctx, "dynamodb") as requests:
        receipts = place_orders(ctx, [order.model_copy(update={"status": "paid"}) for order in orders])
    assert {receipt.outcome for receipt in receipts} == {"updated"}
    assert requests == {"GetItem": 1, "TransactWriteItems": 11, "BatchGetItem": 30}


def test_batches_of_the_same_orders_sent_at_once_end_in_the_furthest_state_of_each(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    statuses = ("placed", "paid", "refunded", "cancelled")
    gate = Barrier(8)

    def send(worker: int) -> list[str]:
        batch = [an_order(merchant, n, status=statuses[(n + worker) % 4]) for n in range(60)]
        gate.wait()
        return [receipt.outcome for receipt in place_orders(ctx, batch)]

    with ThreadPoolExecutor(8) as workers:
        outcomes = list(workers.map(send, range(8)))
    for number in range(60):
        told = Counter(answer[number] for answer in outcomes)
        assert told["created"] == 1
        assert told["refused"] == 0
        assert get_order(ctx, merchant.merchant_id, f"o-{number}").status == "cancelled"


@pytest.mark.parametrize("reached", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_batch_that_dies_at_any_call_is_whole_after_it_is_sent_again(ctx: Context, reached: bool) -> None:
    for calls in count(1):
        merchant = new_merchant(ctx)
        known = [an_order(merchant, number) for number in range(60)]
        place_orders(ctx, known)
        batch = [an_order(merchant, number, status="paid") for number in range(130)]
        died = False
        try:
            with interrupted(ctx.store, calls, reached=reached):
                place_orders(ctx, batch)
        except Crash:
            died = True
        assert "refused" not in {receipt.outcome for receipt in place_orders(ctx, batch)}
        days = ctx.store.orders.days(merchant.merchant_id)
        stored = [order for day in days for order in ctx.store.orders.orders_of_day(merchant, day)]
        assert sorted(order.order_id for order in stored) == sorted(order.order_id for order in batch)
        assert {order.status for order in stored} == {"paid"}
        if not died:
            break
    assert calls > 8


def test_a_write_that_others_outran_is_read_again(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    order = an_order(merchant, 1)
    place_order(ctx, order)

    def refund() -> None:
        place_order(ctx, order.model_copy(update={"status": "refunded"}))

    # The fifth call writes: after the merchant, the creation that fails, the claim and the order.
    with disturbed(ctx.store, 5, refund, reached=False):
        receipt = place_order(ctx, order.model_copy(update={"status": "paid"}))
    assert receipt.outcome == "unchanged", "the refund that came first has overtaken it"
    assert get_order(ctx, merchant.merchant_id, "o-1").status == "refunded"


def test_a_batch_has_a_limit(ctx: Context) -> None:
    with pytest.raises(InvalidInput, match="at most 1000"):
        place_orders(ctx, [{}] * (MAX_BATCH + 1))


def test_a_full_batch_is_stored_whole(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    orders = [an_order(merchant, number, hour=number % 70) for number in range(MAX_BATCH)]
    assert {receipt.outcome for receipt in place_orders(ctx, orders)} == {"created"}
    assert {receipt.outcome for receipt in place_orders(ctx, orders)} == {"unchanged"}


def test_no_partition_of_the_index_grows_with_the_orders(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    orders = [an_order(merchant, number, hour=number % 20, customer_id=f"c#{number}") for number in range(50)]
    place_orders(ctx, orders)
    aggregate_changes(ctx, orders)
    for name in (merchant.merchant_id, f"{merchant.merchant_id}#order#o-7", f"{merchant.merchant_id}#customer#c#7"):
        assert len(list(ctx.store.dynamo.query(ORDER_INDEX, "merchantId = :name", name=name))) == 1


def test_recent_orders_are_paged_newest_first_across_days(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    orders = [an_order(merchant, number, hour=number * 5) for number in range(20)]
    place_orders(ctx, orders)
    seen, token = [], None
    while True:
        page = recent_orders(ctx, merchant.merchant_id, limit=7, next_token=token)
        seen += [order.order_id for order in page.orders]
        token = page.next_token
        if token is None:
            break
    assert seen == [order.order_id for order in sorted(orders, key=lambda each: each.time, reverse=True)]
    for token in ("yesterday", "0001-01-01T00:00:00Z~o-1", "2025-03-29T00:00:00~o-1"):
        with pytest.raises(InvalidInput, match="nextToken"):
            recent_orders(ctx, merchant.merchant_id, next_token=token)


def test_unknown_merchants_and_orders_are_not_found(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    for merchant_id in ("nobody", "#merchants", "../x", f"{merchant.merchant_id}#2025-03-29", ""):
        with pytest.raises(RallyError) as refusal:
            recent_orders(ctx, merchant_id)
        assert isinstance(refusal.value, NotFound | InvalidInput)
    with pytest.raises(NotFound, match="no order"):
        get_order(ctx, merchant.merchant_id, "o-77")
