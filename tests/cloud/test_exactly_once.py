"""Exactly-once totals: whatever is repeated, reordered, interrupted or done by several at once, sums are exact."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from rallyuxr.local import Endpoint
from rallyuxr.models.aggregate import Aggregate
from rallyuxr.models.order import Merchant, Order
from rallyuxr.models.visits import VisitCount
from rallyuxr.services.analytics import read_rows
from rallyuxr.services.context import Context
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.orders import place_order, place_orders
from rallyuxr.services.rebuild import rebuild_aggregates
from rallyuxr.services.visits import record_visits
from rallyuxr.store import CountedHour
from tests.cloud.order_samples import FIRST, LAST, Crash, an_order, bare_shops, disturbed, interrupted, new_merchant


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    return bare_shops(cloud, "once")


NEW = 5
"""The place of new customers in a row's essence."""


@dataclass
class Reference:
    """The plain answer: sums over all orders' final states, day by day and hour by hour."""

    merchant: Merchant
    orders: dict[str, Order]
    visits: dict[datetime, int] = field(default_factory=dict)

    def rows(self, granularity: str) -> dict[datetime, tuple[Any, ...]]:
        groups: dict[datetime, list[Order]] = {}
        for order in self.orders.values():
            groups.setdefault(self._start(order.time, granularity), []).append(order)
        for hour in self.visits:
            groups.setdefault(self._start(hour, granularity), [])
        return {start: self._row(start, group, granularity) for start, group in groups.items()}

    def _start(self, moment: datetime, granularity: str) -> datetime:
        hourly = granularity == "hourly"
        return self.merchant.hour_of(moment) if hourly else self.merchant.midnight(self.merchant.day_of(moment))

    def _row(self, start: datetime, group: list[Order], granularity: str) -> tuple[Any, ...]:
        bought = [order for order in group if order.status != "cancelled"]
        customers = {order.customer_id for order in bought}
        firsts: dict[str, datetime] = {}
        for order in self.orders.values():
            firsts[order.customer_id] = min(order.time, firsts.get(order.customer_id, order.time))
        new = {customer for customer, first in firsts.items() if self._start(first, granularity) == start}
        return (
            len(bought),
            sum((order.gross for order in bought), Decimal(0)),
            sum((order.refunds for order in bought), Decimal(0)),
            sum((order.net for order in bought), Decimal(0)),
            len(customers),
            len(new),
            {
                status: sum(order.status == status for order in group)
                for status in {order.status for order in group}
            },
            sum(visits for hour, visits in self.visits.items() if self._start(hour, granularity) == start),
            sum(self.merchant.hour_of(order.time) in self.visits for order in bought),
        )


def furthest(before: Order, event: Order) -> Order:
    """The order after both, said anew: the further status, and the most that was given back."""
    statuses = ("placed", "paid", "refunded", "cancelled")
    given_back = [
        order.refunded if order.refunded is not None else order.gross if order.status == "refunded" else Decimal(0)
        for order in (before, event)
    ]
    status = statuses[max(statuses.index(before.status), statuses.index(event.status))]
    return before.model_copy(update={"status": status, "refunded": max(given_back)})


def stored_rows(ctx: Context, merchant: Merchant, granularity: Any) -> dict[datetime, tuple[Any, ...]]:
    def essence(row: Aggregate) -> tuple[Any, ...]:
        return (
            row.orders,
            row.gross,
            row.refunds,
            row.net,
            row.customers,
            row.new_customers,
            row.statuses,
            row.visits,
            row.visit_orders,
        )

    return {row.start: essence(row) for row in read_rows(ctx, merchant, granularity, FIRST, LAST)}


def assert_exact(
    ctx: Context, merchant: Merchant, orders: dict[str, Order], visits: dict[datetime, int] | None = None
) -> None:
    for granularity in ("hourly", "daily"):
        expected = Reference(merchant, orders, visits or {}).rows(granularity)
        assert stored_rows(ctx, merchant, granularity) == expected


