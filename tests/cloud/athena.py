"""docs/athena.sql as Athena would understand it, held against the files that it is to read."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

SCALARS = {"bigint": pa.int64(), "string": pa.string(), "timestamp": pa.timestamp("us", tz="UTC")}
"""Athena's timestamp is read as UTC; it has three decimals, which `disagreements` checks."""
JAVA_DATES = {"yyyy-MM": "%Y-%m"}
TYPE_WORDS = re.compile(r"\s*(\w+|[<>(),:])")


@dataclass(frozen=True, slots=True)
class AthenaTable:
    """What the statement declares."""

    name: str
    columns: pa.Schema
    partitions: tuple[tuple[str, str], ...]
    stored_as: str
    location: str
    properties: Mapping[str, str]

    def of(self, key: str, now: datetime) -> dict[str, str] | None:
        """The values of the partition that holds the object of this key, or None where no query would find it."""
        template = (
            re.escape(self.properties["storage.location.template"]).replace(r"\$\{", "${").replace(r"\}", "}")
        )
        pattern = re.sub(r"\$\{(\w+)\}", r"(?P<\1>[^/]+)", template) + r"[^/]+"
        found = re.fullmatch(pattern, f"s3://BUCKET/{key}")
        if found is None or not key.startswith(self.location.removeprefix("s3://BUCKET/")):
            return None
        values = found.groupdict()
        projected = all(self._projects(name, value, now) for name, value in values.items())
        return values if projected and values.keys() == {name for name, _ in self.partitions} else None

    def _projects(self, name: str, value: str, now: datetime) -> bool:
        about = {key.split(".", 2)[2]: text for key, text in self.properties.items() if f".{name}." in key}
        if about["type"] == "injected":
            return True
        assert about["type"] == "date", "only these two kinds are used"
        form = JAVA_DATES[about["format"]]
        first, last = about["range"].split(",")
        assert (about["interval"], about["interval.unit"]) == ("1", "MONTHS")
        months = now.year * 12 + now.month - 1 + {"NOW": 0, "NOW+1MONTHS": 1}[last]
        newest = f"{months // 12:04d}-{months % 12 + 1:02d}"
        try:
            same = f"{datetime.strptime(value, form):%Y-%m}" == value  # noqa: DTZ007 - a month has no zone
        except ValueError:
            return False
        return same and first <= value <= newest


def read_ddl(text: str) -> AthenaTable:
    """Read a CREATE EXTERNAL TABLE statement."""
    code = re.sub(r"--.*", "", text)
    found = re.fullmatch(
        r"\s*CREATE EXTERNAL TABLE (\w+) \((.*)\)\s*PARTITIONED BY \((.*?)\)\s*STORED AS (\w+)\s*"
        r"LOCATION '([^']*)'\s*TBLPROPERTIES \((.*)\);\s*",
        code,
        re.DOTALL,
    )
    assert found is not None, "not a statement of the expected form"
    name, columns, partitions, stored_as, location, properties = found.groups()
    pairs = re.findall(r"'([^']*)' = '([^']*)'", properties)
    declared = tuple((part.strip().split(" ", 1)[0].strip("`"), part.split()[-1]) for part in partitions.split(","))
    return AthenaTable(name, pa.schema(_columns(columns)), declared, stored_as, location, dict(pairs))


def disagreements(table: AthenaTable, files: Mapping[str, bytes], now: datetime) -> list[str]:
    """Every way in which the statement and these files, by key, do not fit; none where Athena can read them all."""
    found = [] if table.stored_as == "PARQUET" else [f"stored as {table.stored_as}"]
    if any(kind != "string" for _, kind in table.partitions) or set(table.columns.names) & {
        name for name, _ in table.partitions
    }:
        found.append("partitions are text, and not columns of the files")
    if table.properties.get("projection.enabled") != "true":
        found.append("partitions are not projected")
    for key, content in files.items():
        if table.of(key, now) is None:
            found.append(f"{key} lies in no partition")
        found += _unlike(table.columns, content, key)
    return found


def _unlike(declared: pa.Schema, content: bytes, key: str) -> Iterator[str]:
    file = pq.ParquetFile(BytesIO(content))
    stored = file.schema_arrow
    if declared.names != stored.names:
        yield f"{key} has the columns {stored.names}, declared are {declared.names}"
        return
    for column in declared:
        there = stored.field(column.name).type
        if _plain(there) != _plain(column.type):
            yield f"{column.name} of {key} is {there}, declared is {column.type}"
    if any(name != name.lower() for name in file.schema.names):
        yield f"{key} has names that are not in lower case, which Athena folds"
    for column in declared:
        if pa.types.is_timestamp(column.type):
            times = file.read([column.name]).column(0)
            if not times.cast(pa.timestamp("ms", tz="UTC"), safe=False).cast(times.type).equals(times):
                yield f"{column.name} of {key} has times that Athena would round"


def _plain(kind: pa.DataType) -> str:
    """The type without what a reader does not see: names of a list's element and of a map's pairs, nullability."""
    if pa.types.is_list(kind):
        return f"array<{_plain(kind.value_type)}>"
    if pa.types.is_map(kind):
        return f"map<{_plain(kind.key_type)},{_plain(kind.item_type)}>"
    if pa.types.is_struct(kind):
        return "struct<" + ",".join(f"{field.name}:{_plain(field.type)}" for field in kind) + ">"
    return str(kind)


def _columns(text: str) -> list[tuple[str, pa.DataType]]:
    words = TYPE_WORDS.findall(text.replace("`", ""))
    columns = []
    while words:
        columns.append((words.pop(0), _type(words)))
        assert not words or words.pop(0) == ","
    return columns


def _type(words: list[str]) -> pa.DataType:
    """The type that the words begin with; takes its words away."""
    kind = words.pop(0).lower()
    if kind in SCALARS:
        return SCALARS[kind]
    opened = words.pop(0)
    if kind == "decimal":
        assert opened == "("
        precision, comma, scale, closed = (words.pop(0) for _ in range(4))
        assert (comma, closed) == (",", ")")
        return pa.decimal128(int(precision), int(scale))
    assert opened == "<", f"no such type: {kind}"
    parts = list(_parts(words, named=kind == "struct"))
    if kind == "struct":
        return pa.struct(parts)
    kinds = [part for _, part in parts]
    return {"array": pa.list_, "map": pa.map_}[kind](*kinds)


def _parts(words: list[str], *, named: bool) -> Iterator[tuple[str, pa.DataType]]:
    closed = False
    while not closed:
        name = words.pop(0) if named else ""
        assert not named or words.pop(0) == ":"
        yield name, _type(words)
        closed = words.pop(0) == ">"
