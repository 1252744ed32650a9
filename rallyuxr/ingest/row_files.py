"""CSV and Parquet files of plain rows under the contract's names; read in pieces, so any length fits in memory."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import duckdb
from pydantic.alias_generators import to_camel

from rallyuxr.errors import InvalidInput

_ROWS_PER_PIECE = 10_000


def read_rows(
    path: Path, fields: Collection[str], required: Collection[str], defaults: Mapping[str, str] | None = None
) -> Iterator[dict[str, str]]:
    """The file's rows in its order, every value as text, empty cells left out, not validated.

    Args:
        path: a file ending in `.csv`, `.csv.gz` or `.parquet`; columns in either spelling (`order_id`, `orderId`).
        fields: the names that columns may have.
        required: those that must be there, as a column or a default.
        defaults: values for every row that has none.

    Raises:
        InvalidInput: not such a file, or columns are missing or unknown.
    """
    given = defaults or {}
    with duckdb.connect() as connection:
        try:
            connection.execute(_query(path), [str(path)])
            names = [to_camel(column[0].strip()) for column in connection.description or ()]
            _check(path, names, fields, [name for name in required if name not in given])
            while piece := connection.fetchmany(_ROWS_PER_PIECE):
                for values in piece:
                    there = {n: value for n, value in zip(names, values, strict=True) if value not in (None, "")}
                    yield {**given, **there}
        except duckdb.Error as problem:
            raise InvalidInput(f"{path} cannot be read: {problem}") from None


def _query(path: Path) -> str:
    if path.suffix == ".parquet":
        return "SELECT COLUMNS(*)::VARCHAR FROM read_parquet(?)"
    if path.name.endswith((".csv", ".csv.gz")):
        return "SELECT * FROM read_csv(?, header = true, all_varchar = true, delim = ',')"
    raise InvalidInput(f"{path} ends neither in .csv, .csv.gz nor in .parquet.")


def _check(path: Path, names: Collection[str], fields: Collection[str], required: Collection[str]) -> None:
    if missing := [name for name in required if name not in names]:
        raise InvalidInput(f"{path} has no column {', '.join(missing)}; it has {', '.join(names)}.")
    if strangers := sorted(set(names) - set(fields)):
        raise InvalidInput(
            f"{path} has columns that have no meaning here: {', '.join(strangers)}. Remove or rename them."
        )
