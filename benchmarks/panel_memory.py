"""Peak memory of panels read from Parquet, each in a process of its own, from files that are written in pieces.

    python -m benchmarks.panel_memory                          # 1 M and 10 M rows, sorted by unit
    python -m benchmarks.panel_memory --rows 10000000 100000000 --order period

Sorted by unit, files are summed as they are read; in any other order DuckDB groups them. 20 rows a unit.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

PERIODS = 20
UNITS_PER_PIECE = 50_000
MEASURED = """
import resource, sys, time
import duckdb, pyarrow.parquet
from rallyuxr.stats.panel import did_panel

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

before, wall, cpu = peak_mb(), time.perf_counter(), time.process_time()
result = did_panel(
    sys.argv[1], unit="unit", period="period", treated="treated", post="post", outcome="outcome"
)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(f"{result.n_obs:,} | {result.n_units:,} | {before:.0f} | {peak_mb():.0f} | {wall:.1f} | {cpu:.1f}")
"""


def pieces(n_units: int, order: str) -> Iterator[pa.Table]:
    """The panel of `benchmarks.panel`, sorted by unit, or by period with units in another order."""
    rng = np.random.default_rng(0)
    if order == "unit":
        for first in range(0, n_units, UNITS_PER_PIECE):
            unit = np.arange(first, min(first + UNITS_PER_PIECE, n_units))
            level = np.repeat(rng.standard_normal(unit.size), PERIODS)
            yield rows(rng, np.repeat(unit, PERIODS), np.tile(np.arange(PERIODS), unit.size), level)
        return
    shuffled, level = rng.permutation(n_units), rng.standard_normal(n_units)
    for period in range(PERIODS):
        for first in range(0, n_units, UNITS_PER_PIECE * PERIODS):
            unit = shuffled[first : first + UNITS_PER_PIECE * PERIODS]
            yield rows(rng, unit, np.full(unit.size, period), level[unit])


def rows(rng: np.random.Generator, unit: np.ndarray, period: np.ndarray, level: np.ndarray) -> pa.Table:
    treated, post = unit % 2, period >= PERIODS // 2
    outcome = level + 0.01 * period + 0.1 * treated * post + rng.standard_normal(unit.size)
    columns = {"unit": unit.astype(np.int32), "period": period.astype(np.int16)}
    return pa.table(
        columns | {"treated": treated.astype(np.int8), "post": post.astype(np.int8), "outcome": outcome}
    )


def write(path: Path, n_rows: int, order: str) -> None:
    tables = pieces(n_rows // PERIODS, order)
    first = next(tables)
    encodings = {"unit": "DELTA_BINARY_PACKED", "outcome": "BYTE_STREAM_SPLIT"}
    with pa.parquet.ParquetWriter(
        path, first.schema, use_dictionary=["period", "treated", "post"], column_encoding=encodings
    ) as file:
        file.write_table(first)
        for table in tables:
            file.write_table(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--order", choices=("unit", "period"), default="unit")
    options = parser.parse_args()
    print(
        f"Sorted by {options.order}:\n\n| rows | units | MB before | MB at the peak | seconds | processor seconds |"
    )
    print("|---" * 6 + "|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "panel.parquet"
        for n_rows in options.rows:
            write(path, n_rows, options.order)
            measured = subprocess.run(
                [sys.executable, "-c", MEASURED, str(path)], check=True, capture_output=True, text=True
            )
            print(f"| {measured.stdout.strip()} |", flush=True)


if __name__ == "__main__":
    main()
