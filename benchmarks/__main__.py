"""Run every benchmark, one after the other: `python -m benchmarks`, or some: `python -m benchmarks storage panel`.

Each prints Markdown tables of medians and ratios; docs/performance.md holds the figures and the single commands.
"""

import subprocess
import sys

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "storage": (),
    "series": (),
    "panel": (),
    "panel_memory": (),
    "size_grid": ("--quick", "--markdown"),
    "slopes": (),
    "peeking": (),
    "orders": (),
    "order_import": (),
    "pages": (),
}


def main(names: list[str]) -> int:
    """Run the named benchmarks; 0 when all of them ended well."""
    if strangers := set(names) - ARGUMENTS.keys():
        print(f"No benchmark is called {', '.join(sorted(strangers))}; there are {', '.join(ARGUMENTS)}.")
        return 2
    failed = []
    for name in names or ARGUMENTS:
        print(f"\n# {name}\n", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *ARGUMENTS[name]], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nFailed: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
