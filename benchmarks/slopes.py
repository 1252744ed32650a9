"""How often does the pre-trend test see a drift where there is none, and how often one of three standard errors?

    python -m benchmarks.slopes --draws 1500

Each cell draws experiments without an effect and asks the product's own `trend_slopes` for the slope before the
start, at a nominal 5 %; then the same with a drift planted in the treated arm, three times the slope's true
standard deviation. With that known, a normal test would find it in 85 % of experiments.
"""

import argparse
from itertools import product

import numpy as np

from rallyuxr.simulation.noise import NOISE_KINDS, NullArms, null_arms
from rallyuxr.stats.diagnostics import trend_slopes
from rallyuxr.stats.event_study import daily_differences
from rallyuxr.stats.influence import influence_series
from rallyuxr.stats.regular_grid import RegularGrid

KINDS = ("autoregressive", "drift under sampling", "varying samples", "missing hours")
PHIS = (0.0, 0.6, 0.9, 0.95)
DAYS = (7, 14, 28)
LEVEL = 0.05
PLANTED = 3.0
"""True standard deviations of the slope."""


def slopes_of(arms: NullArms, days: int, drift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Slopes per day and p-values (draws,) before a start in the middle of the draws' 2 × `days` days."""
    shape = arms.treatment.shape
    before = 24 * days
    treatment = arms.treatment + drift / 24 * np.minimum(np.arange(shape[1]), before)
    ones = np.ones(shape)
    counts = [ones if count is None else count for count in (arms.treatment_n, arms.control_n)]
    times = np.datetime64("2025-01-06", "s") + np.arange(shape[1]) * np.timedelta64(3600, "s")
    names = tuple(map(str, range(shape[0])))
    grid = RegularGrid(names, times, before, 24, treatment, arms.control, *counts, *counts)
    influence = influence_series(
        treatment, arms.control, grid.post, treatment_n=arms.treatment_n, control_n=arms.control_n
    )
    found = trend_slopes(grid, influence, daily_differences(grid), pre=True)
    return np.array([(one.estimate, one.pvalue) for one in found], dtype=float).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1500, help="experiments in each cell")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=list(NOISE_KINDS))
    parser.add_argument("--phi", nargs="+", type=float, default=PHIS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"| noise | φ | {' | '.join(f'{days} days' for days in DAYS)} |\n|---|---|{'---|' * len(DAYS)}")
    for kind, phi in product(options.kinds, options.phi):
        cells = []
        for days in DAYS:
            seed = [options.seed, list(NOISE_KINDS).index(kind), round(100 * phi), days]
            arms = null_arms(kind=kind, phi=phi, draws=options.draws, days=2 * days, seed=seed)
            slope, pvalue = slopes_of(arms, days)
            _, planted = slopes_of(arms, days, PLANTED * float(slope.std()))
            cells.append(f"{(pvalue < LEVEL).mean():.3f}, {(planted < LEVEL).mean():.2f}")
        print(f"| {kind} | {phi} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
