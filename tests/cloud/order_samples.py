"""Merchants, orders and clouds that fail or are shared, for the tests of orders and their aggregates."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import uuid4

from infra.cloud import Cloud
from infra.plan import apply
from infra.resources.storage import Bucket
from infra.resources.tables import DynamoTable
from rallyuxr.local import Endpoint
from rallyuxr.models.order import Merchant, Order
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import add_merchant
from rallyuxr.settings import Settings
from rallyuxr.store import Store
from rallyuxr.store.tables import ORDER_INDEX, ORDERS, VISITS

FIRST, LAST = date(2025, 3, 29), date(2025, 4, 3)  # the clocks of Berlin change on 30 March
NOW = datetime(2025, 6, 1, tzinfo=UTC)


def bare_shops(cloud: Endpoint, stage: str, *, now: datetime = NOW) -> Context:
    """Tables and a bucket without functions: the tests deliver the events themselves."""
    settings = Settings(stage=stage, endpoint_url=cloud.url)
    infra = Cloud(settings, cloud.keys())
    apply([*(DynamoTable(infra, table) for table in (ORDERS, ORDER_INDEX, VISITS)), Bucket(infra)])
    return Context(Store(settings), clock=lambda: now)


def new_merchant(ctx: Context, **changes: Any) -> Merchant:
    known = {"merchant_id": f"m-{uuid4()}", "name": "Shop", "time_zone": "Europe/Berlin", "currency": "EUR"}
    return add_merchant(ctx, Merchant.model_validate({**known, **changes}))


def an_order(merchant: Merchant, number: int, hour: int = 0, **changes: Any) -> Order:
    content = {
        "merchant_id": merchant.merchant_id,
        "order_id": f"o-{number}",
        "time": merchant.midnight(FIRST) + timedelta(hours=hour, minutes=number % 60),
        "customer_id": f"c-{number % 3}",
        "currency": merchant.currency,
        "items": [{"sku": f"s-{number % 4}", "quantity": 1 + number % 2, "unit_price": Decimal(number % 9 + 1)}],
    }
    return Order.model_validate({**content, **changes})


class Crash(BaseException):
    """The process died."""


@contextmanager
def interrupted(store: Store, calls: int, *, reached: bool) -> Iterator[None]:
    """Kill the caller at its next calls to the cloud: when it makes that many, or has had the answer."""

    def die() -> None:
        raise Crash

    with disturbed(store, calls, die, reached=reached):
        yield


@contextmanager
def disturbed(store: Store, calls: int, act: Callable[[], None], *, reached: bool) -> Iterator[None]:
    """Let something happen once, when the caller makes that many calls to the cloud, or has had the answer."""
    call, made = store.cloud.call, count(1)

    def disturbed_call(service: str, operation: str, **arguments: Any) -> Any:
        due = next(made) == calls
        if due and not reached:
            act()
        try:
            return call(service, operation, **arguments)
        finally:
            if due and reached:
                act()

    store.cloud.call = disturbed_call  # type: ignore[method-assign]
    try:
        yield
    finally:
        store.cloud.call = call  # type: ignore[method-assign]


@contextmanager
def requests_to(ctx: Context, service: str) -> Iterator[Counter[str]]:
    """Counts requests to a service of the cloud by operation, also those that were repeated."""
    requests: Counter[str] = Counter()
    events = ctx.store.cloud.client(service).meta.events

    def note(event_name: str, **_: Any) -> None:
        requests[event_name.rsplit(".", 1)[-1]] += 1

    events.register(f"before-send.{service}", note)
    try:
        yield requests
    finally:
        events.unregister(f"before-send.{service}", note)