class Deliveries(RuleBasedStateMachine):
    """Orders are placed, events delivered late, twice, in any order; any step may die or be cut in upon."""

    context: Context
    placed = Bundle("placed")

    @initialize()
    def open_shop(self) -> None:
        self.merchant = new_merchant(self.context)
        self.numbers = count(1_000)
        self.known: dict[str, Order] = {}
        self.counts: dict[datetime, tuple[int, int]] = {}
        self.undelivered: list[Order | CountedHour] = []
        self.delivered: list[Order | CountedHour] = []

    @rule(
        target=placed,
        number=st.integers(0, 11),
        hour=st.integers(0, 60),
        customer=st.sampled_from(["c-0", "c-1"]),
    )
    def place(self, number: int, hour: int, customer: str) -> Order:
        order = self.known.get(f"o-{number}") or an_order(self.merchant, number, hour, customer_id=customer)
        self._place(order)
        return order

    @rule(
        order=placed,
        event=st.sampled_from([("paid", None), ("refunded", 1), ("refunded", None), ("cancelled", None)]),
    )
    def follow_up(self, order: Order, event: tuple[str, int | None]) -> None:
        status, refunded = event
        self._place(Order.model_validate({**order.model_dump(), "status": status, "refunded": refunded}))

    @rule(data=st.data(), calls=st.integers(1, 12), reached=st.booleans())
    def resend_many_and_die(self, data: st.DataObject, calls: int, reached: bool) -> None:
        """One batch has new orders and events of known and of new ones; after the death it is sent again."""
        drawn = st.tuples(st.integers(0, 11), st.sampled_from(["placed", "paid", "cancelled"]))
        batch = [
            (self.known.get(f"o-{number}") or an_order(self.merchant, number, number)).model_copy(
                update={"status": status, "refunded": None}
            )
            for number, status in data.draw(st.lists(drawn, min_size=1, max_size=8))
        ]
        try:
            with interrupted(self.context.store, calls, reached=reached):
                place_orders(self.context, batch)
        except Crash:
            place_orders(self.context, batch)
        for order in batch:
            self._stored(order)

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        events = self._draw_events(data)
        aggregate_changes(self.context, events)
        self._settle(events)

    @rule(data=st.data(), calls=st.integers(1, 25), reached=st.booleans())
    def deliver_and_die(self, data: st.DataObject, calls: int, reached: bool) -> None:
        events = self._draw_events(data)
        try:
            with interrupted(self.context.store, calls, reached=reached):
                aggregate_changes(self.context, events)
            self._settle(events)
        except Crash:
            self.undelivered += [event for event in events if event not in self.undelivered]

    @rule(hour=st.integers(0, 60), calls=st.integers(1, 16), reached=st.booleans())
    def two_count_orders_of_one_hour(self, hour: int, calls: int, reached: bool) -> None:
        """Between two calls of the first function the second one counts its order; neither event comes again."""
        mine = self._new_order(hour)
        self._place(mine)
        with self._another_order_between(hour, calls, reached):
            aggregate_changes(self.context, [mine])
        self._settle([mine])

    @rule(hour=st.integers(0, 60), calls=st.integers(1, 25), reached=st.booleans())
    def rebuild_while_another_counts(self, hour: int, calls: int, reached: bool) -> None:
        with self._another_order_between(hour, calls, reached):
            self.rebuild()

    @rule(calls=st.integers(1, 25), reached=st.booleans())
    def rebuild_and_die(self, calls: int, reached: bool) -> None:
        with suppress(Crash), interrupted(self.context.store, calls, reached=reached):
            self.rebuild()

    @rule(order=placed, calls=st.integers(1, 4), reached=st.booleans())
    def place_and_die(self, order: Order, calls: int, reached: bool) -> None:
        other = an_order(self.merchant, 100 + int(order.order_id.removeprefix("o-")), 30)
        try:
            with interrupted(self.context.store, calls, reached=reached):
                place_order(self.context, other)
        except Crash:
            pass
        self._place(other)

    @rule(hour=st.integers(0, 60), visits=st.integers(0, 9), minute=st.integers(0, 3))
    def count_visits(self, hour: int, visits: int, minute: int) -> None:
        count = self._count(hour, visits, minute)
        record_visits(self.context, self.merchant.merchant_id, [count])
        self._counted(count)

    @rule(hour=st.integers(0, 60), visits=st.integers(0, 9), calls=st.integers(1, 5), reached=st.booleans())
    def count_visits_and_die(self, hour: int, visits: int, calls: int, reached: bool) -> None:
        count = self._count(hour, visits, 2)
        try:
            with interrupted(self.context.store, calls, reached=reached):
                record_visits(self.context, self.merchant.merchant_id, [count])
        except Crash:
            record_visits(self.context, self.merchant.merchant_id, [count])
        self._counted(count)

    @rule()
    def rebuild(self) -> None:
        rebuild_aggregates(self.context, self.merchant.merchant_id, FIRST, LAST)

    @invariant()
    def hours_that_wait_for_no_event_are_exact(self) -> None:
        """But for who is new, which an event of another hour may still change."""
        waiting = {self.merchant.hour_of(event.time) for event in self.undelivered}
        found = stored_rows(self.context, self.merchant, "hourly")
        for start, row in Reference(self.merchant, self.known, self._visits()).rows("hourly").items():
            if start not in waiting:
                assert [*found[start][:NEW], *found[start][NEW + 1 :]] == [*row[:NEW], *row[NEW + 1 :]]

    def teardown(self) -> None:
        aggregate_changes(self.context, self.undelivered)
        assert_exact(self.context, self.merchant, self.known, self._visits())
        assert rebuild_aggregates(self.context, self.merchant.merchant_id, FIRST, LAST).differences == ()

    @contextmanager
    def _another_order_between(self, hour: int, calls: int, reached: bool) -> Iterator[None]:
        """Place and count another order of that hour at that call; its event never comes again."""
        other = self._new_order(hour)

        def cut_in() -> None:
            place_order(self.context, other)
            aggregate_changes(self.context, [other])
            self.known[other.order_id] = other

        with disturbed(self.context.store, calls, cut_in, reached=reached):
            yield

    def _new_order(self, hour: int) -> Order:
        return an_order(self.merchant, next(self.numbers), hour)

    def _place(self, order: Order) -> None:
        place_order(self.context, order)
        self._stored(order)

    def _stored(self, order: Order) -> None:
        before = self.known.get(order.order_id)
        self.known[order.order_id] = furthest(before, order) if before else order
        self.undelivered.append(self.known[order.order_id])

    def _visits(self) -> dict[datetime, int]:
        return {hour: visits for hour, (_, visits) in self.counts.items()}

    def _count(self, hour: int, visits: int, minute: int) -> VisitCount:
        start = self.merchant.midnight(FIRST) + timedelta(hours=hour)
        return VisitCount(hour=start, visits=visits, counted_at=start + timedelta(hours=1, minutes=minute))

    def _counted(self, count: VisitCount) -> None:
        """The later count stands, of two counted at once the larger."""
        assert count.counted_at is not None
        told = (count.counted_at.minute, count.visits)
        self.counts[count.hour] = max(told, self.counts.get(count.hour, told))
        self.undelivered.append(CountedHour(self.merchant.merchant_id, count.hour))

    def _draw_events(self, data: st.DataObject) -> list[Order | CountedHour]:
        events = self.undelivered + self.delivered
        return data.draw(st.lists(st.sampled_from(events), max_size=6)) if events else []

    def _settle(self, events: Sequence[Order | CountedHour]) -> None:
        self.undelivered = [event for event in self.undelivered if event not in events]
        self.delivered += events


