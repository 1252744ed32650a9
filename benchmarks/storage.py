"""What storing an experiment's hours costs: four designs of items, in capacity units, bytes and time.

Time is that of the client: columns to request bodies, and response bodies back to columns, through
botocore's own serializer and parser; no network. Every design gives back the columns it was given,
which is checked first. Timings are interleaved; medians are printed, as a Markdown table.

    python -m benchmarks.storage            # 10 metrics, 4 weeks and a year: a minute or two
    python -m benchmarks.storage --rounds 9
"""

import argparse
import json
import math
import time
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import botocore.parsers
import botocore.serialize
import botocore.session
import numpy as np
from boto3.dynamodb.types import TypeDeserializer

from benchmarks.dynamodb_units import item_bytes, read_units, write_units
from rallyuxr.models import ExperimentData, MetricSeries
from rallyuxr.store.attributes import from_attributes, to_attributes
from rallyuxr.store.chunks import chunk_items, read_chunks

METRICS = 10
HOURS = {"4 weeks": 672, "a year": 8760}
EXPERIMENT = {"experimentId": "0197a3c2-5d1e-7c40-9a51-3f1c2b7d9e10"}
FIELDS = ("treatmentValue", "controlValue", "treatmentSampleSize", "controlSampleSize")
COLUMNS = ("treatment", "control", "treatment_n", "control_n")
PER_BATCH = 25
Item = dict[str, Any]
Row = tuple[str, float, float, float, float]


class Design(NamedTuple):
    """How data becomes items and items become data."""

    name: str
    items: Callable[[ExperimentData], Iterable[Item]]
    read: Callable[[Iterable[Item]], Mapping[str, MetricSeries]]
    plain: Callable[[Mapping[str, Any]], Item]


def simulate(hours: int, seed: int = 1) -> ExperimentData:
    """Ten conversion rates of about a thousand people an hour and arm, with a daily cycle."""
    rng = np.random.default_rng(seed)
    start = np.datetime64("2025-01-01T00", "h")
    stamps = (start + np.arange(hours)).astype("datetime64[s]")
    cycle = 1 + 0.3 * np.sin(np.arange(hours) * math.tau / 24)

    def one() -> MetricSeries:
        people = rng.poisson(1000 * cycle, (2, hours)).astype(np.float64)
        values = rng.binomial(people.astype(np.int64), 0.03) / people
        return MetricSeries(stamps, *values, *people)

    return ExperimentData(series={f"metric_{letter}": one() for letter in "abcdefghij"[:METRICS]})


def by_point(data: ExperimentData) -> Iterator[Item]:
    """One item per metric and hour, as the contract's words suggest."""
    for metric_id, rows in _rows(data):
        for row in rows:
            yield {**EXPERIMENT, "metricTimepoint": f"{metric_id}#{row[0]}", "metricId": metric_id, **_point(row)}


def by_day(data: ExperimentData) -> Iterator[Item]:
    """One item per metric and day, holding a list of maps."""
    for metric_id, rows in _rows(data):
        for first in range(0, len(rows), 24):
            day = rows[first : first + 24]
            key = f"{metric_id}#{day[0][0][:10]}"
            yield {
                **EXPERIMENT,
                "metricTimepoint": key,
                "metricId": metric_id,
                "points": [_point(row) for row in day],
            }


def by_month_of_numbers(data: ExperimentData) -> Iterator[Item]:
    """One item per metric and month, holding a list of numbers per column."""
    for metric_id, rows in _rows(data):
        months = sorted({row[0][:7] for row in rows})
        for month in months:
            points = [_point(row) for row in rows if row[0].startswith(month)]
            columns = {name: [point[name] for point in points] for name in points[0]}
            yield {**EXPERIMENT, "metricTimepoint": f"{metric_id}#{month}", "metricId": metric_id, **columns}


def by_month_of_bytes(data: ExperimentData) -> Iterator[Item]:
    """What `rallyuxr.store` does: one item per metric and month, columns as bytes."""
    for place, item in chunk_items(data):
        yield {**EXPERIMENT, "metricTimepoint": f"data#000001-0067a1b2c3-9f3e1c44#{place}", **item}


def read_points(items: Iterable[Item]) -> dict[str, MetricSeries]:
    """The columns behind one item per point."""
    return _columns((item["metricId"], [item]) for item in items)


def read_days(items: Iterable[Item]) -> dict[str, MetricSeries]:
    """The columns behind lists of maps."""
    return _columns((item["metricId"], item["points"]) for item in items)


def read_months(items: Iterable[Item]) -> dict[str, MetricSeries]:
    """The columns behind lists of numbers."""
    names = ("timestamp", *FIELDS)
    return _columns(
        (
            item["metricId"],
            [dict(zip(names, row, strict=True)) for row in zip(*(item[n] for n in names), strict=True)],
        )
        for item in items
    )


DESERIALIZER = TypeDeserializer()


