"""What other packages say of the two series in `series.csv`; writes `series_peers.json` beside it.

    python tests/reference/series_peers.py

Needs the packages of the `bench` extra. Four weeks of hours with an effect are simulated here.
"""

import json
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pyfixest
import statsmodels.formula.api as smf
from linearmodels.iv import IV2SLS
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

HERE = Path(__file__).parent
HOURS, START = 672, 336
LAG = int(4.0 * (HOURS / 100.0) ** (2.0 / 9.0))


def simulate() -> pd.DataFrame:
    rng = np.random.default_rng(22)
    noise = rng.standard_normal((2, HOURS))
    for hour in range(1, HOURS):
        noise[:, hour] += 0.6 * noise[:, hour - 1]
    post = (np.arange(HOURS) >= START).astype(int)
    cycle = 10 + np.sin(np.arange(HOURS) * np.pi / 12)
    treatment, control = (cycle + noise + np.outer([0.5, 0.0], post)).round(6)
    return pd.DataFrame({"hour": np.arange(HOURS), "post": post, "treatment": treatment, "control": control})


def newey_west(rows: pd.DataFrame) -> dict[str, list[float]]:
    """Effect and standard error of the arms' difference on a post dummy, without small-sample factors."""
    found = {}
    fit = smf.ols("difference ~ post", rows).fit(cov_type="HAC", cov_kwds={"maxlags": LAG})
    found["statsmodels"] = [fit.params["post"], fit.bse["post"]]
    fit = IV2SLS.from_formula("difference ~ 1 + post", rows).fit(
        cov_type="kernel", kernel="bartlett", bandwidth=LAG
    )
    found["linearmodels"] = [fit.params["post"], fit.std_errors["post"]]
    plain = pyfixest.ssc(k_adj=False, G_adj=False)
    fit = pyfixest.feols(
        "difference ~ post", rows, vcov="NW", vcov_kwargs={"time_id": "hour", "lag": LAG}, ssc=plain
    )
    found["pyfixest"] = [fit.coef()["post"], fit.se()["post"]]
    return found


def welch(rows: pd.DataFrame, hours: int) -> list[float]:
    """Difference of the windows' means of blocks of hours, its standard error, degrees of freedom and p-value."""
    blocks = rows["difference"].to_numpy().reshape(-1, hours).mean(axis=1)
    start = START // hours
    means = CompareMeans(DescrStatsW(blocks[start:]), DescrStatsW(blocks[:start]))
    _, pvalue, dof = means.ttest_ind(usevar="unequal")
    return [means.d1.mean - means.d2.mean, means.std_meandiff_separatevar, dof, pvalue]


def main() -> None:
    warnings.simplefilter("ignore")
    rows = simulate()
    rows.to_csv(HERE / "series.csv", index=False)
    rows["difference"] = rows["treatment"] - rows["control"]
    answers = {
        "versions": {package: version(package) for package in ("statsmodels", "linearmodels", "pyfixest")},
        "newey_west": newey_west(rows),
        "day_means": welch(rows, 24),
        "welch_hours": welch(rows, 1),
    }
    (HERE / "series_peers.json").write_text(json.dumps(answers, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