@pytest.mark.parametrize("examples", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_any_interleaving_of_orders_events_crashes_and_rebuilds_ends_in_the_exact_aggregates(
    ctx: Context, examples: int
) -> None:
    Deliveries.context = ctx
    run_state_machine_as_test(
        Deliveries,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            phases=(Phase.generate,),  # shrinking would take minutes
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_several_workers_on_one_merchant_hour_lose_nothing(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    orders = {f"o-{number}": an_order(merchant, number, hour=number % 2) for number in range(40)}
    gate = threading.Barrier(8)

    def work(worker: int) -> None:
        gate.wait()
        for number in range(worker, 40, 8):
            place_order(ctx, orders[f"o-{number}"])
            aggregate_changes(ctx, [orders[f"o-{number}"]])

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(work, range(8)))
    assert_exact(ctx, merchant, orders)


def test_an_earlier_order_that_comes_late_moves_the_customers_first_order(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    late, early = an_order(merchant, 3, hour=30), an_order(merchant, 0, hour=1)
    for order in (late, early):
        place_order(ctx, order)
        aggregate_changes(ctx, [order])
    assert [row.new_customers for row in read_rows(ctx, merchant, "daily", FIRST, LAST)] == [1, 0]


@pytest.mark.parametrize("reached", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_worker_that_dies_at_any_call_is_made_good_by_the_redelivery(ctx: Context, reached: bool) -> None:
    for calls in count(1):
        merchant = new_merchant(ctx)
        orders = {"o-3": an_order(merchant, 3, hour=30), "o-0": an_order(merchant, 0, hour=1)}
        for order in orders.values():
            place_order(ctx, order)
        aggregate_changes(ctx, [orders["o-3"]])
        died = False
        try:
            with interrupted(ctx.store, calls, reached=reached):
                aggregate_changes(ctx, [orders["o-0"]])
        except Crash:
            died = True
        aggregate_changes(ctx, [orders["o-0"]])
        assert_exact(ctx, merchant, orders)
        if not died:
            break
    assert calls > 15


@pytest.mark.parametrize("reached", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_function_that_counts_between_any_two_calls_of_another_loses_nothing(ctx: Context, reached: bool) -> None:
    cut_in_at = []
    for calls in count(1):
        merchant = new_merchant(ctx)
        orders = {f"o-{number}": an_order(merchant, number, hour=1) for number in (1, 2)}
        place_order(ctx, orders["o-1"])

        def cut_in(calls: int = calls, other: Order = orders["o-2"]) -> None:
            place_order(ctx, other)
            aggregate_changes(ctx, [other])
            cut_in_at.append(calls)

        with disturbed(ctx.store, calls, cut_in, reached=reached):
            aggregate_changes(ctx, [orders["o-1"]])
        if cut_in_at[-1:] != [calls]:
            break
        assert_exact(ctx, merchant, orders)
    assert len(cut_in_at) > 10


def test_a_lost_change_is_found_and_mended_by_a_rebuild(ctx: Context) -> None:
    merchant = new_merchant(ctx)
    orders = {f"o-{number}": an_order(merchant, number, hour=number) for number in range(6)}
    place_orders(ctx, list(orders.values()))
    aggregate_changes(ctx, list(orders.values())[:4])
    rebuilt = rebuild_aggregates(ctx, merchant.merchant_id, FIRST, LAST)
    assert [rebuilt.days, rebuilt.orders, len(rebuilt.differences)] == [1, 6, 2]
    assert_exact(ctx, merchant, orders)
