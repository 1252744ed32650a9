"""Speed and memory of the panel estimators against their peers, on the same data and for the same estimand.

Every peer's estimate and standard error are compared with ours first; a difference above 1e-8 of the
standard error stops the run. Timings are interleaved: each round calls every contender once, so that a
busy machine slows all of them. Prints Markdown tables of wall time and, with `--cpu`, of processor time,
which other programs on the machine disturb less; threads count in it, so DuckDB's is the sum of its threads'.

    python -m benchmarks.panel                       # up to 1 M rows, a minute
    python -m benchmarks.panel --rows 100000 1000000 10000000 --rounds 5
    python -m benchmarks.panel --rows 1000000 --rounds 9 --tables dense --slow-rounds 3 --cpu
"""

import argparse
import gc
import math
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import duckdb
import narwhals
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import tea_tasting

from rallyuxr.stats.panel import did_panel
from rallyuxr.stats.panel_event_study import panel_event_study

PERIODS = 20
REFERENCE = PERIODS // 2 - 1
AGREEMENT = 1e-8
TABLES = ("dense", "strings", "parquet", "event-study")
COLUMNS = {"unit": "unit", "period": "period", "treated": "treated", "outcome": "outcome"}


class Answer(NamedTuple):
    """What a contender found, to compare before timing."""

    estimate: float
    std_error: float


class Contender(NamedTuple):
    """A name, a job that returns its answer, and our answer under the same small-sample convention.

    `slow` ones run a single round.
    """

    name: str
    run: Callable[[], Answer]
    expected: Callable[[], Answer]
    slow: bool = False


