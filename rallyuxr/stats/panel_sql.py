"""The collapse to unit means inside DuckDB: for files and relations of any size, with ids of any type.

The rows never leave DuckDB. One query groups by unit and answers with the moments of both arms, so
memory grows neither with the rows nor, in files, with the units. Whatever looks unusual is answered by None: the
caller then reads the rows, and either finds what is wrong or computes the same by another way.
"""

import os
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from rallyuxr.stats.arm_moments import ArmMoments, PanelMoments
from rallyuxr.stats.panel_data import (
    LARGEST,
    ColumnNames,
    is_duckdb_relation,
    is_path,
    quote,
    select_columns,
    to_arrow,
)
from rallyuxr.stats.panel_pieces import count_rows

_MOST_PERIODS = 30
"""Each unit's (period, post) cells are bits 2·period + post of one 64-bit integer, its arms bits 60 and 61."""

_LARGE_FRAME = 200_000
"""Fewer rows are coded in memory, which takes less time than planning the queries."""

_MEMORY_LIMIT = "256MB"
"""What DuckDB may take for a file before it writes to disk, so that memory does not grow with the units."""

_INTEGERS = {sign + size for sign in ("", "u") for size in ("tinyint", "smallint", "integer", "bigint", "hugeint")}
_NUMERIC = _INTEGERS | {"boolean", "decimal", "float", "double"}

_AFTER_BITS = sum(1 << (2 * code + 1) for code in range(_MOST_PERIODS))
_CONTROL_BIT, _TREATED_BIT = 1 << 60, 1 << 61

_MOMENTS = """
WITH cells AS (
    SELECT {unit} AS unit, {outcome} - {shift!r} AS y, {post}::BIGINT AS after,
           (1::BIGINT << (2 * {code} + {post}::BIGINT)) | ({control_bit} << {treated}::BIGINT) AS cell
    FROM panel {join}
), units AS (
    SELECT unit, count(*) AS n, sum(y) AS total, sum(y * after) AS total_after, bit_or(cell) AS cells
    FROM cells GROUP BY unit
), windows AS (
    SELECT cells >= {treated_bit} AS treated, n, cells,
           unit IS NOT NULL AND abs(total) <= {largest} AND abs(total_after) <= {largest}
               AND bit_count(cells >> 60) = 1 AND bit_count(cells) = n + 1 AS valid,
           bit_count(cells & {after_bits}) AS n_after, n - n_after AS n_before,
           n_after > 0 AND n_before > 0 AS complete,
           (total - total_after) / n_before AS pre, total_after / n_after - pre AS change
    FROM units
)
SELECT treated, bool_and(valid), sum(n)::BIGINT, min(n), max(n), bit_or(cells), count(*),
       count(*) FILTER (complete),
       avg(change) FILTER (complete AND valid), avg(pre) FILTER (complete AND valid),
       var_samp(change) FILTER (complete AND valid), covar_samp(change, pre) FILTER (complete AND valid),
       var_samp(pre) FILTER (complete AND valid)
FROM windows GROUP BY treated ORDER BY treated
"""


def fetched_if_small(data: Any, names: ColumnNames) -> Any:
    """A DuckDB relation of few rows as an Arrow table; other data as they are."""
    if not is_duckdb_relation(data) or not set(names.used()) <= set(data.columns):
        return data
    ((rows,),) = data.aggregate("count(*)").fetchall()
    return data if rows >= _LARGE_FRAME else select_columns(data, names.used()).to_arrow_table()


def is_queryable(data: Any, names: ColumnNames) -> bool:
    """Whether to ask DuckDB for the moments without reading the rows: of large files, and of relations."""
    if not names.is_plain:
        return False
    return os.path.isfile(data) and count_rows(data) >= _LARGE_FRAME if is_path(data) else is_duckdb_relation(data)


def is_large_frame(data: Any, names: ColumnNames) -> bool:
    """Whether to ask DuckDB for the moments of rows in memory: of large frames with ids to code."""
    if is_path(data) or is_duckdb_relation(data) or isinstance(data, Mapping) or not names.is_plain:
        return False
    return len(data) >= _LARGE_FRAME and "int" not in str(_column_type(data[names.unit])).lower()


