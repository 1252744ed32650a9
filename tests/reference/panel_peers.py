"""What other packages say of `panel.csv`; writes `panel_peers.json` beside it.

    python tests/reference/panel_peers.py

Needs the packages of the `bench` extra. The panel is simulated here, with units that miss periods,
weights, clusters of three units, staggered starts, and a ratio metric.
"""

import json
import warnings
from importlib.metadata import version
from pathlib import Path

import fereg
import numpy as np
import pandas as pd
import pyfixest
import statsmodels.formula.api as smf
import tea_tasting
from diff_diff import CallawaySantAnna
from linearmodels.panel import PanelOLS
from statsmodels.stats.proportion import confint_proportions_2indep, test_proportions_2indep
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

HERE = Path(__file__).parent
PERIODS, UNITS, START = 8, 60, 5


def simulate() -> pd.DataFrame:
    rng = np.random.default_rng(20)
    unit = np.repeat(np.arange(UNITS), PERIODS)
    period = np.tile(np.arange(1, PERIODS + 1), UNITS)
    cluster = unit // 3
    treated = (cluster % 2 == 0).astype(int)
    post = (period >= START).astype(int)
    first_treated = rng.choice([0, 3, 4, 6], UNITS)[unit]
    level = rng.normal(size=UNITS)[unit] + rng.normal(size=UNITS // 3)[cluster]
    x = rng.normal(size=unit.size) + 5
    outcome = level + 0.1 * period + 0.4 * x + 0.8 * treated * post + rng.normal(size=unit.size)
    started = (first_treated > 0) & (period >= first_treated)
    staggered = level + 0.2 * period + started * (1 + 0.2 * (period - first_treated)) + rng.normal(size=unit.size)
    visits = rng.poisson(20, unit.size) + 1
    orders = rng.binomial(visits, np.clip(0.1 + 0.02 * level, 0.01, 0.9))
    return pd.DataFrame(
        {
            "unit": unit,
            "period": period,
            "cluster": cluster,
            "treated": treated,
            "post": post,
            "effect": treated * post,
            "seen": (rng.random(unit.size) < 0.85).astype(int),
            "weight": rng.integers(1, 9, unit.size),
            "x": x.round(6),
            "outcome": outcome.round(6),
            "first_treated": first_treated,
            "staggered": staggered.round(6),
            "visits": visits,
            "orders": orders,
        }
    )


def fixed_effects(panel: pd.DataFrame) -> dict[str, list[float]]:
    """Estimate and clustered standard error of treated × post, on the rows that were seen."""
    seen = panel[panel["seen"] == 1]
    found = {}
    for name, formula, weights, cluster in (
        ("plain", "outcome ~ effect | unit + period", None, "unit"),
        ("covariate", "outcome ~ effect + x | unit + period", None, "unit"),
        ("weighted", "outcome ~ effect + x | unit + period", "weight", "unit"),
        ("clustered", "outcome ~ effect + x | unit + period", None, "cluster"),
    ):
        fit = fereg.feols(formula, seen, vcov={"CRV1": cluster}, weights=weights)
        found[f"fereg {name}"] = [fit.coef()["effect"], fit.se()["effect"]]
    for name, weights in (("clustered", None), ("clustered weighted", "weight")):
        fit = pyfixest.feols(
            "outcome ~ effect + x | unit + period",
            seen,
            vcov={"CRV1": "cluster"},
            weights=weights,
            fixef_tol=1e-12,
        )
        found[f"pyfixest {name}"] = [fit.coef()["effect"], fit.se()["effect"]]
    formula = "outcome ~ effect + x + C(unit) + C(period)"
    for name, dummies in (
        ("dummies", smf.ols(formula.replace(" + x", ""), seen)),
        ("weighted dummies", smf.wls(formula, seen, weights=seen["weight"])),
    ):
        robust = dummies.fit(cov_type="cluster", cov_kwds={"groups": seen["unit"]})
        found[f"statsmodels {name}"] = [robust.params["effect"], robust.bse["effect"]]
    for name, rows, weights in (
        ("balanced", panel, None),
        ("unbalanced", seen, None),
        ("weighted", seen, "weight"),
    ):
        indexed = rows.set_index(["unit", "period"])
        model = PanelOLS(
            indexed["outcome"],
            indexed[["effect"] if name == "balanced" else ["effect", "x"]],
            entity_effects=True,
            time_effects=True,
            weights=None if weights is None else indexed[weights],
        )
        fitted = model.fit(cov_type="clustered", cluster_entity=True, group_debias=True, count_effects=True)
        found[f"linearmodels {name}"] = [fitted.params["effect"], fitted.std_errors["effect"]]
    return found


def event_studies(panel: pd.DataFrame) -> dict[str, list[list[float]]]:
    found = {}
    for name, rows in (("balanced", panel), ("unbalanced", panel[panel["seen"] == 1])):
        formula = "outcome ~ i(period, treated, ref=4) | unit + period"
        by_unit = fereg.feols(formula, rows, vcov={"CRV1": "unit"})
        by_cluster = pyfixest.feols(formula, rows, vcov={"CRV1": "cluster"}, fixef_tol=1e-12)
        for package, fit in (("fereg", by_unit), ("pyfixest", by_cluster)):
            found[f"{package} {name}"] = [fit.coef().tolist(), fit.se().tolist()]
    return found


def unit_changes(panel: pd.DataFrame) -> dict[str, list[float]]:
    windows = panel.pivot_table(index=["unit", "treated"], columns="post", values="outcome").reset_index()
    windows["change"] = windows[1] - windows[0]
    arms = [DescrStatsW(windows.loc[windows["treated"] == arm, "change"]) for arm in (1, 0)]
    comparison = CompareMeans(*arms)
    statistic, pvalue, dof = comparison.ttest_ind(usevar="unequal")
    lower, upper = comparison.tconfint_diff(usevar="unequal")
    adjusted = smf.ols("after ~ treated + before", windows.rename(columns={0: "before", 1: "after"})).fit()
    return {"welch": [statistic, pvalue, dof, lower, upper], "ancova slope": [adjusted.params["treated"]]}


def cross_sections(panel: pd.DataFrame) -> dict[str, list[float]]:
    model = smf.ols("outcome ~ treated * post + x", panel)
    weighted = smf.wls("outcome ~ treated * post", panel, weights=panel["weight"])
    fits = {
        "ols": model.fit(),
        "hc1": model.fit(cov_type="HC1"),
        "cluster": model.fit(cov_type="cluster", cov_kwds={"groups": panel["cluster"]}),
        "weighted ols": weighted.fit(),
        "weighted hc1": weighted.fit(cov_type="HC1"),
    }
    return {name: [fit.params["treated:post"], fit.bse["treated:post"]] for name, fit in fits.items()}


def staggered(panel: pd.DataFrame) -> dict[str, dict[str, object]]:
    found = {}
    for control_group in ("not_yet_treated", "never_treated"):
        for base_period in ("universal", "varying"):
            fit = CallawaySantAnna(control_group=control_group, base_period=base_period).fit(
                panel, outcome="staggered", unit="unit", time="period", first_treat="first_treated", aggregate="all"
            )
            found[f"{control_group} {base_period}"] = {
                "overall": [fit.overall_att, fit.overall_se],
                "event time": [
                    [time, path["effect"], None if np.isnan(path["se"]) else path["se"]]
                    for time, path in sorted(fit.event_study_effects.items())
                ],
                "cohort time": [
                    [int(cohort), int(period), cell["effect"], None if np.isnan(cell["se"]) else cell["se"]]
                    for (cohort, period), cell in sorted(fit.group_time_effects.items())
                ],
            }
    return found


def ratios(panel: pd.DataFrame) -> dict[str, list[float]]:
    users = panel[panel["post"] == 1].groupby(["unit", "treated"], as_index=False)[["orders", "visits"]].sum()
    metric = tea_tasting.RatioOfMeans("orders", "visits")
    result = tea_tasting.Experiment({"ratio": metric}, variant="treated").analyze(users)["ratio"]
    return {"tea-tasting": [result.effect_size, result.effect_size / result.statistic, result.pvalue]}


def proportions() -> dict[str, list[float]]:
    found = {}
    for counts in ((30, 200, 18, 210), (1, 1000, 9, 900), (47, 100, 53, 100)):
        test = test_proportions_2indep(*counts, method="score")
        bounds = confint_proportions_2indep(*counts, method="score", compare="ratio")
        found[" ".join(map(str, counts))] = [test.statistic, test.pvalue, *bounds]
    return found


def main() -> None:
    warnings.simplefilter("ignore")
    panel = simulate()
    panel.to_csv(HERE / "panel.csv", index=False)
    packages = ("statsmodels", "linearmodels", "pyfixest", "fereg", "diff-diff", "tea-tasting")
    answers = {
        "versions": {package: version(package) for package in packages},
        "fixed effects": fixed_effects(panel),
        "event study": event_studies(panel),
        "unit changes": unit_changes(panel),
        "cross-sections": cross_sections(panel),
        "staggered": staggered(panel),
        "ratios": ratios(panel),
        "proportions": proportions(),
    }
    (HERE / "panel_peers.json").write_text(json.dumps(answers, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
