"""A data version as small items: one per metric and month, columns as bytes, the summary beside them in clear."""

import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rallyuxr.models import ExperimentData, MetricSeries, SeriesSummary, UnitPanel
from rallyuxr.store.attributes import Item, record_item
from rallyuxr.store.columns import pack, time_steps, times, unpack

ROWS_PER_CHUNK = 4_000
PART_BYTES = 350_000
"""Both limits keep an item below DynamoDB's 400 KB, whatever the numbers are."""
Columns = NDArray[np.float64]
CALENDAR = {"hourly": "M", "daily": "Y", "units": "Y"}


def content_digest(data: ExperimentData) -> str:
    """A name for the content: equal for equal data, whatever its version."""
    digest = hashlib.sha256(
        json.dumps([data.granularity, data.source, data.truth and sorted(data.truth.items())]).encode()
    )
    for metric_id, series in sorted(data.series.items()):
        digest.update(metric_id.encode() + _columns(series).tobytes())
    for metric_id, panel in sorted(data.panels.items()):
        digest.update(metric_id.encode() + _panel_bytes(panel))
    return digest.hexdigest()


def chunk_items(data: ExperimentData) -> Iterator[tuple[str, Item]]:
    """The chunks of a data version, each with the end of its key."""
    unit = CALENDAR[data.granularity]
    for metric_id, series in data.series.items():
        columns = _columns(series)
        for place, rows in _calendar_parts(series, unit):
            yield f"{metric_id}#{place}", {"metricId": metric_id, **_series_item(columns[:, rows])}
    for metric_id, panel in data.panels.items():
        content = zlib.compress(_panel_bytes(panel), 6)
        for number, start in enumerate(range(0, len(content), PART_BYTES), start=1):
            part = content[start : start + PART_BYTES]
            yield f"{metric_id}#part-{number:04d}", {"metricId": metric_id, "panel": part}


def read_chunks(
    items: Iterable[Mapping[str, Any]],
) -> tuple[dict[str, MetricSeries], dict[str, UnitPanel]]:
    """The metrics within chunks that come in the order of their keys."""
    columns: dict[str, list[Columns]] = defaultdict(list)
    parts: dict[str, list[bytes]] = defaultdict(list)
    for item in items:
        if "panel" in item:
            parts[item["metricId"]].append(item["panel"])
        else:
            columns[item["metricId"]].append(_read_columns(item))
    series = {metric_id: _series(np.concatenate(blocks, axis=1)) for metric_id, blocks in columns.items()}
    panels = {metric_id: _panel(zlib.decompress(b"".join(blocks))) for metric_id, blocks in parts.items()}
    return series, panels


def _calendar_parts(series: MetricSeries, unit: str) -> Iterator[tuple[str, slice]]:
    """Runs of rows within one month (or year), none longer than a chunk may be."""
    calendar = series.timestamps.astype(f"datetime64[{unit}]")
    bounds = [0, *(np.flatnonzero(calendar[1:] != calendar[:-1]) + 1).tolist(), len(calendar)]
    for first, last in pairwise(bounds):
        for number, start in enumerate(range(first, last, ROWS_PER_CHUNK)):
            name = str(calendar[first])
            yield f"{name}-{number:03d}" if number else name, slice(start, min(start + ROWS_PER_CHUNK, last))


def _columns(series: MetricSeries) -> Columns:
    """(5, T) or, for a ratio, (7, T): epoch seconds first."""
    seconds = series.timestamps.astype("datetime64[s]").astype(np.int64).astype(np.float64)
    rows = [seconds, series.treatment, series.control, series.treatment_n, series.control_n]
    if series.treatment_denominator is not None and series.control_denominator is not None:
        rows += [series.treatment_denominator, series.control_denominator]
    return np.array(rows, dtype=np.float64)


def _series(columns: Columns) -> MetricSeries:
    return MetricSeries(columns[0].astype(np.int64).astype("datetime64[s]"), *columns[1:])


def _series_item(columns: Columns) -> Item:
    part = _series(columns)
    stored = np.vstack((time_steps(part.timestamps), columns[1:]))
    return {
        "columns": pack(stored),
        "width": len(stored),
        "rows": stored.shape[1],
        "firstAt": f"{part.timestamps[0]}Z",
        "lastAt": f"{part.timestamps[-1]}Z",
        "summary": record_item(SeriesSummary.of(part)),
    }


def _read_columns(item: Mapping[str, Any]) -> Columns:
    columns = unpack(item["columns"], item["width"])
    columns[0] = times(columns[0]).astype(np.int64)
    return columns


def _panel_bytes(panel: UnitPanel) -> bytes:
    """A JSON line with names and lengths, then the columns one after the other."""
    head = {
        "format": 1,
        "units": list(panel.units),
        "periods": panel.periods.astype("datetime64[s]").astype(np.int64).tolist(),
        "rows": len(panel.outcome),
    }
    columns = (
        panel.treated.astype("<i1"),
        panel.unit.astype("<i4"),
        panel.period.astype("<i4"),
        panel.outcome.astype("<f8"),
    )
    return json.dumps(head).encode() + b"\n" + b"".join(column.tobytes() for column in columns)


def _panel(content: bytes) -> UnitPanel:
    line, _, body = content.partition(b"\n")
    head = json.loads(line)
    units, rows = len(head["units"]), head["rows"]
    unit_at, period_at, outcome_at = units, units + 4 * rows, units + 8 * rows
    return UnitPanel(
        units=tuple(head["units"]),
        periods=np.array(head["periods"], dtype=np.int64).astype("datetime64[s]"),
        unit=np.frombuffer(body, "<i4", rows, unit_at).astype(np.int32),
        period=np.frombuffer(body, "<i4", rows, period_at).astype(np.int32),
        treated=np.frombuffer(body, "<i1", units, 0).astype(np.int8),
        outcome=np.frombuffer(body, "<f8", rows, outcome_at).astype(np.float64),
    )
