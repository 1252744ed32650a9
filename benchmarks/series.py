"""Speed of the two-series job against its peers: ten metrics, effect with error, event study, pre-trend.

For each metric: difference-in-differences of the arms' hourly difference with a heteroskedasticity and
autocorrelation robust error, the effect day by day against the baseline's mean, and the slope before the
start. The estimates of all three and, under the same Newey-West error, the effect's standard error are
compared first, to 1e-8; then the jobs are timed, interleaved, by the processor time they take, which a busy
machine distorts less than the clock. Ours runs its default inference, which does more than a Newey-West error.
The peers are asked for the intervals and p-values that ours holds and run Newey-West, as lean as their options
allow: with a lag that is fixed beforehand and, since our default reads the memory from the data, with a lag
that does too. Their event studies run on hours with a dummy per day, which is what their formulas are used for
(their errors shrink the variance, see docs/diagnostics.md). statsmodels comes a second time on days that numpy
summed up first, with the effects of the days after the start only and no band.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.series             # some minutes
    OPENBLAS_NUM_THREADS=1 python -m benchmarks.series --short     # four weeks against statsmodels' arrays alone
    OPENBLAS_NUM_THREADS=1 python -m benchmarks.series --slow      # and a year with every peer
"""

import argparse
import gc
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from rallyuxr.analysis import analyze
from rallyuxr.models import ExperimentData, ExperimentPlan, MetricSeries, MetricValue, PublishedData
from rallyuxr.stats.diagnostics import trend_slopes
from rallyuxr.stats.event_study import daily_differences, event_studies
from rallyuxr.stats.influence import influence_series
from rallyuxr.stats.regular_grid import RegularGrid, Span, regular_grid
from rallyuxr.stats.series import estimates_from_influence

METRICS = tuple(f"metric_{letter}" for letter in "abcdefghij")
START = datetime(2025, 6, 2, tzinfo=UTC)
AGREEMENT = 1e-8
COLD_ROUNDS = 7


@dataclass(frozen=True)
class Job:
    """One data set: the experiment's data, the same on a grid, and the Newey-West lag."""

    data: ExperimentData
    plan: ExperimentPlan
    span: Span
    grid: RegularGrid
    days: tuple[datetime, ...]
    lag: int

    @property
    def difference(self) -> np.ndarray:
        """(10, T) treatment minus control by hour."""
        return self.grid.treatment - self.grid.control


class Answer(NamedTuple):
    """What a contender found for the ten metrics; errors are None where they are not Newey-West's."""

    effect: np.ndarray
    error: np.ndarray | None
    last_day: np.ndarray
    slope: np.ndarray


def simulate(days_before: int, days_after: int, seed: int = 0) -> Job:
    """Ten metrics of hourly AR(1) noise around a daily cycle, equal participants in every hour."""
    rng = np.random.default_rng(seed)
    span = Span(START - timedelta(days=days_before), START, START + timedelta(days=days_after))
    length = 24 * (days_before + days_after)
    hours = np.datetime64(span.baseline_start.replace(tzinfo=None), "s") + np.arange(length) * np.timedelta64(
        3600, "s"
    )
    cycle, n = np.sin(np.arange(length) * np.pi / 12), np.full(length, 500.0)
    series = {}
    for metric in METRICS:
        noise = rng.standard_normal((2, length))
        for hour in range(1, length):
            noise[:, hour] += 0.5 * noise[:, hour - 1]
        series[metric] = MetricSeries(hours, 10 + cycle + noise[0], 10 + cycle + noise[1], n, n)
    plan = ExperimentPlan(
        name="Benchmark",
        description="",
        metrics=METRICS,
        start_date=span.start,
        end_date=span.end,
        expected_outcome="positive",
        baseline_days=days_before,
    )
    grid = regular_grid(series, span)
    days = tuple(START + timedelta(days=day) for day in range(-days_before, days_after))
    return Job(ExperimentData(series=series), plan, span, grid, days, int(4.0 * (length / 100.0) ** (2.0 / 9.0)))