def query_moments(data: Any, names: ColumnNames) -> PanelMoments | None:
    """Moments of both arms, grouped inside DuckDB; None where the rows are few or need a closer look.

    Parameters
    ----------
    data
        The path of a Parquet file, a DuckDB relation, or a table.
    names
        Without covariates, cluster and weights, which need the rows.
    """
    if is_duckdb_relation(data):
        return _query_relation(data, names)
    import duckdb

    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"temp_directory": folder}) as connection:
        connection.execute("SET enable_progress_bar = false")
        if is_path(data):
            connection.execute(f"SET memory_limit = '{_MEMORY_LIMIT}'")
            return _query_relation(connection.read_parquet(os.fspath(data)), names)
        import pyarrow

        table = pyarrow.table({name: to_arrow(data[name]) for name in names.used()})
        return _query_relation(connection.from_arrow(table), names)


def _query_relation(relation: Any, names: ColumnNames) -> PanelMoments | None:
    types = {name: str(kind.id) for name, kind in zip(relation.columns, relation.types, strict=True)}
    numeric = {names.outcome, names.treated, names.post}
    if not set(names.used()) <= types.keys() or not {types[name] for name in numeric} <= _NUMERIC:
        return None
    period, outcome, treated, post = map(quote, (names.period, names.outcome, names.treated, names.post))
    n_obs, n_valid, shift, *bounds = relation.aggregate(
        f"count(*), count({outcome}) FILTER ({treated} IN (0, 1) AND {post} IN (0, 1)), "
        f"any_value({outcome})::DOUBLE, min({period}), max({period})"
    ).fetchall()[0]
    if n_valid < n_obs or not n_obs or not abs(shift) <= LARGEST:
        return None
    coded = _code_periods(relation, period, types[str(names.period)] in _INTEGERS, *bounds)
    if coded is None:
        return None
    code, join = coded
    sql = _MOMENTS.format(
        unit=quote(names.unit),
        treated=treated,
        outcome=outcome,
        post=post,
        shift=shift,
        code=code,
        join=join,
        largest=LARGEST,
        after_bits=_AFTER_BITS,
        control_bit=_CONTROL_BIT,
        treated_bit=_TREATED_BIT,
    )
    return _moments(relation.query("panel", sql).fetchall(), n_obs, shift)


def _column_type(column: Any) -> Any:
    return column.type if hasattr(column, "type") else column.dtype


def _code_periods(relation: Any, column: str, are_integers: bool, low: Any, high: Any) -> tuple[str, str] | None:
    """SQL for a period's code and the join it needs; None for more periods than there are bits."""
    if low is None:
        return None
    if are_integers and high - low < _MOST_PERIODS:
        return f"({column} - {low})::BIGINT", ""
    distinct = relation.query("panel", f"SELECT count(DISTINCT {column}) FROM panel").fetchall()[0][0]
    if distinct > _MOST_PERIODS:
        return None
    codes = f"SELECT {column}, row_number() OVER () - 1 AS period_code FROM (SELECT DISTINCT {column} FROM panel)"
    return "period_code", f"JOIN ({codes}) USING ({column})"


def _moments(arms: list[tuple[Any, ...]], n_obs: int, shift: float) -> PanelMoments | None:
    valid = [arm[0] for arm in arms] == [False, True] and all(arm[1] for arm in arms)
    if not valid or sum(arm[2] for arm in arms) != n_obs:
        return None
    control, treatment = (_arm(*arm[7:]) for arm in arms)
    cells = arms[0][5] | arms[1][5]
    before, after = cells & _AFTER_BITS >> 1, (cells & _AFTER_BITS) >> 1
    n_periods = (before | after).bit_count()
    if before & after or not before or control is None or treatment is None:
        return None
    return PanelMoments(
        treatment=treatment,
        control=control,
        shift=shift,
        n_obs=n_obs,
        n_units=treatment.n_units + control.n_units,
        n_incomplete=sum(arm[6] - arm[7] for arm in arms),
        has_baseline=True,
        balanced=all(arm[3] == arm[4] == n_periods for arm in arms),
        n_periods=n_periods,
        post_share=after.bit_count() / n_periods,
    )


def _arm(
    n_units: int, change: float, pre: float, v_change: float, covariance: float, v_pre: float
) -> ArmMoments | None:
    """One arm from sample moments; None for arms of one unit, which have no sample variance."""
    if n_units < 2:
        return None
    cov = np.array([[v_change, covariance], [covariance, v_pre]]) / n_units
    return ArmMoments(n_units, np.array([change, pre]), cov)
