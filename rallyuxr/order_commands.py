"""Commands about merchants and their orders, on the deployment that the environment names."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rallyuxr.commands import Options, add_command, add_group
from rallyuxr.errors import InvalidInput

if TYPE_CHECKING:
    from rallyuxr.models.order import OrderReceipt


def register(commands: Any) -> None:
    """Add `orders` with its commands."""
    subcommands = add_group(commands, "orders", "merchants, their orders and aggregates")
    add_command(subcommands, "merchant", add_merchant, "register a merchant", _merchant_options)
    add_command(subcommands, "import", import_file, "place the orders of a file", _import_options)
    add_command(subcommands, "visits", import_visits, "count the visits of a file", _visits_options)
    add_command(subcommands, "rebuild", rebuild, "compute aggregates anew from the orders", _range_options)
    add_command(subcommands, "parquet", publish_parquet, "write aggregates as Parquet files", _range_options)
    add_command(subcommands, "publish", publish, "make orders an experiment's newest results", _publish_options)


def add_merchant(options: Options) -> str:
    """Register a merchant."""
    from rallyuxr.models.order import Merchant
    from rallyuxr.services import context, merchants

    merchant = Merchant(
        merchant_id=options.merchant,
        name=options.name or options.merchant,
        time_zone=options.time_zone,
        currency=options.currency,
    )
    merchants.add_merchant(context.connect(), merchant)
    return f"merchant {merchant.merchant_id}: days in {merchant.time_zone}, amounts in {merchant.currency}"


def import_file(options: Options) -> str:
    """Place a file's orders; an import that was interrupted goes on where it stopped."""
    from rallyuxr.ingest.order_files import read_orders
    from rallyuxr.services import context, merchants
    from rallyuxr.services.order_imports import import_orders

    ctx, path = context.connect(), Path(options.file)
    defaults = {}
    if options.merchant:
        merchant = merchants.require_merchant(ctx, options.merchant)
        defaults = {"merchantId": merchant.merchant_id, "currency": merchant.currency}
    checkpoint = Checkpoint(path, fresh=options.from_start)
    outcomes = import_orders(ctx, read_orders(path, defaults), skip=checkpoint.settled, progress=checkpoint.advance)
    checkpoint.finish()
    return _counted(outcomes) or "no orders were left to place"


def import_visits(options: Options) -> str:
    """Let a file's counts of visits stand in place of earlier ones; repeating it changes nothing."""
    from rallyuxr.ingest.visit_files import read_visits
    from rallyuxr.services import context
    from rallyuxr.services.visits import MAX_COUNTS, record_visits

    ctx, path = context.connect(), Path(options.file)
    _require_file(path)
    counts = read_visits(path)
    outcomes: Counter[str] = Counter()
    while piece := list(islice(counts, MAX_COUNTS)):
        receipts = record_visits(ctx, options.merchant, piece)
        outcomes.update(receipt.outcome for receipt in receipts)
        for receipt in receipts:
            if receipt.outcome == "refused":
                sys.stderr.write(f"count of {receipt.hour} refused: {receipt.reason}\n")
    return _counted(outcomes) or "the file holds no counts"


def rebuild(options: Options) -> str:
    """Rebuild a merchant's aggregates and name the hours that were different."""
    from rallyuxr.services import context
    from rallyuxr.services.rebuild import rebuild_aggregates

    def told(day: date, orders: int) -> None:
        sys.stderr.write(f"\r{day}: {orders:,} orders")

    rebuilt = rebuild_aggregates(context.connect(), options.merchant, *_range(options), progress=told)
    sys.stderr.write("\n")
    different = [f"  {hour.isoformat()}" for hour in rebuilt.differences]
    summary = f"{rebuilt.days:,} days, {rebuilt.orders:,} orders, {len(different):,} hours were different"
    return "\n".join([summary, *different])


def publish_parquet(options: Options) -> str:
    """Write the months of a range as Parquet."""
    from rallyuxr.services import aggregate_files, context

    return "\n".join(aggregate_files.publish_parquet(context.connect(), options.merchant, *_range(options)))


def publish(options: Options) -> str:
    """Publish an experiment's orders now, without waiting for the next one."""
    from rallyuxr.services import context
    from rallyuxr.services.order_experiments import publish_orders

    version = publish_orders(context.connect(), options.experiment_id)
    if version is None:
        return "no order lies within the experiment's time yet"
    return f"data version {version.data_version}: {'published' if version.created else 'already there'}"


class Checkpoint:
    """How far an import came, in a file beside the data; it belongs to the data's size and time of change."""

    def __init__(self, path: Path, *, fresh: bool) -> None:
        _require_file(path)
        self._file = path.with_name(f"{path.name}.progress")
        self._source = [path.stat().st_size, path.stat().st_mtime_ns]
        self.settled = 0 if fresh else self._read()
        if self.settled:
            sys.stderr.write(f"going on after {self.settled:,} orders\n")

    def advance(self, settled: int, receipts: "tuple[OrderReceipt, ...]") -> None:
        """Note that so many orders are settled; name those that were refused."""
        for receipt in receipts:
            if receipt.outcome == "refused":
                sys.stderr.write(f"\norder {receipt.order_id} refused: {receipt.reason}\n")
        self._file.write_text(json.dumps({"source": self._source, "settled": settled}))
        sys.stderr.write(f"\r{settled:,} orders")

    def finish(self) -> None:
        """Forget the progress: everything is settled."""
        self._file.unlink(missing_ok=True)
        sys.stderr.write("\n")

    def _read(self) -> int:
        if not self._file.exists():
            return 0
        noted = json.loads(self._file.read_text())
        return int(noted["settled"]) if noted["source"] == self._source else 0


def _merchant_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("merchant", help="the merchant's id: letters, digits, - and _")
    parser.add_argument("--name", help="default: the id")
    parser.add_argument("--time-zone", default="UTC", help="decides which day an order belongs to; default: UTC")
    parser.add_argument("--currency", default="USD", help="three letters; default: USD")


def _import_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help=".csv, .csv.gz or .parquet, one row per line item")
    parser.add_argument("--merchant", help="of all orders, where the file names none; its currency, likewise")
    parser.add_argument("--from-start", action="store_true", help="do not go on where an earlier import stopped")


def _visits_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help=".csv, .csv.gz or .parquet: hour, visits and, for arms, experiment_id, arm")
    parser.add_argument("--merchant", required=True, help="whose visits these are")


def _range_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("merchant", help="the merchant's id")
    first, last = str(date.min), str(date.max)
    parser.add_argument("--from", dest="first", default=first, metavar="DATE", help="default: the first day")
    parser.add_argument("--to", dest="last", default=last, metavar="DATE", help="default: the last day")


def _publish_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment_id", help="an experiment with an orders plan")


def _counted(outcomes: Mapping[Any, int]) -> str:
    return "\n".join(f"{outcome}: {count:,}" for outcome, count in outcomes.items())


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise InvalidInput(f"There is no file {path}.")


def _range(options: Options) -> tuple[date, date]:
    try:
        return date.fromisoformat(options.first), date.fromisoformat(options.last)
    except ValueError as problem:
        raise InvalidInput(f"Dates look like 2025-01-15: {problem}.") from None