def simulate(n_rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """A balanced panel sorted by unit, ids dense, with unit effects, a common trend and an effect of .1."""
    rng = np.random.default_rng(seed)
    n_units = n_rows // PERIODS
    unit = np.repeat(np.arange(n_units, dtype=np.int32), PERIODS)
    period = np.tile(np.arange(PERIODS, dtype=np.int16), n_units)
    treated = (unit % 2).astype(np.int8)
    post = (period > REFERENCE).astype(np.int8)
    outcome = rng.standard_normal(n_units)[unit] + 0.01 * period + rng.standard_normal(unit.size)
    outcome += 0.1 * (treated * post)
    return {"unit": unit, "period": period, "treated": treated, "post": post, "outcome": outcome}


def ours(data: Any, method: str = "auto", small_sample: str = "cr1_nested") -> Answer:
    result = did_panel(data, **COLUMNS, post="post", method=method, small_sample=small_sample)
    assert result.estimate is not None
    assert result.std_error is not None
    return Answer(result.estimate, result.std_error)


def our_event_study(data: Any) -> Answer:
    path = panel_event_study(data, **COLUMNS, reference=REFERENCE).path
    last = path.effects[-1]
    assert last.std_error is not None
    return Answer(last.estimate, last.std_error)


def fereg(frame: pd.DataFrame) -> Answer:
    import fereg

    fit = fereg.feols("outcome ~ effect | unit + period", frame, vcov={"CRV1": "unit"})
    return Answer(fit.coef()["effect"], fit.se()["effect"])


def fereg_event_study(frame: pd.DataFrame) -> Answer:
    import fereg

    formula = f"outcome ~ i(period, treated, ref={REFERENCE}) | unit + period"
    fit = fereg.feols(formula, frame, vcov={"CRV1": "unit"})
    return Answer(fit.coef().iloc[-1], fit.se().iloc[-1])


def pyfixest(frame: pd.DataFrame) -> Answer:
    import pyfixest

    fit = pyfixest.feols(
        "outcome ~ effect | unit + period",
        frame,
        vcov={"CRV1": "unit"},
        lean=True,
        copy_data=False,
        store_data=False,
    )
    return Answer(fit.coef()["effect"], fit.se()["effect"])


def tea(connection: duckdb.DuckDBPyConnection, source: str) -> Answer:
    changes = connection.sql(f"""
        SELECT min(treated) AS variant,
               avg(outcome) FILTER (post = 1) - avg(outcome) FILTER (post = 0) AS change
        FROM {source} GROUP BY unit
    """)
    result = tea_tasting.Experiment(change=tea_tasting.Mean("change")).analyze(narwhals.from_native(changes))[
        "change"
    ]
    return Answer(result.effect_size, result.effect_size / result.statistic)


def statsmodels(data: dict[str, np.ndarray]) -> Answer:
    """Least squares on arm × window: on a balanced panel the same estimate with the same clustered error."""
    import statsmodels.api as sm

    n_obs = data["outcome"].size
    design = np.empty((n_obs, 4))
    columns = (np.ones(n_obs), data["treated"], data["post"], data["treated"] * data["post"])
    for k, column in enumerate(columns):
        design[:, k] = column
    fit = sm.OLS(data["outcome"], design).fit(
        cov_type="cluster", cov_kwds={"groups": data["unit"], "use_correction": False}
    )
    return Answer(float(fit.params[3]), float(fit.bse[3]))


def statsmodels_within(frame: pd.DataFrame) -> Answer:
    """One column, after the two-way means were taken off by hand."""
    import statsmodels.api as sm

    def within(name: str) -> np.ndarray:
        values = frame[name]
        by_unit, by_period = (values.groupby(frame[key]).transform("mean") for key in ("unit", "period"))
        return (values - by_unit - by_period + values.mean()).to_numpy()

    fit = sm.OLS(within("outcome"), within("effect")).fit(
        cov_type="cluster", cov_kwds={"groups": frame["unit"].to_numpy(), "use_correction": False}
    )
    return Answer(float(fit.params[0]), float(fit.bse[0]))


def linearmodels(frame: pd.DataFrame) -> Answer:
    from linearmodels.panel import PanelOLS

    indexed = frame.set_index(["unit", "period"])
    fit = PanelOLS(indexed["outcome"], indexed[["effect"]], entity_effects=True, time_effects=True).fit(
        cov_type="clustered", cluster_entity=True, group_debias=True, count_effects=True
    )
    return Answer(float(fit.params.iloc[0]), float(fit.std_errors.iloc[0]))


def diff_diff(frame: pd.DataFrame) -> Answer:
    from diff_diff import TwoWayFixedEffects

    fit = TwoWayFixedEffects(cluster="unit").fit(
        frame, outcome="outcome", treatment="treated", post="post", unit="unit"
    )
    n_obs, n_clusters = len(frame), frame["unit"].nunique()
    uncorrected = (n_clusters - 1) / n_clusters * (n_obs - 3) / (n_obs - 1)  # it counts three coefficients
    return Answer(fit.att, fit.se * math.sqrt(uncorrected))


def dense_contenders(
    data: dict[str, np.ndarray], connection: duckdb.DuckDBPyConnection, *, slow_peers: bool
) -> list[Contender]:
    """Integer ids from 0, rows sorted by unit."""
    frame = pd.DataFrame(data)
    frame["effect"] = frame["treated"] * frame["post"]

    def under(small_sample: str) -> Callable[[], Answer]:
        return lambda: ours(data, "twfe", small_sample)

    contenders = [
        Contender("RallyUXR, Welch", lambda: ours(data), lambda: ours(data)),
        Contender("RallyUXR, two-way fixed effects", lambda: ours(data, "twfe"), under("cr1_nested")),
        Contender("tea-tasting on DuckDB", lambda: tea(connection, "panel"), lambda: ours(data)),
        Contender("fereg", lambda: fereg(frame), under("cr1_nested")),
    ]
    contenders.append(Contender("limit: columns read once", lambda: read_once(data), lambda: read_once(data)))
    if slow_peers:
        contenders += [
            Contender("pyfixest", lambda: pyfixest(frame), under("cr1_nested"), slow=True),
            Contender("statsmodels on arrays", lambda: statsmodels(data), under("cr0"), slow=True),
            Contender("statsmodels, demeaned by hand", lambda: statsmodels_within(frame), under("cr0"), slow=True),
            Contender("diff-diff", lambda: diff_diff(frame), under("cr0"), slow=True),
            Contender("linearmodels", lambda: linearmodels(frame), under("cr1_full"), slow=True),
        ]
    return contenders


def string_contenders(data: dict[str, np.ndarray], connection: duckdb.DuckDBPyConnection) -> list[Contender]:
    """Ids as strings, in a DuckDB table and in memory."""
    named = connection.sql("SELECT 'user-' || unit AS unit, * EXCLUDE (unit) FROM panel").to_arrow_table()
    frame = named.to_pandas()
    frame["effect"] = frame["treated"] * frame["post"]
    connection.from_arrow(named).create("named")
    shuffled = connection.sql("SELECT * FROM named ORDER BY hash(unit, period)").to_arrow_table()
    connection.from_arrow(shuffled).create("shuffled")

    def expected() -> Answer:
        return ours(data)

    def fixed_effects() -> Answer:
        return ours(data, "twfe")

    return [
        Contender("RallyUXR, Arrow table", lambda: ours(named), expected),
        Contender("RallyUXR, DuckDB table", lambda: ours(connection.table("named")), expected),
        Contender("RallyUXR, DuckDB table, shuffled", lambda: ours(connection.table("shuffled")), expected),
        Contender("tea-tasting on DuckDB", lambda: tea(connection, "named"), expected),
        Contender("tea-tasting on DuckDB, shuffled", lambda: tea(connection, "shuffled"), expected),
        Contender("fereg, a frame", lambda: fereg(frame), fixed_effects, slow=True),
        Contender("fereg, DuckDB table", lambda: _fereg_duckdb(connection, "named"), fixed_effects, slow=True),
        Contender(
            "fereg, DuckDB table, shuffled", lambda: _fereg_duckdb(connection, "shuffled"), fixed_effects, slow=True
        ),
    ]


def parquet_contenders(data: dict[str, np.ndarray], path: Path) -> list[Contender]:
    """Integer ids in a Parquet file, encoded as is smallest and fastest to read."""
    pa.parquet.write_table(
        pa.table(data),
        path,
        use_dictionary=["period", "treated", "post"],
        column_encoding={"unit": "DELTA_BINARY_PACKED", "outcome": "BYTE_STREAM_SPLIT"},
    )
    expected = lambda: ours(data)  # noqa: E731
    return [
        Contender("RallyUXR", lambda: ours(path), expected),
        Contender("tea-tasting on DuckDB", lambda: tea(duckdb.connect(), f"'{path}'"), expected),
        Contender(
            "fereg, reading with pandas", lambda: _fereg_parquet(path), lambda: ours(data, "twfe"), slow=True
        ),
    ]


def _fereg_parquet(path: Path) -> Answer:
    return _fereg_read(pd.read_parquet(path))


def _fereg_duckdb(connection: duckdb.DuckDBPyConnection, table: str) -> Answer:
    return _fereg_read(connection.table(table).df())


def _fereg_read(frame: pd.DataFrame) -> Answer:
    frame["effect"] = frame["treated"] * frame["post"]
    return fereg(frame)


def event_contenders(data: dict[str, np.ndarray]) -> list[Contender]:
    """The effect in every period against one reference, clustered by unit."""
    frame = pd.DataFrame(data)
    expected = lambda: our_event_study(data)  # noqa: E731
    return [
        Contender("RallyUXR", expected, expected),
        Contender("fereg", lambda: fereg_event_study(frame), expected, slow=True),
    ]


class Seconds(NamedTuple):
    """Time on the wall and time of the processors, all threads together."""

    wall: float
    cpu: float


def contenders_of(
    title: str,
    data: dict[str, np.ndarray],
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    *,
    slow_peers: bool,
) -> list[Contender]:
    """Who competes in one of `TABLES`."""
    if title == "dense":
        return dense_contenders(data, connection, slow_peers=slow_peers)
    if title == "strings":
        return string_contenders(data, connection)
    if title == "parquet":
        return parquet_contenders(data, folder / f"{len(data['unit'])}.parquet")
    return event_contenders(data)


def compare(contenders: list[Contender], rounds: int, slow_rounds: int) -> dict[str, Seconds]:
    """Median seconds by name, after every answer agreed with ours."""
    for contender in contenders:
        answer, expected = contender.run(), contender.expected()
        for found, wanted in zip(answer, expected, strict=True):
            if abs(found - wanted) > AGREEMENT * expected.std_error:
                raise SystemExit(f"{contender.name} answers {answer}, expected {expected}")
    seconds: dict[str, list[Seconds]] = {contender.name: [] for contender in contenders}
    for turn in range(rounds):
        for contender in contenders:
            if turn < slow_rounds or not contender.slow:
                gc.collect()
                wall, cpu = time.perf_counter(), time.process_time()
                contender.run()
                seconds[contender.name].append(Seconds(time.perf_counter() - wall, time.process_time() - cpu))
    return {name: Seconds(*map(median, zip(*times, strict=True))) for name, times in seconds.items()}


def extra_megabytes(job: Callable[[], Answer]) -> float:
    """Peak memory that a job's arrays take beside the caller's data; DuckDB's own memory is not seen."""
    tracemalloc.start()
    job()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


def read_once(data: dict[str, np.ndarray]) -> Answer:
    """Read every column once: no estimator can be faster."""
    for values in data.values():
        values.max()
    return Answer(0.0, 1.0)


def table(title: str, results: dict[int, dict[str, float]]) -> str:
    """Milliseconds by size, the ratio to the first contender at the largest size, and the growth exponent."""
    sizes = sorted(results)
    head = [f"### {title}", "", f"| | {' | '.join(f'{size:,} rows, ms' for size in sizes)} | times ours | growth |"]
    lines = [*head, "|---" * (len(sizes) + 3) + "|"]
    for name in results[sizes[0]]:
        seen = [size for size in sizes if name in results[size]]
        first, last = seen[0], seen[-1]
        reference = next(iter(results[last].values()))
        growth = (
            "" if first == last else f"{math.log(results[last][name] / results[first][name], last / first):.2f}"
        )
        cells = [f"{results[size][name] * 1e3:,.1f}" if name in results[size] else "" for size in sizes]
        lines.append(f"| {name} | {' | '.join(cells)} | {results[last][name] / reference:.1f} | {growth} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow-peers-up-to", type=int, default=1_000_000, metavar="ROWS")
    parser.add_argument("--slow-rounds", type=int, default=1, help="rounds of slow peers")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--cpu", action="store_true", help="also print processor time")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    results: dict[str, dict[int, dict[str, Seconds]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for n_rows in options.rows:
            data = simulate(n_rows)
            connection = duckdb.connect()
            connection.from_arrow(pa.table(data)).create("panel")
            slow_peers = n_rows <= options.slow_peers_up_to
            for title in options.tables:
                contenders = contenders_of(title, data, connection, Path(folder), slow_peers=slow_peers)
                results.setdefault(title, {})[n_rows] = compare(contenders, options.rounds, options.slow_rounds)
            dense, event_study = extra_megabytes(lambda: ours(data)), extra_megabytes(lambda: our_event_study(data))  # noqa: B023
            print(f"{n_rows:,} rows: {dense:.1f} MB extra, event study {event_study:.1f} MB extra\n", flush=True)
            connection.close()
    for title, by_size in results.items():
        for clock in ("wall", "cpu") if options.cpu else ("wall",):
            times = {
                size: {name: getattr(s, clock) for name, s in found.items()} for size, found in by_size.items()
            }
            print(table(title if clock == "wall" else f"{title}, processor time", times))


if __name__ == "__main__":
    main()
