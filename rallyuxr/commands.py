"""How the modules of commands put theirs on the command line."""

import argparse
from collections.abc import Callable
from typing import Any

Options = argparse.Namespace


def no_options(_: argparse.ArgumentParser) -> None:
    """Of a command that takes none."""


def add_command(
    commands: Any,
    name: str,
    run: Callable[[Options], str],
    summary: str,
    options: Callable[[argparse.ArgumentParser], None] = no_options,
) -> None:
    """Add a command that runs `run` and prints what it returns; `options` adds its arguments."""
    parser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    options(parser)
    parser.set_defaults(run=run)


def add_group(commands: Any, name: str, summary: str) -> Any:
    """Add a command that has commands of its own, to be added to what this returns."""
    return commands.add_parser(name, help=summary).add_subparsers(required=True, metavar="command")
