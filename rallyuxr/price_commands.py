"""Commands about prices kept as a file, on the deployment that the environment names."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rallyuxr.commands import Options, add_command, add_group

if TYPE_CHECKING:
    from rallyuxr.services.price_plans import PriceStep


def register(commands: Any) -> None:
    """Add `prices` with its commands."""
    subcommands = add_group(commands, "prices", "what metrics are worth, kept as a file")
    add_command(subcommands, "apply", apply, "make the deployment's prices as a file says", _apply_options)
    add_command(subcommands, "export", export, "print the deployment's prices as such a file")


def apply(options: Options) -> str:
    """Say what the file changes and, unless that is all that is asked, change it."""
    from rallyuxr.ingest.price_files import read_price_file
    from rallyuxr.services import context
    from rallyuxr.services.price_plans import apply_prices, plan_prices

    entries = read_price_file(Path(options.file))
    ctx = context.connect(actor=options.actor)
    plan = plan_prices(ctx, entries)
    unchanged = len(plan.steps) - len(plan.changes)
    if plan.unlisted:
        sys.stderr.write(f"not in the file, left as they are: {', '.join(plan.unlisted)}\n")
    if options.dry_run:
        options.exit_code = 1 if plan.changes else 0
        return "\n".join([*map(_told, plan.changes), f"{len(plan.changes)} changes to make, {unchanged} unchanged"])
    apply_prices(ctx, plan.changes, reason=options.reason, tell=lambda step: print(_told(step), flush=True))
    return f"{len(plan.changes)} changes made, {unchanged} unchanged"


def export(_: Options) -> str:
    """Every metric's current terms as JSON; `apply` of it changes nothing."""
    from rallyuxr.ingest.price_files import BOOKKEEPING
    from rallyuxr.services import context, metric_values

    values = [value.to_json() for value in metric_values.list_metric_values(context.connect())]
    terms = [{name: term for name, term in value.items() if name not in BOOKKEEPING} for value in values]
    return json.dumps(terms, indent=2, ensure_ascii=False)


def _told(step: "PriceStep") -> str:
    lines = [f"{step.action} {step.metric_id}"]
    lines += [f"    {name}: {there} -> {wanted}" for name, (there, wanted) in step.differences.items()]
    return "\n".join(lines)


def _apply_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help=".json, .toml or .csv with metric values under the contract's names")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would change; exit code 1 if there is anything"
    )
    parser.add_argument("--reason", help="why; kept in each changed price's history")
    parser.add_argument("--actor", help="who changes them; goes into the audit trail")
