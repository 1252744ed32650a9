"""Orders: what is accepted, money by currency, days by time zone, and events that commute."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rallyuxr.errors import Conflict
from rallyuxr.models.currency import from_minor, to_minor
from rallyuxr.models.order import Merchant, Order

YEAR_START = datetime(2024, 1, 1, tzinfo=UTC)


def an_order(**changes: Any) -> Order:
    content = {
        "merchantId": "shop",
        "orderId": "o-1",
        "time": "2025-01-15T14:05:00Z",
        "customerId": "ann",
        "currency": "USD",
        "items": [{"sku": "tea", "quantity": 2, "unitPrice": 4.5}, {"sku": "cup", "quantity": 1, "unitPrice": 11}],
        "discount": 1.25,
    }
    return Order.from_json({**content, **changes})


def test_amounts_follow_from_the_lines() -> None:
    order = an_order(shipping=3, tax=0.75, status="refunded", refunded=4)
    assert (order.gross, order.refunds, order.net, order.total) == tuple(
        map(Decimal, ("20.0", "4", "14.75", "22.5"))
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"currency": "JPY"}, "4.5 JPY has more than 0 decimal places"),
        ({"discount": 0.125}, "more than 2 decimal places"),
        ({"discount": 21}, "discount 21 is above the goods' price"),
        ({"status": "refunded", "refunded": 19}, "refunded 19 is above what was paid"),
        ({"refunded": 1}, "an order with a refund has the status refunded"),
        ({"arm": "treatment"}, "experimentId and arm go together"),
        ({"merchantId": "a#b"}, "should match pattern"),
        ({"merchantId": "../other"}, "should match pattern"),
        ({"orderId": "1/2"}, "should match pattern"),
        ({"orderId": "1\n"}, "should match pattern"),
        ({"time": "2025-01-15T14:05:00"}, "no time zone"),
        ({"items": []}, "at least 1 item"),
        ({"tax": float("nan")}, "finite number"),
    ],
)
def test_what_cannot_be_an_order_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        an_order(**changes)


@given(st.integers(0, 10**14), st.sampled_from(["USD", "JPY", "BHD"]))
def test_money_survives_json_exactly(units: int, currency: str) -> None:
    price = from_minor(units, currency)
    sent = an_order(currency=currency, items=[{"sku": "x", "quantity": 1, "unitPrice": price}], discount=0)
    read = Order.model_validate_json(sent.model_dump_json())
    assert to_minor(read.gross, currency) == units
    assert read.fingerprint() == sent.fingerprint()


EVENTS = [
    an_order(),
    an_order(status="paid"),
    an_order(status="refunded", refunded=4),
    an_order(status="refunded", refunded=6),
    an_order(status="refunded"),
    an_order(status="cancelled"),
]


@pytest.mark.parametrize("events", list(permutations(EVENTS, 3)))
def test_events_of_an_order_may_come_in_any_order_and_twice(events: tuple[Order, ...]) -> None:
    ends = {first.joined(second).joined(third).joined(first).state for first, second, third in permutations(events)}
    assert len(ends) == 1


def test_a_full_refund_is_not_undone_by_a_smaller_one() -> None:
    order = an_order(status="refunded").joined(an_order(status="refunded", refunded=4))
    assert order.net == 0


def test_other_content_under_the_same_id_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="exists with different content"):
        an_order().joined(an_order(customerId="bob"))


def test_writing_an_amount_differently_is_not_other_content() -> None:
    assert an_order(discount="1.25").fingerprint() == an_order(discount=1.250).fingerprint()


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2025, 3, 30), 23),
        ("Europe/Berlin", date(2025, 10, 26), 25),
        ("America/New_York", date(2025, 3, 9), 23),
        ("Asia/Kolkata", date(2025, 3, 9), 24),
        ("UTC", date(2025, 3, 30), 24),
    ],
)
def test_a_merchants_day_has_the_hours_of_its_clock(zone: str, day: date, hours: int) -> None:
    shop = Merchant(merchant_id="shop", name="Shop", time_zone=zone)
    start, end = shop.midnight(day), shop.midnight(day + timedelta(days=1))
    assert end - start == timedelta(hours=hours)
    minutes = [start + timedelta(minutes=minute) for minute in range(60 * hours)]
    assert {shop.day_of(minute) for minute in minutes} == {day}
    assert len({shop.hour_of(minute) for minute in minutes}) == hours


@given(
    st.integers(0, 2 * 365 * 86_400).map(lambda seconds: YEAR_START + timedelta(seconds=seconds)),
    st.sampled_from(["UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe"]),
)
def test_every_moment_lies_within_the_hour_it_belongs_to(moment: datetime, zone: str) -> None:
    shop = Merchant(merchant_id="shop", name="Shop", time_zone=zone)
    assert timedelta(0) <= moment - shop.hour_of(moment) < timedelta(hours=1)
