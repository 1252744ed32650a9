"""A long file of orders through `rallyuxr orders import`, killed half way and resumed, on the embedded cloud.

    python -m benchmarks.order_import [ROWS [csv|parquet]]

Generates a file of ROWS line items, five to an order, imports it as a process of its own, kills that process
(SIGKILL) soon after half is settled, starts it again, and prints the rates beside that of raw puts, the peak memory
of both processes and, read from the table, what came of the orders. Tables only, no functions: what aggregation
costs is in `benchmarks.orders`.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.orders import raw_rate
from infra.cloud import Cloud
from infra.plan import apply
from infra.resources.tables import DynamoTable
from rallyuxr.local import ensure_running
from rallyuxr.models.order import Merchant
from rallyuxr.services.context import Context, connect
from rallyuxr.services.merchants import add_merchant
from rallyuxr.settings import Settings
from rallyuxr.store.tables import AUDIT, ORDER_INDEX, ORDERS

LINES, ORDERS_A_DAY, STAGE = 5, 2_000, "imports"
RAW_PUTS = 2_000
MIDST_SECONDS = 0.4
"""So that death comes between two notes of progress."""
FILE_OF_ORDERS = """
COPY (
    SELECT 'o-' || (line // {lines}) AS order_id,
        strftime(
            TIMESTAMP '2024-01-01' + to_seconds((line // {lines}) * (86400 // {a_day})), '%Y-%m-%dT%H:%M:%SZ'
        ) AS time,
        'c-' || hash(line // {lines}) % 50000 AS customer_id,
        'sku-' || hash(line) % 500 AS sku,
        1 + hash(line) % 3 AS quantity,
        (100 + hash(line) % 9900) / 100 AS unit_price
    FROM range({rows}) AS lines(line)
) TO '{file}' {options}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One process: how long it ran, its peak memory, where it began and ended, and what it said."""

    seconds: float
    peak_mb: float
    first: int
    last: int
    said: str

    def __str__(self) -> str:
        rate = (self.last - self.first) / self.seconds
        return (
            f"orders {self.first:,} to {self.last:,}: {self.seconds:.0f} s, {rate:.0f} orders and "
            f"{rate * LINES:.0f} rows a second, peak {self.peak_mb:.0f} MB"
        )


def main(rows: int, kind: str) -> None:
    """Import `rows` line items from a file of that kind."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as at_the_end:
        endpoint = ensure_running(Path(folder, "cloud"), port=0, snapshot_seconds=3600)
        at_the_end.callback(os.kill, endpoint.pid, signal.SIGKILL)  # it would write down what nobody wants to keep
        os.environ.update({**endpoint.environment(), "RALLYUXR_STAGE": STAGE})
        infra = Cloud(Settings(stage=STAGE, endpoint_url=endpoint.url), endpoint.keys())
        apply([DynamoTable(infra, table) for table in (ORDERS, ORDER_INDEX, AUDIT)])
        ctx = connect()
        merchant = add_merchant(ctx, Merchant(merchant_id="shop", name="Shop"))
        file = Path(folder, f"orders.{kind}")
        options = "(FORMAT parquet)" if kind == "parquet" else "(HEADER)"
        duckdb.execute(
            FILE_OF_ORDERS.format(rows=rows, file=file, options=options, lines=LINES, a_day=ORDERS_A_DAY)
        )
        print(f"raw puts {raw_rate(ctx, RAW_PUTS):.0f} a second")
        print(f"{rows:,} rows, {rows // LINES:,} orders, {file.stat().st_size / 1e6:.0f} MB of {kind}")
        killed = run(file, rows // LINES, kill_at=rows // LINES // 2)
        print(f"killed   {killed}", flush=True)
        resumed = run(file, rows // LINES)
        print(f"resumed  {resumed}")
        print("         " + ", ".join(resumed.said.split("\n")))
        print(f"stored   {stored(ctx, merchant, rows // LINES)}", flush=True)


def run(file: Path, orders: int, *, kill_at: int | None = None) -> Run:
    """Import in a process of its own; kill it within a second after so many orders are settled."""
    progress = file.with_name(f"{file.name}.progress")
    first = settled(progress)
    command = [sys.executable, "-m", "rallyuxr.cli", "orders", "import", str(file), "--merchant", "shop"]
    began, last, peak = time.perf_counter(), first, 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        while process.poll() is None:
            time.sleep(0.05)
            last, peak = max(last, settled(progress)), max(peak, peak_mb(process.pid))
            if kill_at is not None and last >= kill_at:
                time.sleep(MIDST_SECONDS)
                process.send_signal(signal.SIGKILL)
                break
        said = process.communicate()[0].strip()
    if kill_at is None:
        assert process.returncode == 0, said
        last = orders
    return Run(time.perf_counter() - began, peak, first, last, said)


def settled(progress: Path) -> int:
    """How many orders the import has noted as settled."""
    try:
        return int(json.loads(progress.read_text())["settled"])
    except (FileNotFoundError, ValueError):
        return 0


def peak_mb(pid: int) -> float:
    """The process's largest resident memory so far."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) / 1000 if lines else 0.0


def stored(ctx: Context, merchant: Merchant, orders: int) -> str:
    """What lies in the table, order by order: each of the file once and whole, and no other."""
    found, lines, items = bytearray(orders), 0, 0
    for day in ctx.store.orders.days(merchant.merchant_id):
        for order in ctx.store.orders.orders_of_day(merchant, day):
            found[int(order.order_id.removeprefix("o-"))] = 1
            lines, items = lines + len(order.items), items + 1
    assert items == sum(found) == orders, f"{items:,} items, {sum(found):,} of {orders:,} orders"
    assert lines == orders * LINES, f"{lines:,} line items"
    return f"{sum(found):,} distinct orders in as many items of the table, {lines:,} line items"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000, sys.argv[2] if len(sys.argv) > 2 else "csv")