def ours(job: Job, method: str = "auto") -> Answer:
    """Default inference, event study with simultaneous bands, pre-trend, all as result objects."""
    grid = job.grid
    influence = influence_series(grid.treatment, grid.control, grid.post)
    estimates = estimates_from_influence(influence, method=method)  # type: ignore[arg-type]
    daily = daily_differences(grid)
    studies = event_studies(daily, job.days)
    slopes = trend_slopes(grid, influence, daily, pre=True)
    return Answer(
        np.array([one.estimate for one in estimates]),
        np.array([one.std_error for one in estimates]) if method == "newey_west" else None,
        np.array([study.estimate[-1] for study in studies]),
        np.array([slope.estimate for slope in slopes]),
    )


def whole_analysis(job: Job) -> Answer:
    """All that `analyze` does: every diagnostic, money, verdicts, the record that is stored."""
    price = MetricValue(
        metric_id="metric_a",
        name="A metric",
        dollars_per_unit=Decimal(2),
        unit="minutes",
        description="a price for the benchmark",
        category="other",
        last_updated=START,
        version=1,
    )
    prices = dict.fromkeys(METRICS, price)
    published = PublishedData("benchmark", 1, job.span.end, job.data)
    results = analyze(published, prices, experiment=job.plan).did_results.values()
    return Answer(
        np.array([one.estimate.estimate for one in results]),
        None,
        np.array([one.event_study.estimate[-1] for one in results]),
        np.array([one.diagnostics.pre_trend.estimate for one in results]),
    )


