"""Analyses: each written once and kept, the clear fields readable in place, the record itself deflated."""

import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from rallyuxr.errors import NotFound
from rallyuxr.models import ExperimentAnalysis, Interval, Record, Timestamp, Verdict, iso_z
from rallyuxr.store.attributes import Item, read_record, record_item
from rallyuxr.store.dynamo import Dynamo, Write, create
from rallyuxr.store.faults import ConditionFailed
from rallyuxr.store.tables import EXPERIMENT_ANALYSIS

PART_BYTES = 350_000


class AnalysisSummary(Record):
    """An analysis in a line: what its item holds in clear."""

    analysis_id: str
    analysis_timestamp: Timestamp
    data_version: int
    total_impact: float | None = None
    total_interval: Interval | None = None
    currency: str = "USD"
    verdict: Verdict
    price_versions: dict[str, int]
    status: str
    version: str


SUMMARY = tuple(str(field.alias) for field in AnalysisSummary.model_fields.values())


class AnalysisRepository:
    """The table experimentAnalysis; the newest analysis is the current one."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    def get(self, experiment_id: str, analysis_id: str) -> ExperimentAnalysis:
        """One analysis; raises `NotFound`."""
        item = self._dynamo.get(EXPERIMENT_ANALYSIS, {"experimentId": experiment_id, "analysisId": analysis_id})
        if item is None:
            raise NotFound(f"Experiment {experiment_id} has no analysis {analysis_id!r}.")
        return self._read(item)

    def newest(self, experiment_id: str) -> ExperimentAnalysis | None:
        """The current analysis, or None."""
        item = next(self._query(experiment_id, newest_first=True, page_size=1, consistent=True), None)
        return self._read(item) if item else None

    def starting_with(self, experiment_id: str, prefix: str) -> Iterator[ExperimentAnalysis]:
        """The analyses whose ids begin so."""
        found = self._dynamo.query(
            EXPERIMENT_ANALYSIS,
            "experimentId = :experiment AND begins_with(analysisId, :prefix)",
            experiment=experiment_id,
            prefix=prefix,
            consistent=True,
        )
        return map(self._read, found)

    def summaries(
        self, experiment_id: str, *, before: str | None = None, page_size: int | None = None
    ) -> Iterator[AnalysisSummary]:
        """The analyses in a line each, newest first, from the one before `before` on."""
        condition, options = "experimentId = :experiment", dict[str, Any](experiment=experiment_id)
        if before:
            condition, options = condition + " AND analysisId < :before", {**options, "before": before}
        options |= {"newest_first": True, "page_size": page_size, "projection": SUMMARY}
        found = self._dynamo.query(EXPERIMENT_ANALYSIS, condition, **options)
        return (read_record(AnalysisSummary, item) for item in found)

    def add(self, analysis: ExperimentAnalysis) -> None:
        """Store an analysis that is not the newest; one that is there stays as it is."""
        try:
            self._dynamo.transact(analysis_writes(analysis))
        except ConditionFailed:
            return

    def _query(self, experiment_id: str, **options: Any) -> Iterator[Item]:
        return self._dynamo.query(
            EXPERIMENT_ANALYSIS, "experimentId = :experiment", experiment=experiment_id, **options
        )

    def _read(self, item: Mapping[str, Any]) -> ExperimentAnalysis:
        body = bytes(item["body"])
        if item.get("parts"):
            more = self._query(_overflow(item["experimentId"], item["analysisId"]), consistent=True)
            body += b"".join(part["body"] for part in more)
        return ExperimentAnalysis.model_validate_json(zlib.decompress(body))


def analysis_writes(analysis: ExperimentAnalysis) -> list[Write]:
    """Create the analysis's item, and more of them where its record is too large for one."""
    body = zlib.compress(_exact_json(analysis), 9)
    first, *more = [body[start : start + PART_BYTES] for start in range(0, len(body), PART_BYTES)]
    summary = AnalysisSummary(
        analysis_id=analysis.analysis_id,
        analysis_timestamp=analysis.analysis_timestamp,
        data_version=analysis.data_version,
        total_impact=analysis.economic_impact.total_impact,
        total_interval=analysis.economic_impact.total_interval,
        currency=analysis.economic_impact.currency,
        verdict=analysis.verdict,
        price_versions={name: price.version for name, price in analysis.metric_values_snapshot.items()},
        status=analysis.status,
        version=analysis.version,
    )
    item = {"experimentId": analysis.experiment_id, **record_item(summary), "body": first, "parts": len(more)}
    overflow = _overflow(analysis.experiment_id, analysis.analysis_id)
    parts = [
        {"experimentId": overflow, "analysisId": f"part-{number:04d}", "body": part}
        for number, part in enumerate(more)
    ]
    return [create(EXPERIMENT_ANALYSIS, item), *(create(EXPERIMENT_ANALYSIS, part) for part in parts)]


def _overflow(experiment_id: str, analysis_id: str) -> str:
    """The partition of the parts that do not fit the analysis's own item; listings never meet it."""
    return f"{experiment_id}#{analysis_id}"


def _exact_json(analysis: ExperimentAnalysis) -> bytes:
    """JSON under the contract's names that read back to the same record: prices are strings, exact."""
    content = analysis.model_dump(by_alias=True, exclude_none=True)
    return json.dumps(content, default=_plain, separators=(",", ":"), allow_nan=False).encode()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return iso_z(value)
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a stored analysis")
