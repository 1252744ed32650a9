"""Panels as they arrive, read into the arrays that estimators take.

Mappings of arrays need numpy alone; frames, Parquet files and DuckDB relations come in through Arrow,
which is imported when the first one is met.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.id_runs import id_runs, is_text

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.integer[Any]]

LARGEST = 1e70
"""Values up to this can be squared, weighted and summed without leaving floating point."""

_DENSE_SLACK = 1024
"""Integer ids spanning at most twice the rows plus this many values are used as codes as they are."""


class ColumnNames(NamedTuple):
    """Which column plays which part; `unit` is None for repeated cross-sections."""

    unit: str | None
    period: str | None
    treated: str
    post: str
    outcome: str
    covariates: tuple[str, ...] = ()
    cluster: str | None = None
    weights: str | None = None

    def used(self) -> list[str]:
        """Every named column once."""
        named = (self.unit, self.period, self.treated, self.post, self.outcome, self.cluster, self.weights)
        return list(dict.fromkeys(name for name in (*named, *self.covariates) if name is not None))

    @property
    def is_plain(self) -> bool:
        """Whether units are compared by their outcomes alone, so that the arms' moments answer."""
        followed = self.unit is not None and self.period is not None
        return followed and not self.covariates and self.cluster is None and self.weights is None


@dataclass(frozen=True, slots=True)
class Levels:
    """A categorical column: codes (n,) in 0..count-1; labels (count,), or None where code + low is the label."""

    codes: Codes
    count: int
    low: int = 0
    labels: NDArray[Any] | None = None

    def label(self, code: int) -> Any:
        """What the caller called this level."""
        return self.low + int(code) if self.labels is None else self.labels[code]


@dataclass(frozen=True, slots=True)
class Panel:
    """Rows of a unit-by-period panel: every array is (n,), covariates are (k, n)."""

    unit: Levels
    period: Levels
    treated: Flags
    post: Flags
    outcome: Floats
    covariates: Floats
    weights: Floats | None = None
    cluster: Levels | None = None

    @property
    def n_obs(self) -> int:
        """Rows."""
        return self.outcome.size


def is_duckdb_relation(data: object) -> bool:
    """Whether `data` is a DuckDB relation, told without importing DuckDB."""
    return type(data).__name__ == "DuckDBPyRelation"


def select_columns(relation: Any, names: Sequence[str]) -> Any:
    """A DuckDB relation of these columns alone."""
    return relation.select(*map(quote, names))


def quote(name: str | None) -> str:
    """A column's name as SQL writes it."""
    return '"' + str(name).replace('"', '""') + '"'


def is_path(data: object) -> bool:
    """Whether `data` names a file."""
    return isinstance(data, str | os.PathLike)


def read_panel(data: Any, names: ColumnNames) -> Panel:
    """Read a panel into arrays, refusing what no estimator could use.

    Raises
    ------
    InvalidInput
        For a missing column, columns of different lengths, missing or infinite values, flags other
        than 0 and 1, and weights that are not positive.
    """
    if names.unit is None or names.period is None:
        raise InvalidInput("a panel needs the names of its unit and period columns; got none")
    columns = read_columns(data, names.used())
    return Panel(
        unit=encode(columns[names.unit], names.unit),
        period=encode(columns[names.period], names.period),
        treated=flags(columns[names.treated], names.treated),
        post=flags(columns[names.post], names.post),
        outcome=numbers(columns[names.outcome], names.outcome),
        covariates=stack_numbers(columns, names.covariates),
        weights=None if names.weights is None else positive_numbers(columns[names.weights], names.weights),
        cluster=None if names.cluster is None else encode(columns[names.cluster], names.cluster),
    )


def read_columns(data: Any, names: Sequence[str], *, nullable: Sequence[str] = ()) -> dict[str, Any]:
    """The named columns, each a NumPy array or, where NumPy would need objects, an Arrow array.

    Missing values are refused but in `nullable` columns, where they become NaN or NaT.
    """
    if is_path(data):
        data = _read_parquet(data, names)
    elif is_duckdb_relation(data):
        data = select_columns(data, _present(data.columns, names)).to_arrow_table()
    available = column_names(data)
    columns = {name: _as_array(data[name], name, name in nullable) for name in _present(available, names)}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1:
        raise InvalidInput(f"columns have different lengths: {lengths}; every column needs one value per row")
    if not next(iter(lengths.values())):
        raise InvalidInput("the data have no rows; pass at least one row per unit and period")
    return columns


def encode(column: Any, name: str) -> Levels:
    """Turn a column of ids into codes; integers of a small range are used as they are."""
    if not isinstance(column, np.ndarray):
        return _encode_arrow(column)
    if column.dtype.kind in "iu":
        low, high = int(column.min()), int(column.max())
        if high - low < 2 * column.size + _DENSE_SLACK:
            ready = low == 0 and column.dtype != np.uint64
            return Levels(column if ready else column.astype(np.int64) - low, high - low + 1, low)
    if column.dtype.kind == "f":
        numbers(column, name)
    try:
        labels, codes = np.unique(column, return_inverse=True)
    except TypeError:
        raise InvalidInput(
            f"column {name!r} mixes types or has missing values; make all of its ids one type"
        ) from None
    return Levels(codes, labels.size, labels=labels)


def flags(column: Any, name: str) -> Flags:
    """A 0/1 column as booleans, without a copy where it is one byte wide."""
    values = _numeric(column, name)
    if values.dtype.kind == "b":
        return values
    if values.dtype.kind in "iu":
        valid = values.min() >= 0 and values.max() <= 1
    else:
        valid = bool(np.all((values == 0) | (values == 1)))
    if not valid:
        raise InvalidInput(f"column {name!r} has values other than 0 and 1; make it a 0/1 or boolean column")
    return values.view(np.bool_) if values.dtype.itemsize == 1 else values.astype(np.bool_)


