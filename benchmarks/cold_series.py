"""One cold process: import what the job needs and run it once on 10 × 672 hours.

The job is that of `benchmarks.series`: effect with its error and interval, the effect day by day, and the
slope before the start.

    python benchmarks/cold_series.py ours
    python benchmarks/cold_series.py statsmodels

It is run as a file, because `-m` loads modules of its own.
"""

import sys
from datetime import UTC, datetime, timedelta

import numpy as np

DAYS, BASELINE_DAYS, LAG = 28, 14, 6
START = datetime(2025, 6, 2, tzinfo=UTC)


def ours(treatment: np.ndarray, control: np.ndarray) -> None:
    from rallyuxr.stats.diagnostics import trend_slopes
    from rallyuxr.stats.event_study import daily_differences, event_studies
    from rallyuxr.stats.influence import influence_series
    from rallyuxr.stats.regular_grid import RegularGrid
    from rallyuxr.stats.series import estimates_from_influence

    weights = np.full(treatment.shape, 500.0)
    names = tuple(f"metric_{row}" for row in range(len(treatment)))
    times = np.datetime64("2025-05-19T00:00:00") + np.arange(treatment.shape[1]) * np.timedelta64(3600, "s")
    grid = RegularGrid(names, times, 24 * BASELINE_DAYS, 24, treatment, control, *[weights] * 4)
    influence = influence_series(treatment, control, grid.post)
    estimates_from_influence(influence)
    daily = daily_differences(grid)
    event_studies(daily, [START + timedelta(days=day - BASELINE_DAYS) for day in range(DAYS)])
    trend_slopes(grid, influence, daily, pre=True)


def statsmodels(treatment: np.ndarray, control: np.ndarray) -> None:
    import statsmodels.api as sm

    robust = {"cov_type": "HAC", "cov_kwds": {"maxlags": LAG}}
    step = np.column_stack([np.ones(24 * DAYS), np.arange(24 * DAYS) >= 24 * BASELINE_DAYS])
    dummies = np.eye(DAYS)[np.repeat(np.arange(DAYS), 24)]
    contrasts = np.eye(DAYS) - np.where(np.arange(DAYS) < BASELINE_DAYS, 1 / BASELINE_DAYS, 0)
    line = np.column_stack([np.ones(BASELINE_DAYS), np.arange(BASELINE_DAYS)])
    for hours in treatment - control:
        sm.OLS(hours, step).fit(**robust).conf_int()
        sm.OLS(hours, dummies).fit(**robust).t_test(contrasts).conf_int()
        days = hours.reshape(DAYS, 24).mean(axis=1)[:BASELINE_DAYS]
        sm.OLS(days, line).fit(**robust).conf_int()


if __name__ == "__main__":
    # restless enough, and made without numpy.random, which the job does not need
    arms = (np.arange(2.0 * 10 * 24 * DAYS) ** 2 * 0.6180339887 % 1.0).reshape(2, 10, 24 * DAYS)
    {"ours": ours, "statsmodels": statsmodels}[sys.argv[1]](*arms)
