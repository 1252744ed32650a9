"""The command line: `rallyuxr analyze | simulate | publish | version`, and the commands of orders and prices.

| exit code | meaning                                                        |
|-----------|----------------------------------------------------------------|
| 0         | done                                                           |
| 1         | only asked, and there is something to do                       |
| 2         | the command, an option or a plan cannot be used                |
| 3         | the data has problems; each is printed with row and remedy     |
| 4         | not found, not allowed now, or changed by someone else         |
| 5         | no deployment is named, or it does not answer                  |

Results go to standard output, problems and warnings to standard error.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from pydantic import ValidationError

from rallyuxr.errors import InvalidData, InvalidInput, NotConfigured, RallyError, Unavailable

COMMAND_MODULES = ("rallyuxr.result_commands", "rallyuxr.order_commands", "rallyuxr.price_commands")
"""Each has `register(commands)`: it adds parsers whose default `run` takes the arguments and returns the output.

A command that is done and has more to say sets `exit_code` on its arguments.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        print(options.run(options))
    except RallyError as error:
        print(_explained(error), file=sys.stderr)
        return _exit_code(error)
    except ValidationError as error:
        for problem in error.errors():
            place = ".".join(map(str, problem["loc"]))
            print(f"{place}: {problem['msg']}" if place else problem["msg"], file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(getattr(options, "exit_code", 0))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rallyuxr", description="What was a product change worth, and how sure are we?"
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    for module in COMMAND_MODULES:
        import_module(module).register(commands)
    return parser


def _explained(error: RallyError) -> str:
    if not isinstance(error, InvalidData):
        return error.message
    lines = []
    for problem in error.problems:
        place = ", ".join(
            f"{name} {value}"
            for name, value in (("row", problem.row), ("column", problem.column), ("value", problem.value))
            if value is not None
        )
        lines.append(f"{place + ': ' if place else ''}{problem.message} {problem.remedy}")
    return "\n".join(lines)


def _exit_code(error: RallyError) -> int:
    if isinstance(error, InvalidData):
        return 3
    if isinstance(error, InvalidInput):
        return 2
    return 5 if isinstance(error, NotConfigured | Unavailable) else 4


if __name__ == "__main__":
    sys.exit(main())