def with_boto3(attributes: Mapping[str, Any]) -> Item:
    """An item as boto3's resources give it."""
    return {name: DESERIALIZER.deserialize(attribute) for name, attribute in attributes.items()}


DESIGNS = (
    Design("one item per point", by_point, read_points, with_boto3),
    Design("one item per metric and day, list of maps", by_day, read_days, with_boto3),
    Design("one item per metric and month, lists of numbers", by_month_of_numbers, read_months, with_boto3),
    Design(
        "one item per metric and month, columns as bytes",
        by_month_of_bytes,
        lambda items: read_chunks(items)[0],
        from_attributes,
    ),
)


class Wire:
    """Bodies as botocore writes and reads them."""

    def __init__(self) -> None:
        model = botocore.session.get_session().get_service_model("dynamodb")
        self._write = model.operation_model("BatchWriteItem")
        self._query = model.operation_model("Query")
        self._serializer = botocore.serialize.create_serializer("json", include_validation=False)
        self._parser = botocore.parsers.create_parser("json")

    def requests(self, items: Sequence[Item]) -> list[bytes]:
        """The bodies of the batches that write the items."""
        batches = (items[at : at + PER_BATCH] for at in range(0, len(items), PER_BATCH))
        wanted = ({"RequestItems": {"results": [{"PutRequest": {"Item": i}} for i in batch]}} for batch in batches)
        return [self._serializer.serialize_to_request(each, self._write)["body"] for each in wanted]

    def answer(self, items: Sequence[Item]) -> bytes:
        """The body of a query's answer that holds the items."""
        return json.dumps({"Items": items}, default=lambda content: b64encode(content).decode()).encode()

    def items(self, body: bytes) -> list[Item]:
        """The items within a query's answer."""
        answer = {"status_code": 200, "headers": {}, "body": body}
        items: list[Item] = self._parser.parse(answer, self._query.output_shape)["Items"]
        return items


class Result(NamedTuple):
    """What one design costs."""

    name: str
    items: int
    kilobytes: float
    write_units: int
    read_units: float
    encode_ms: float
    decode_ms: float


def measure(data: ExperimentData, rounds: int) -> list[Result]:
    """Every design's costs, after checking that each gives back what it was given."""
    wire = Wire()
    stored = {design.name: [to_attributes(item) for item in design.items(data)] for design in DESIGNS}
    bodies = {name: wire.answer(items) for name, items in stored.items()}
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _ in range(rounds):
        for design in DESIGNS:
            started = time.perf_counter()
            wire.requests([to_attributes(item) for item in design.items(data)])
            encoded = time.perf_counter()
            back = design.read(map(design.plain, wire.items(bodies[design.name])))
            decoded = time.perf_counter()
            times[design.name, "encode"].append(encoded - started)
            times[design.name, "decode"].append(decoded - encoded)
            _require_equal(data, back)
    return [
        Result(
            name,
            items=len(items),
            kilobytes=sum(map(item_bytes, items)) / 1024,
            write_units=write_units(items),
            read_units=read_units(items),
            encode_ms=1000 * median(times[name, "encode"]),
            decode_ms=1000 * median(times[name, "decode"]),
        )
        for name, items in stored.items()
    ]


def _require_equal(data: ExperimentData, back: Mapping[str, MetricSeries]) -> None:
    for metric_id, series in data.series.items():
        for column in ("timestamps", *COLUMNS):
            if getattr(back[metric_id], column).tobytes() != getattr(series, column).tobytes():
                raise AssertionError(f"{column} of {metric_id} came back changed")


def _rows(data: ExperimentData) -> Iterator[tuple[str, list[Row]]]:
    for metric_id, series in data.series.items():
        stamps = (f"{moment}Z" for moment in series.timestamps)
        columns = (getattr(series, name).tolist() for name in COLUMNS)
        yield metric_id, list(zip(stamps, *columns, strict=True))


def _point(row: Row) -> dict[str, Any]:
    return dict(zip(("timestamp", *FIELDS), row, strict=True))


def _columns(blocks: Iterable[tuple[str, Iterable[Mapping[str, Any]]]]) -> dict[str, MetricSeries]:
    points: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for metric_id, block in blocks:
        points[metric_id] += block
    return {
        metric_id: MetricSeries(
            np.array([point["timestamp"].removesuffix("Z") for point in held], dtype="datetime64[s]"),
            *(np.array([float(point[name]) for point in held]) for name in FIELDS),
        )
        for metric_id, held in points.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table per length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args(arguments).rounds
    for label, hours in HOURS.items():
        print(f"\n{METRICS} metrics, {label} of hours\n")
        print("| design | items | KB | write units | read units | encode, ms | decode, ms |")
        print("|---|---|---|---|---|---|---|")
        for result in measure(simulate(hours), rounds):
            print(
                f"| {result.name} | {result.items:,} | {result.kilobytes:,.0f} | {result.write_units:,} "
                f"| {result.read_units:,.1f} | {result.encode_ms:,.1f} | {result.decode_ms:,.1f} |"
            )


if __name__ == "__main__":
    main()