def numbers(column: Any, name: str) -> Floats:
    """A numeric column as floats that are finite, and whose squares and products are."""
    values = _numeric(column, name).astype(np.float64, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()
    if not np.isfinite(total):
        missing = int(np.count_nonzero(~np.isfinite(values)))
        if missing:
            raise InvalidInput(
                f"column {name!r} has {missing} missing or infinite values of {values.size}; "
                "remove or fill these rows first: a missing value is not a zero"
            )
    largest = max(float(values.max()), -float(values.min()))
    if largest > LARGEST:
        raise InvalidInput(
            f"column {name!r} has values as large as {largest:.3g}, whose squares are beyond floating point; "
            f"divide it by a constant so that none is above {LARGEST:g}"
        )
    return values


def positive_numbers(column: Any, name: str) -> Floats:
    """A column of weights."""
    values = numbers(column, name)
    if values.min() <= 0:
        raise InvalidInput(
            f"column {name!r} has weights of zero or less; remove these rows or use positive weights"
        )
    if values.min() < 1 / LARGEST:
        raise InvalidInput(f"column {name!r} has weights below {1 / LARGEST:g}; multiply all of them by a constant")
    return values


def stack_numbers(columns: Mapping[str, Any], names: Sequence[str]) -> Floats:
    """Named numeric columns as one (k, n) array; k may be 0."""
    if not names:
        return np.empty((0, len(next(iter(columns.values())))))
    return np.stack([numbers(columns[name], name) for name in names])


def to_arrow(column: Any) -> Any:
    """A column of a pandas, polars or pyarrow table as an Arrow array."""
    import pyarrow

    array = pyarrow.chunked_array(column) if hasattr(column, "__arrow_c_stream__") else pyarrow.array(column)
    is_view = pyarrow.types.is_string_view(array.type)  # polars' texts, which few Arrow functions take
    return array.cast(pyarrow.large_string()) if is_view else array


def _present(available: Sequence[str], names: Sequence[str]) -> Sequence[str]:
    missing = [name for name in names if name not in available]
    if missing:
        raise InvalidInput(f"no column {missing} in the data; it has {list(available)}: name one of these")
    return names


def column_names(data: Any) -> list[str]:
    """The names of the columns of a mapping, frame or relation."""
    if isinstance(data, Mapping):
        return list(data)
    names = getattr(data, "column_names", getattr(data, "columns", None))
    if names is None:
        raise InvalidInput(
            f"cannot read a panel from {type(data).__name__}; pass a mapping of arrays, a pandas, polars or "
            "pyarrow table, the path of a Parquet file or a DuckDB relation"
        )
    return [str(name) for name in names]


def _read_parquet(path: Any, names: Sequence[str]) -> Any:
    import pyarrow.dataset

    try:
        file = pyarrow.dataset.dataset(path)
    except FileNotFoundError:
        raise InvalidInput(f"there is no file {os.fspath(path)!r}; pass the path of a Parquet file") from None
    return file.to_table(columns=list(_present(file.schema.names, names)))


def _as_array(column: Any, name: str, nullable: bool) -> Any:
    if isinstance(column, list | tuple):
        column = np.asarray(column)
    dtype = getattr(column, "dtype", None)
    if isinstance(dtype, np.dtype):
        values = np.asarray(column)
        if values.ndim != 1:
            raise InvalidInput(f"column {name!r} has shape {values.shape}; every column needs one dimension")
        return values
    return _from_arrow(column, name, nullable)


def _from_arrow(column: Any, name: str, nullable: bool) -> Any:
    import pyarrow

    array = to_arrow(column)
    if array.null_count and not nullable:
        raise InvalidInput(
            f"column {name!r} has {array.null_count} missing values of {len(array)}; "
            "remove or fill these rows first: a missing value is not a zero"
        )
    kind = array.type
    if not pyarrow.types.is_primitive(kind):
        return array
    if isinstance(array, pyarrow.ChunkedArray):
        array = array.combine_chunks()
    if array.null_count or not (pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind)):
        return array.to_numpy(zero_copy_only=False)
    return np.from_dlpack(array)  # `to_numpy` would import pandas


def _encode_arrow(column: Any) -> Levels:
    runs = id_runs(column)
    if runs is None:
        return _encode_values(column)
    levels = _encode_values(runs.ids)
    return replace(levels, codes=np.repeat(levels.codes, runs.lengths))


def _encode_values(column: Any) -> Levels:
    import pyarrow

    encoded = pyarrow.chunked_array(column).dictionary_encode().unify_dictionaries().combine_chunks()
    if isinstance(encoded, pyarrow.ChunkedArray):
        encoded = encoded.chunk(0)
    labels = encoded.dictionary.to_numpy(zero_copy_only=False)
    order = _sorted(encoded.dictionary, labels)
    rank = np.empty(order.size, dtype=np.int32)
    rank[order] = np.arange(order.size, dtype=np.int32)
    return Levels(rank[encoded.indices.to_numpy()], order.size, labels=labels[order])


def _sorted(column: Any, labels: NDArray[Any]) -> NDArray[Any]:
    """The order of labels, an Arrow array and the same as objects: comparing texts as objects is slow."""
    import pyarrow
    import pyarrow.compute

    if is_text(column.type):
        order: NDArray[Any] = pyarrow.compute.array_sort_indices(column).to_numpy()
        return order
    return np.argsort(labels)


def _numeric(column: Any, name: str) -> NDArray[Any]:
    if isinstance(column, np.ndarray) and column.dtype.kind in "biuf":
        return column
    try:
        return np.asarray(column).astype(np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(f"column {name!r} is not numeric; convert it to numbers first") from None
