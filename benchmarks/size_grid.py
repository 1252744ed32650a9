"""How often does each method see an effect where there is none, and how wide is its interval?

    python benchmarks/size_grid.py --quick
    python benchmarks/size_grid.py --draws 2000 --markdown
    python benchmarks/size_grid.py --draws 2000 --methods auto newey_west --phi 0.9

Every cell draws experiments without an effect and analyses them with the product's own `did_series_batch`.
`size` is the share of intervals at 95 % that exclude zero; an estimate moves with a planted effect one
for one and its interval with it, so coverage is 1 - size. `width` is the mean interval width over that
of an oracle: ± 1.96 true standard deviations of the estimate, taken over ten times as many draws of the
cell (estimates are cheap), so that the oracle itself is known to half a percent.
"""

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple, get_args

import numpy as np

from rallyuxr.models.estimate import DidEstimate
from rallyuxr.simulation.noise import NOISE_KINDS, NullArms, null_arms
from rallyuxr.stats.influence import influence_series
from rallyuxr.stats.series import Method, did_series_batch

PHIS = (0.0, 0.3, 0.6, 0.9, 0.95)
WINDOWS = ("7+7", "14+14", "28+28")
CHUNK = 500
ORACLE_DRAWS = 10
"""Estimates of the oracle for each experiment of a cell."""
Z = 1.959963984540054


class Cell(NamedTuple):
    """One measured cell of the grid."""

    method: Method
    kind: str
    phi: float
    windows: str
    size: float
    width: float
    flagged: float

    @property
    def holds(self) -> bool:
        """Whether the cell meets the target: size 3 to 7 % (10 % at φ = .95) and width up to 1.25."""
        return 0.03 <= self.size <= (0.07 if self.phi < 0.95 else 0.10) and self.width <= 1.25


def measure(
    *, kind: str, phi: float, windows: str, methods: Sequence[Method], draws: int, seed: int = 1
) -> Iterator[Cell]:
    """Size and width of every method on the same draws."""
    before, after = map(int, windows.split("+"))
    post = np.arange((before + after) * 24) >= before * 24
    spread = true_spread(kind=kind, phi=phi, windows=windows, draws=ORACLE_DRAWS * draws, seed=seed)
    found: dict[Method, list[DidEstimate]] = {method: [] for method in methods}
    for arms in experiments(kind=kind, phi=phi, windows=windows, draws=draws, seed=seed):
        for method in methods:
            found[method] += did_series_batch(
                arms.treatment,
                arms.control,
                post,
                treatment_n=arms.treatment_n,
                control_n=arms.control_n,
                method=method,
            )
    for method, results in found.items():
        intervals = np.array([(result.ci_lower, result.ci_upper) for result in results], dtype=float)
        lower, upper = intervals.T
        rejected = (lower > 0) | (upper < 0)
        flagged = np.array([any(w.code == "near_unit_root" for w in result.warnings) for result in results])
        width = float(np.mean(upper - lower)) / (2.0 * Z * spread)
        yield Cell(method, kind, phi, windows, float(rejected.mean()), width, float(flagged.mean()))


def experiments(
    *, kind: str, phi: float, windows: str, draws: int, seed: int, oracle: bool = False
) -> Iterator[NullArms]:
    """Experiments without an effect, in chunks; those of the oracle are others than those that are analysed."""
    before, after = map(int, windows.split("+"))
    for chunk in range(0, draws, CHUNK):
        yield null_arms(
            kind=kind,
            phi=phi,
            draws=min(CHUNK, draws - chunk),
            days=before + after,
            seed=[seed, list(NOISE_KINDS).index(kind), round(100 * phi), before, after, chunk, *[1] * oracle],
        )


def true_spread(*, kind: str, phi: float, windows: str, draws: int, seed: int) -> float:
    """Standard deviation of the estimate, whose mean is zero."""
    before, after = map(int, windows.split("+"))
    post = np.arange((before + after) * 24) >= before * 24
    squares = 0.0
    for arms in experiments(kind=kind, phi=phi, windows=windows, draws=draws, seed=seed, oracle=True):
        influence = influence_series(
            arms.treatment, arms.control, post, treatment_n=arms.treatment_n, control_n=arms.control_n
        )
        squares += float(influence.estimate @ influence.estimate)
    return math.sqrt(squares / draws)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000, help="experiments in each cell")
    parser.add_argument("--quick", action="store_true", help="200 draws, φ in 0, .6, .9, windows of 7 and 14 days")
    parser.add_argument("--markdown", action="store_true", help="print tables for docs/method.md")
    parser.add_argument("--methods", nargs="+", default=["auto"], choices=[*get_args(Method), "all"])
    parser.add_argument("--kinds", nargs="+", default=list(NOISE_KINDS), choices=list(NOISE_KINDS))
    parser.add_argument("--phi", nargs="+", type=float, default=PHIS)
    parser.add_argument("--windows", nargs="+", default=WINDOWS, help="days before + after the start")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.quick:
        options.draws, options.phi, options.windows = 200, (0.0, 0.6, 0.9), ("7+7", "14+14")
    methods = [m for m in get_args(Method) if m != "auto"] if "all" in options.methods else options.methods
    started = time.perf_counter()
    cells = [
        cell
        for kind, phi, windows in product(options.kinds, options.phi, options.windows)
        for cell in measure(
            kind=kind, phi=phi, windows=windows, methods=methods, draws=options.draws, seed=options.seed
        )
    ]
    for method in methods:
        _print_table([cell for cell in cells if cell.method == method], options.markdown)
    if len(methods) > 1:
        _print_comparison(cells)
    print(f"\n{options.draws} draws a cell, {time.perf_counter() - started:.0f} s")


def _print_table(cells: Sequence[Cell], markdown: bool) -> None:
    windows = list(dict.fromkeys(cell.windows for cell in cells))
    row, header = ("| {} |", "| {} |\n|" + "---|" * (2 + len(windows))) if markdown else ("{}", "{}")
    separator = " | " if markdown else "  "
    print(f"\n**{cells[0].method}**: {sum(cell.holds for cell in cells)} of {len(cells)} cells hold\n")
    print(header.format(separator.join([f"{'noise':21}", "φ   ", *(f"{w + ' days':17}" for w in windows)])))
    for kind, phi in dict.fromkeys((cell.kind, cell.phi) for cell in cells):
        texts = [
            f"{cell.size:.3f} / {cell.width:.2f}{'' if cell.holds else '*'}"
            + (f" ({cell.flagged:.0%})" if cell.flagged > 0.005 else "")
            for cell in cells
            if (cell.kind, cell.phi) == (kind, phi)
        ]
        print(row.format(separator.join([f"{kind:21}", f"{phi:<4}", *texts])))


def _print_comparison(cells: Sequence[Cell]) -> None:
    """Smallest to largest size over kinds and windows, by method and φ, and the widest cell."""
    phis = sorted({cell.phi for cell in cells})
    print(f"\n| method | {' | '.join(f'φ = {phi}' for phi in phis)} | widest |\n|{'---|' * (len(phis) + 2)}")
    for method in dict.fromkeys(cell.method for cell in cells):
        own = [cell for cell in cells if cell.method == method]
        sizes = [[cell.size for cell in own if cell.phi == phi] for phi in phis]
        ranges = " | ".join(f"{min(size):.3f} to {max(size):.3f}" for size in sizes)
        print(f"| `{method}` | {ranges} | {max(cell.width for cell in own):.2f} |")


if __name__ == "__main__":
    main()
