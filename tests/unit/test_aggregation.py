"""Aggregates: hand-computed rows, the law of addition, totals over rows."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rallyuxr.aggregation.calendar import orders_by_hour_of_week, period_starts
from rallyuxr.aggregation.measures import measure_range, measure_row
from rallyuxr.aggregation.rows import TOP_PRODUCTS, aggregate, day_row, hour_rows, replace_row
from rallyuxr.aggregation.tallies import add_tallies, count_visits, tally_orders
from rallyuxr.models.aggregate import Aggregate, Tally
from rallyuxr.models.order import Merchant, Order
from rallyuxr.models.visits import VisitCount

SHOP = Merchant(merchant_id="shop", name="Shop", time_zone="Europe/Berlin", currency="EUR")
HOUR = datetime(2025, 1, 15, 14, tzinfo=UTC)


def order(number: int, customer: str, price: str, **changes: object) -> Order:
    content = {
        "merchant_id": "shop",
        "order_id": f"o-{number}",
        "time": HOUR + timedelta(minutes=number % 60),
        "customer_id": customer,
        "currency": "EUR",
        "items": [{"sku": f"sku-{number % 3}", "quantity": 2, "unit_price": price}],
    }
    return Order.model_validate({**content, **changes})


def row(tally: Tally) -> Aggregate:
    return aggregate(tally, HOUR, HOUR + timedelta(hours=1), "EUR")


def test_an_hour_by_hand() -> None:
    arm = {"experiment_id": "x", "arm": "treatment"}
    found = row(
        tally_orders(
            [
                order(1, "ann", "10.00", discount="1.00", shipping="3.00", tax="2.00", **arm),
                order(2, "ann", "5.00", channel="app", **arm),
                order(3, "bob", "2.50", status="refunded"),
                order(4, "cid", "99.00", status="cancelled"),
            ],
            newcomers={"bob", "cid"},
        )
    )
    assert (found.orders, found.items, found.customers) == (3, 6, 2)
    assert (found.new_customers, found.returning_customers) == (2, 1)
    amounts = (found.gross, found.discounts, found.refunds, found.net, found.shipping, found.tax)
    assert amounts == tuple(map(Decimal, ("35", "1", "5", "29", "3", "2")))
    assert found.statuses == {"placed": 2, "refunded": 1, "cancelled": 1}
    assert {name: (part.orders, part.net) for name, part in found.channels.items()} == {
        "web": (2, 19),
        "app": (1, 10),
    }
    assert [(each.sku, each.quantity, each.gross) for each in found.products] == [
        ("sku-1", 2, 20),
        ("sku-2", 2, 10),
        ("sku-0", 2, 5),
    ]
    moments = found.arms["x"]["treatment"]
    assert (moments.orders, moments.customers, moments.net, moments.net_squares) == (2, 1, 29, 19**2 + 10**2)
    assert (moments.customer_orders_squares, moments.customer_net_squares) == (4, 29**2)
    assert moments.customer_orders_net == 58


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.integers(0, 10_000),
            st.sampled_from(["placed", "paid", "refunded", "cancelled"]),
            st.sampled_from([None, "treatment", "control"]),
            st.integers(0, 2),
        ),
        max_size=20,
    )
)
def test_tallies_of_parts_add_up_to_the_tally_of_the_whole(
    drawn: list[tuple[str, int, str, str | None, int]],
) -> None:
    orders = [
        order(number, who, str(Decimal(cents) / 100), status=status, arm=arm, experiment_id=arm and "x")
        for number, (who, cents, status, arm, _) in enumerate(drawn)
    ]
    parts = [[each for each, spec in zip(orders, drawn, strict=True) if spec[4] == part] for part in range(3)]
    assert add_tallies(map(tally_orders, parts)) == tally_orders(orders)
    assert tally_orders(reversed(orders)) == tally_orders(orders)


def visits(number: int, arm: str | None = None) -> VisitCount:
    return VisitCount.model_validate(
        {"hour": HOUR, "visits": number, "arm": arm, "experiment_id": arm and "x", "counted_at": HOUR}
    )


def test_visits_stand_beside_the_orders_of_their_hour_and_arm() -> None:
    orders = [
        order(1, "ann", "10.00", experiment_id="x", arm="treatment"),
        order(2, "bob", "1.00"),
        order(3, "cid", "1.00", status="cancelled"),
    ]
    found = row(count_visits(tally_orders(orders), [visits(50), visits(20, "treatment"), visits(30, "control")]))
    assert (found.visits, found.visit_hours, found.visit_orders) == (50, 1, 2)
    arms = {name: (part.visits, part.visit_orders, part.orders) for name, part in found.arms["x"].items()}
    assert arms == {"treatment": (20, 1, 1), "control": (30, 0, 0)}


def test_conversion_divides_the_orders_of_counted_hours_only() -> None:
    counted = count_visits(tally_orders([order(1, "ann", "1.00"), order(2, "bob", "1.00")]), [visits(40)])
    uncounted = tally_orders([order(3, "cid", "1.00")])
    empty = count_visits(Tally(), [visits(60)])
    day = measure_row(row(add_tallies([counted, uncounted, empty])))
    total = measure_range(map(row, [counted, uncounted, empty]), HOUR, HOUR + timedelta(hours=3))
    for found in (day, total):
        assert (found.orders, found.visits, found.visit_hours) == (3, 100, 2)
        assert found.conversion is not None
        assert (found.conversion.numerator, found.conversion.denominator, found.conversion.value) == (2, 100, 0.02)
    unknown = measure_row(row(uncounted))
    assert (unknown.visits, unknown.visit_hours, unknown.conversion) == (None, 0, None)
    none_came = measure_row(row(count_visits(Tally(), [visits(0)]))).conversion
    assert none_came is not None
    assert none_came.value is None


def test_an_hour_of_visits_without_orders_keeps_its_row() -> None:
    quiet = row(count_visits(Tally(), [visits(0)]))
    assert replace_row((), quiet) == (quiet,)
    assert replace_row((), row(count_visits(Tally(), [visits(5, "control")]))) != ()


def test_stored_tallies_read_back_equal() -> None:
    tally = tally_orders([order(1, "ann", "10.00", experiment_id="x", arm="control")], newcomers={"ann"})
    assert Tally.model_validate_json(tally.model_dump_json()) == tally


def test_a_day_counts_a_customer_of_two_hours_once() -> None:
    hours = {HOUR + timedelta(hours=hour): tally_orders([order(hour, "ann", "1.00")]) for hour in range(3)}
    day = day_row(SHOP, date(2025, 1, 15), hours)
    assert (day.customers, day.orders, day.net) == (1, 3, 6)
    assert day.start == datetime(2025, 1, 14, 23, tzinfo=UTC)
    assert [each.customers for each in hour_rows(SHOP, hours)] == [1, 1, 1]


def test_ranges_divide_sums_and_leave_out_what_does_not_add_up() -> None:
    rows = [
        row(tally_orders([order(1, "ann", "10.00"), order(2, "bob", "1.00")])),
        row(tally_orders([order(3, "ann", "2.00")])),
    ]
    total = measure_range(rows, HOUR, HOUR + timedelta(hours=2))
    assert total.average_order_value is not None
    assert (total.average_order_value.numerator, total.average_order_value.denominator) == (26, 3)
    assert total.orders == 3
    assert total.customers is None
    assert measure_row(rows[0], ["orders"]).to_json() == {
        "start": "2025-01-15T14:00:00Z",
        "end": "2025-01-15T15:00:00Z",
        "orders": 2,
    }


def test_a_ratio_without_orders_has_no_value() -> None:
    ratio = measure_row(row(Tally())).average_order_value
    assert ratio is not None
    assert ratio.value is None


def test_rows_name_only_the_best_products() -> None:
    many = Tally(products={f"sku-{number:03d}": (1, number) for number in range(80)})
    best = row(many).products
    assert len(best) == TOP_PRODUCTS
    assert best[0].sku == "sku-079"


def test_a_row_is_replaced_in_place_and_removed_when_empty() -> None:
    first = row(tally_orders([order(1, "ann", "1.00")]))
    later = first.model_copy(update={"start": HOUR + timedelta(days=1)})
    assert replace_row((later,), first) == (first, later)
    assert replace_row((first, later), row(Tally())) == (later,)


def test_hours_of_the_week_are_means_over_their_days() -> None:
    rows = [measure_row(row(tally_orders([order(1, "ann", "1.00"), order(2, "bob", "1.00")])))]
    later = HOUR + timedelta(days=99)
    berlin = Merchant(merchant_id="tea", name="Tea", time_zone="Europe/Berlin")
    heat = orders_by_hour_of_week(rows, berlin, date(2025, 1, 13), date(2025, 1, 27), until=later)
    assert heat.shape == (7, 24)
    assert (heat[2, 15], heat.sum()) == (1.0, 1.0)  # Wednesday, 15:00 in Berlin, two orders over two weeks
    assert np.isnan(
        orders_by_hour_of_week(rows, berlin, date(2025, 1, 15), date(2025, 1, 16), until=later)[0]
    ).all()


def test_an_hour_that_is_not_over_is_no_hour_of_the_week() -> None:
    berlin = Merchant(merchant_id="tea", name="Tea", time_zone="Europe/Berlin")
    whole = measure_row(row(tally_orders([order(1, "ann", "1.00"), order(2, "bob", "1.00")])))
    begun = whole.model_copy(update={"start": HOUR + timedelta(days=7), "orders": 1})  # Wednesday, 15:00 in Berlin
    now = begun.start + timedelta(minutes=10)
    heat = orders_by_hour_of_week([whole, begun], berlin, date(2025, 1, 9), date(2025, 1, 23), until=now)
    assert heat[2, 15] == 2.0, "that of the week before alone"
    heat = orders_by_hour_of_week(
        [whole, begun], berlin, date(2025, 1, 9), date(2025, 1, 23), until=now.replace(hour=15)
    )
    assert heat[2, 15] == 1.5
    today = orders_by_hour_of_week([begun], berlin, date(2025, 1, 22), date(2025, 1, 23), until=now)
    assert (today[2, :15] == 0).all()
    assert np.isnan(today[2, 15:]).all()


def test_periods_begin_on_the_merchants_clock() -> None:
    first, last = date(2025, 3, 29), date(2025, 4, 1)
    days = period_starts(SHOP, "daily", first, last, HOUR + timedelta(days=400))
    assert [day.hour for day in days] == [23, 23, 22]
    assert len(period_starts(SHOP, "hourly", first, last, HOUR + timedelta(days=400))) == 71
    assert period_starts(SHOP, "daily", first, last, HOUR) == ()