def _days(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """(10, N) daily means of the difference, and the number of each hour's day."""
    rows = job.difference.reshape(len(METRICS), -1, 24).mean(axis=2)
    return rows, np.repeat(np.arange(rows.shape[1]), 24)


def data_driven_lag(scores: np.ndarray) -> int:
    """Newey and West (1994), Review of Economic Studies 61:631-653: the lag that the scores' memory asks for."""
    length = scores.size
    order = int(4.0 * (length / 100.0) ** (2.0 / 9.0))
    products = np.array([scores[h:] @ scores[: length - h] for h in range(order + 1)])
    curvature = 2.0 * (np.arange(1, order + 1) @ products[1:])
    return int(1.1447 * ((curvature / (products[0] + 2.0 * products[1:].sum())) ** 2 * length) ** (1.0 / 3.0))


def statsmodels_arrays(job: Job, *, hourly_dummies: bool, lag_from_data: bool = False) -> Answer:
    import statsmodels.api as sm

    def fit(outcome: np.ndarray, regressors: np.ndarray) -> Any:
        model = sm.OLS(outcome, regressors)
        if not lag_from_data:
            return model.fit(cov_type="HAC", cov_kwds={"maxlags": job.lag})
        plain = model.fit()
        lag = data_driven_lag(plain.resid * regressors[:, 1:].sum(axis=1))
        return plain.get_robustcov_results("HAC", maxlags=min(lag, len(outcome) - 1), use_t=False)

    daily, day = _days(job)
    count, pre = daily.shape[1], job.grid.start // 24
    step = np.column_stack([np.ones(job.difference.shape[1]), job.grid.post])
    dummies = np.eye(count)[day]
    lean = np.column_stack([np.ones(count), np.eye(count)[:, pre:]])
    contrasts = np.eye(count) - np.where(np.arange(count) < pre, 1 / pre, 0)
    line = np.column_stack([np.ones(pre), np.arange(pre)])
    found = []
    for hours, days in zip(job.difference, daily, strict=True):
        effect = fit(hours, step)
        if hourly_dummies:
            path = fit(hours, dummies).t_test(contrasts)
            last_day = path.effect[-1]
        else:
            path = fit(days, lean)
            last_day = path.params[-1]
        slope = fit(days[:pre], line)
        _read(effect, path, slope)
        found.append((effect.params[1], effect.bse[1], last_day, slope.params[1]))
    answer = Answer(*np.array(found).T)
    return answer._replace(error=None) if lag_from_data else answer


def _read(effect: Any, path: Any, slope: Any) -> None:
    """Ask results for what ours hold: intervals of all three, p-values of effect and slope."""
    for result in (effect, path, slope):
        result.conf_int()
    _ = effect.pvalues, slope.pvalues


def _frame(job: Job, row: int) -> tuple[Any, Any]:
    import pandas as pd

    daily, day = _days(job)
    post = job.grid.post.astype(float)
    pre = job.grid.start // 24
    hours = pd.DataFrame({"y": job.difference[row], "post": post, "hour": np.arange(day.size)})
    hours["day"] = np.where(day < pre, -1, day)
    return hours, pd.DataFrame({"y": daily[row][:pre], "day": np.arange(pre, dtype=float)})


def statsmodels_formula(job: Job, *, lag_from_data: bool = False) -> Answer:
    import statsmodels.formula.api as smf

    def fit(formula: str, frame: Any) -> Any:
        model = smf.ols(formula, frame)
        if not lag_from_data:
            return model.fit(cov_type="HAC", cov_kwds={"maxlags": job.lag})
        plain = model.fit()
        lag = data_driven_lag(plain.resid.to_numpy() * plain.model.exog[:, 1:].sum(axis=1))
        return plain.get_robustcov_results("HAC", maxlags=min(lag, len(frame) - 1), use_t=False)

    found = []
    for row in range(len(METRICS)):
        hours, before = _frame(job, row)
        effect, path, slope = fit("y ~ post", hours), fit("y ~ C(day)", hours), fit("y ~ day", before)
        _read(effect, path, slope)
        estimates = (np.asarray(one.params)[-1] for one in (effect, path, slope))
        found.append((next(estimates), np.asarray(effect.bse)[1], *estimates))
    answer = Answer(*np.array(found).T)
    return answer._replace(error=None) if lag_from_data else answer


def linearmodels(job: Job) -> Answer:
    from linearmodels.iv import IV2SLS

    robust = {"cov_type": "kernel", "kernel": "bartlett", "bandwidth": job.lag}
    found = []
    for row in range(len(METRICS)):
        hours, before = _frame(job, row)
        effect = IV2SLS.from_formula("y ~ 1 + post", hours).fit(**robust)
        path = IV2SLS.from_formula("y ~ 1 + C(day)", hours).fit(**robust)
        slope = IV2SLS.from_formula("y ~ 1 + day", before).fit(**robust)
        _read(effect, path, slope)
        found.append((effect.params["post"], effect.std_errors["post"], path.params.iloc[-1], slope.params["day"]))
    return Answer(*np.array(found).T)


def fixest_like(job: Job, package: str) -> Answer:
    """pyfixest with Newey-West, or fereg, which has none, with its robust error (not compared)."""
    from importlib import import_module

    feols, ssc = (getattr(import_module(package), name) for name in ("feols", "ssc"))
    newey_west = package == "pyfixest"
    plain = ssc(k_adj=False, G_adj=False)
    found = []
    for row in range(len(METRICS)):
        hours, before = _frame(job, row)

        def fit(formula: str, frame: Any, time_id: str) -> Any:
            if not newey_west:
                return feols(formula, frame, vcov="hetero", ssc=plain)
            options = {"time_id": time_id, "lag": job.lag}
            return feols(formula, frame, vcov="NW", vcov_kwargs=options, ssc=plain)

        effect = fit("y ~ post", hours, "hour")
        path = fit("y ~ C(day)", hours, "hour")
        slope = fit("y ~ day", before.assign(order=before["day"]), "order")
        for result in (effect, path, slope):
            result.confint()
        effect.pvalue()
        slope.pvalue()
        found.append((effect.coef()["post"], effect.se()["post"], path.coef().iloc[-1], slope.coef()["day"]))
    answer = Answer(*np.array(found).T)
    return answer if newey_west else answer._replace(error=None)


class Contender(NamedTuple):
    """A name and its job."""

    name: str
    run: Callable[[Job], Answer]


PEERS = (
    Contender(
        "statsmodels arrays, day dummies on hours, lag from the data",
        lambda job: statsmodels_arrays(job, hourly_dummies=True, lag_from_data=True),
    ),
    Contender("statsmodels arrays, day dummies on hours", lambda job: statsmodels_arrays(job, hourly_dummies=True)),
    Contender("statsmodels arrays, on days", lambda job: statsmodels_arrays(job, hourly_dummies=False)),
    Contender("statsmodels formula, lag from the data", lambda job: statsmodels_formula(job, lag_from_data=True)),
    Contender("statsmodels formula", statsmodels_formula),
    Contender("linearmodels", linearmodels),
    Contender("fereg", lambda job: fixest_like(job, "fereg")),
    Contender("pyfixest", lambda job: fixest_like(job, "pyfixest")),
)
OURS = (Contender("RallyUXR", ours), Contender("RallyUXR, the whole `analyze`", whole_analysis))


def compare(job: Job, contenders: tuple[Contender, ...], rounds: int) -> dict[str, float]:
    """Median seconds by name, after every answer agreed with ours."""
    expected = ours(job, "newey_west")
    size = np.abs(job.difference).max()
    for contender in contenders:
        for name, found, wanted in zip(Answer._fields, contender.run(job), expected, strict=True):
            if found is not None and np.abs(found - wanted).max() > AGREEMENT * size:
                raise SystemExit(f"{contender.name}: {name} is {found}, expected {wanted}")
    seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            gc.collect()
            gc.disable()  # as timeit does
            runs = 10 if contender in OURS else 1
            start = time.process_time()
            for _ in range(runs):
                contender.run(job)
            seconds[contender.name].append((time.process_time() - start) / runs)
            gc.enable()
    return {name: median(times) for name, times in seconds.items()}


def read_once(job: Job) -> float:
    """Seconds to read the four columns once."""
    columns = (job.grid.treatment, job.grid.control, job.grid.treatment_n, job.grid.control_n)
    start = time.process_time()
    for _ in range(100):
        for column in columns:
            column.sum()
    return (time.process_time() - start) / 100


def cold() -> dict[str, float]:
    """Median seconds of fresh processes that import what they need and run 672 hours once, interleaved."""
    times: dict[str, list[float]] = {"ours": [], "statsmodels": []}
    for _ in range(COLD_ROUNDS):
        for contender, seen in times.items():
            command = [sys.executable, str(Path(__file__).with_name("cold_series.py")), contender]
            start = time.perf_counter()
            subprocess.run(command, check=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
            seen.append(time.perf_counter() - start)
    return {contender: median(seen) for contender, seen in times.items()}


def table(sizes: list[int], seconds: list[dict[str, float]]) -> str:
    """Milliseconds, ratios to ours and the exponent with which time grows from the smallest to the largest size."""
    header = "".join(f" 10 × {hours:,} h, ms | times ours |" for hours in sizes)
    lines = [f"| |{header} growth |", f"|---|{'---|---|' * len(sizes)}---|"]
    for name in seconds[0]:
        known = [
            (hours, one[name], one["RallyUXR"]) for hours, one in zip(sizes, seconds, strict=True) if name in one
        ]
        cells = "".join(f" {own * 1e3:,.2f} | {own / ours:,.1f} |" for _, own, ours in known)
        cells += " | |" * (len(sizes) - len(known))
        (fewest, fastest, _), (most, slowest, _) = known[0], known[-1]
        growth = f"{np.log(slowest / fastest) / np.log(most / fewest):.2f}" if len(known) > 1 else ""
        lines.append(f"| {name} |{cells} {growth} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--slow", action="store_true", help="a year with every peer; takes minutes")
    parser.add_argument("--short", action="store_true", help="four weeks against statsmodels' arrays alone")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.short:
        print(table([672], [compare(simulate(14, 14), OURS[:1] + PEERS[:2], options.rounds)]))
        return
    sizes, measured = [], []
    for days_before, days_after, peers, rounds in (
        (14, 14, PEERS, options.rounds),
        (42, 42, PEERS, max(options.rounds // 3, 2)),
        (182, 183, PEERS if options.slow else PEERS[:3], 2),
    ):
        job = simulate(days_before, days_after)
        seconds = compare(job, OURS + peers, rounds)
        seconds["limit: columns read once"] = read_once(job)
        sizes.append(24 * (days_before + days_after))
        measured.append(seconds)
    print(table(sizes, measured), flush=True)
    start = cold()
    print(
        f"cold process, import and 672 hours: {start['ours'] * 1e3:,.0f} ms; statsmodels "
        f"{start['statsmodels'] * 1e3:,.0f} ms; ratio {start['statsmodels'] / start['ours']:.1f}"
    )


if __name__ == "__main__":
    main()
