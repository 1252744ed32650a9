"""How often does an experiment without an effect look significant at some hour, if one looks every hour?

python benchmarks/peeking.py --draws 300 --days 7
"""

import argparse

import numpy as np

from rallyuxr.simulation.noise import null_arms
from rallyuxr.stats.sequential import always_valid
from rallyuxr.stats.series import did_series_batch

KINDS = (("autoregressive", 0.0), ("autoregressive", 0.6), ("autoregressive", 0.9), ("drift under sampling", 0.9))


def peek(*, kind: str, phi: float, days: int, draws: int, seed: int = 1) -> tuple[float, float, float]:
    """Shares ever rejected by the fixed and the always-valid p-value, and their widths' ratio at the end."""
    start = 24 * days
    arms = null_arms(kind=kind, phi=phi, draws=draws, days=2 * days, seed=seed)
    fixed, valid = np.zeros(draws, bool), np.zeros(draws, bool)
    for hour in range(1, start + 1):
        seen = slice(0, start + hour)
        post = np.arange(start + hour) >= start
        results = did_series_batch(arms.treatment[:, seen], arms.control[:, seen], post)
        answers = [
            always_valid(result, baseline_hours=start, post_hours=hour, planned_hours=start) for result in results
        ]
        fixed |= np.array([result.pvalue for result in results], dtype=float) < 0.05
        valid |= np.array([answer.pvalue for answer in answers], dtype=float) < 0.05
    bounds = [(r.ci_lower, r.ci_upper, a.ci_lower, a.ci_upper) for r, a in zip(results, answers, strict=True)]
    lower, upper, valid_lower, valid_upper = np.array(bounds, dtype=float).T
    return float(fixed.mean()), float(valid.mean()), float(np.mean((valid_upper - valid_lower) / (upper - lower)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=300, help="experiments in each row")
    parser.add_argument("--days", type=int, default=7, help="days before and after the start")
    options = parser.parse_args()
    print("| noise | φ | fixed-horizon p | always-valid p | width ratio at the end |\n|---|---|---|---|---|")
    for kind, phi in KINDS:
        fixed, valid, ratio = peek(kind=kind, phi=phi, days=options.days, draws=options.draws)
        print(f"| {kind} | {phi} | {fixed:.3f} | {valid:.3f} | {ratio:.2f} |")
    error = (0.0475 / options.draws) ** 0.5
    print(f"\n{options.draws} draws a row; a share of .05 has a standard error of {error:.3f}")


if __name__ == "__main__":
    main()
