"""One cold process: import what the job needs and run it once on 10 × 672 hours.

python -m benchmarks.cold_series ours
python -m benchmarks.cold_series statsmodels
"""

import sys

import numpy as np

HOURS, BASELINE, LAG = 672, 336, 6


def ours(treatment: np.ndarray, control: np.ndarray, post: np.ndarray) -> None:
    from rallyuxr.stats.series import did_series_batch

    did_series_batch(treatment, control, post)


def statsmodels(treatment: np.ndarray, control: np.ndarray, post: np.ndarray) -> None:
    import statsmodels.api as sm

    design = np.column_stack([np.ones(HOURS), post])
    for row in treatment - control:
        fit = sm.OLS(row, design).fit(cov_type="HAC", cov_kwds={"maxlags": LAG})
        fit.conf_int()


if __name__ == "__main__":
    arms = np.random.default_rng(0).standard_normal((2, 10, HOURS))
    {"ours": ours, "statsmodels": statsmodels}[sys.argv[1]](*arms, np.arange(HOURS) >= BASELINE)
