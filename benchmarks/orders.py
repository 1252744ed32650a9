"""Load run: orders through put, stream and aggregation on the embedded cloud, beside its raw put rate.

    python -m benchmarks.orders [ORDERS]

Prints one table: rates as orders a second and as a ratio to raw puts, the time until everything counted,
the longest time from an order's answer to its place in the day's row, and the cloud's memory at
every quarter of the run.
"""

import itertools
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from rallyuxr.local import deploy, ensure_running, release
from rallyuxr.models.order import LineItem, Merchant, Order
from rallyuxr.services.analytics import read_rows
from rallyuxr.services.context import Context, connect
from rallyuxr.services.merchants import add_merchant
from rallyuxr.services.orders import MAX_BATCH, place_orders
from rallyuxr.store.dynamo import put
from rallyuxr.store.tables import AUDIT

MERCHANTS, PIECE, WORKERS = 4, 100, 4
START = datetime(2025, 1, 6, tzinfo=UTC)
PER_HOUR = 60


def main(count: int) -> None:
    """Run with `count` orders."""
    with tempfile.TemporaryDirectory() as folder:
        endpoint = ensure_running(Path(folder), port=0, layers_dir=Path("build/layers").absolute())
        os.environ.update(deploy(endpoint).environment())
        ctx = connect()
        raw = raw_rate(ctx, count // 4)
        merchants = [
            add_merchant(ctx, Merchant(merchant_id=f"shop-{number}", name="Shop")) for number in range(MERCHANTS)
        ]
        watch = Watch(ctx, merchants, endpoint.pid, count)
        began = time.perf_counter()
        with ThreadPoolExecutor(WORKERS) as workers:
            for _ in workers.map(watch.place, pieces(merchants, count)):
                pass
        placed = time.perf_counter() - began
        watch.finish()
        counted = time.perf_counter() - began
        resent = resent_rate(ctx, list(itertools.islice(itertools.chain(*pieces(merchants, count)), MAX_BATCH)))
        print(f"raw puts                 {raw:8.0f} a second")
        print(f"placed                   {count / placed:8.0f} a second, {count / placed / raw:.2f} of raw")
        print(f"placed and counted       {count / counted:8.0f} a second, {count / counted / raw:.2f} of raw")
        print(f"counted after the last   {counted - placed:8.1f} s")
        print(f"longest lag              {max(watch.lags):8.1f} s, median {statistics.median(watch.lags):.1f} s")
        print(f"sent again, all known    {resent:8.0f} a second, {resent / raw:.2f} of raw")
        print("memory by quarter, MB    " + ", ".join(f"{size:.0f}" for size in watch.memory_by_quarter()))
        release(Path(folder))


def raw_rate(ctx: Context, count: int) -> float:
    """Plain puts of items of an order's size, a second, with as many workers."""
    body = next(iter(pieces([Merchant(merchant_id="raw", name="Raw")], 1)))[0].model_dump_json()

    def write(number: int) -> None:
        ctx.store.dynamo.write(put(AUDIT, {"day": f"raw-{number % 50}", "entry": f"{number:08d}", "body": body}))

    began = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(write, range(count)))
    return count / (time.perf_counter() - began)


def resent_rate(ctx: Context, orders: list[Order]) -> float:
    """Orders a second of one batch of which every order is there already."""
    began = time.perf_counter()
    assert {receipt.outcome for receipt in place_orders(ctx, orders)} == {"unchanged"}
    return len(orders) / (time.perf_counter() - began)


def pieces(merchants: list[Merchant], count: int) -> Iterator[list[Order]]:
    """Orders by time, as a day brings them, in pieces of one request each."""
    orders = (an_order(merchants[number % len(merchants)], number) for number in range(count))
    while piece := list(itertools.islice(orders, PIECE)):
        yield piece


def an_order(merchant: Merchant, number: int) -> Order:
    return Order(
        merchant_id=merchant.merchant_id,
        order_id=f"o-{number}",
        time=START + timedelta(hours=1) * (number / (PER_HOUR * MERCHANTS)),
        customer_id=f"c-{number % 997}",
        currency="USD",
        items=(LineItem(sku=f"s-{number % 20}", quantity=1 + number % 3, unit_price=Decimal("9.90")),),
    )


class Watch:
    """Places orders and looks, twice a second, how many are counted and how much memory the cloud holds."""

    def __init__(self, ctx: Context, merchants: list[Merchant], pid: int, count: int) -> None:
        self.ctx, self.merchants, self.pid, self.count = ctx, merchants, pid, count
        self.placed: list[tuple[float, int]] = []
        self.memory: list[float] = []
        self.lags: list[float] = []
        self._looking = threading.Thread(target=self._look)
        self._looking.start()

    def place(self, orders: list[Order]) -> None:
        """Place one request's orders and note when they were answered."""
        place_orders(self.ctx, orders)
        self.placed.append((time.perf_counter(), len(orders)))

    def finish(self) -> None:
        """Wait until every order is counted."""
        self._looking.join()

    def memory_by_quarter(self) -> list[float]:
        """The cloud's resident memory at the end of each quarter of the run."""
        return [self.memory[len(self.memory) * quarter // 4 - 1] for quarter in range(1, 5)]

    def _look(self) -> None:
        counted = 0
        while counted < self.count:
            time.sleep(0.5)
            counted = sum(self._counted(merchant) for merchant in self.merchants)
            self.memory.append(resident_mb(self.pid))
            self.lags.append(self._lag(counted))

    def _counted(self, merchant: Merchant) -> int:
        last = START.date() + timedelta(days=1 + self.count // (24 * PER_HOUR * MERCHANTS) + 1)
        return sum(row.orders for row in read_rows(self.ctx, merchant, "daily", START.date(), last))

    def _lag(self, counted: int) -> float:
        """Since when as many orders as are counted now had been answered, at most."""
        total, now = 0, time.perf_counter()
        for moment, size in tuple(self.placed):
            total += size
            if total > counted:
                return now - moment
        return 0.0


def resident_mb(pid: int) -> float:
    """The resident memory of a process and its children."""
    own = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(resident_mb(int(child)) for child in children if Path(f"/proc/{child}").exists())


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
