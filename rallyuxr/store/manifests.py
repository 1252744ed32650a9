"""Manifests: the items that make a data version visible."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rallyuxr.models import ExperimentData
from rallyuxr.store.attributes import Item
from rallyuxr.store.audit import Change

MANIFEST, DATA = "manifest#", "data#"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One data version: when it was published, by whom, and where its chunks are."""

    experiment_id: str
    data_version: int
    published_at: datetime
    prefix: str
    chunk_count: int
    digest: str
    metric_ids: tuple[str, ...]
    granularity: str
    source: str
    points: int
    truth: Mapping[str, float] | None = None
    published_by: str | None = None


def manifest_version(place: str) -> int | None:
    """The data version whose manifest has this sort key; None for a chunk's."""
    return int(place.removeprefix(MANIFEST)) if place.startswith(MANIFEST) else None


def draft_manifest(
    experiment_id: str, data: ExperimentData, change: Change, *, prefix: str, chunk_count: int, digest: str
) -> Manifest:
    """The manifest of an upload before it has a number."""
    return Manifest(
        experiment_id=experiment_id,
        data_version=0,
        published_at=_to_millisecond(change.at),
        prefix=prefix,
        chunk_count=chunk_count,
        digest=digest,
        metric_ids=data.metric_ids,
        granularity=data.granularity,
        source=data.source,
        points=sum(len(one.timestamps) for one in data.series.values())
        + sum(len(one.outcome) for one in data.panels.values()),
        truth=data.truth,
        published_by=change.actor,
    )


def _to_millisecond(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def manifest_item(manifest: Manifest) -> Item:
    """The item of a manifest."""
    return {
        "experimentId": manifest.experiment_id,
        "metricTimepoint": f"{MANIFEST}{manifest.data_version:06d}",
        "dataVersion": manifest.data_version,
        "publishedAt": manifest.published_at,
        "publishedBy": manifest.published_by,
        "chunks": manifest.prefix,
        "chunkCount": manifest.chunk_count,
        "digest": manifest.digest,
        "metrics": manifest.metric_ids,
        "granularity": manifest.granularity,
        "source": manifest.source,
        "points": manifest.points,
        "truth": manifest.truth,
    }


def read_manifest(item: Mapping[str, Any]) -> Manifest:
    """The manifest within its item."""
    truth = item.get("truth")
    return Manifest(
        experiment_id=item["experimentId"],
        data_version=item["dataVersion"],
        published_at=datetime.fromisoformat(item["publishedAt"]),
        published_by=item.get("publishedBy"),
        prefix=item["chunks"],
        chunk_count=item["chunkCount"],
        digest=item["digest"],
        metric_ids=tuple(item["metrics"]),
        granularity=item["granularity"],
        source=item["source"],
        points=item["points"],
        truth={name: float(value) for name, value in truth.items()} if truth is not None else None,
    )
