"""Data versions: chunks first, then one manifest that makes them visible all at once.

A reader follows the newest manifest, so it sees the old data or the new, never a mix. Keys in a
partition (one experiment):

    data#000002-0067a1b2c3-9f3e1c44#conversion_rate#2025-01   a chunk of the upload that aims at version 2
    manifest#000002                                           version 2, naming its chunks' prefix
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from rallyuxr.errors import Conflict, NotFound, VersionConflict
from rallyuxr.models import ExperimentData, PublishedData
from rallyuxr.store.attributes import Item
from rallyuxr.store.audit import Change, audit_write
from rallyuxr.store.chunks import chunk_items, content_digest, read_chunks
from rallyuxr.store.dynamo import Dynamo, create, delete, put, update
from rallyuxr.store.faults import ConditionFailed, pause
from rallyuxr.store.manifests import DATA, MANIFEST, Manifest, draft_manifest, manifest_item, read_manifest
from rallyuxr.store.tables import EXPERIMENT_RESULTS

SUPERSEDED_LIVES = timedelta(days=7)
ORPHAN_AGE = timedelta(days=1)
COMMIT_ATTEMPTS = 50


class ResultsRepository:
    """The table experimentResults."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    def publish(
        self, experiment_id: str, data: ExperimentData, change: Change, *, after: int | None = None
    ) -> tuple[Manifest, bool]:
        """Store a new data version; the same content as the newest one makes none and gives False.

        Raises:
            VersionConflict: data version `after` (0: none) is not the newest one, and the newest differs.
        """
        digest = content_digest(data)
        newest = self.newest(experiment_id)
        if newest and newest.digest == digest:
            return newest, False
        if after is not None and _next(newest) != after + 1:
            raise _overtaken(experiment_id, after)
        prefix = f"{DATA}{_next(newest):06d}-{int(change.at.timestamp()):010x}-{secrets.token_hex(4)}"
        items = [
            {"experimentId": experiment_id, "metricTimepoint": f"{prefix}#{place}", **item}
            for place, item in chunk_items(data)
        ]
        self._dynamo.write_many(EXPERIMENT_RESULTS, (put(EXPERIMENT_RESULTS, item) for item in items))
        draft = draft_manifest(experiment_id, data, change, prefix=prefix, chunk_count=len(items), digest=digest)
        return self._commit(draft, newest, change, after)

    def newest(self, experiment_id: str) -> Manifest | None:
        """The newest data version's manifest, or None."""
        found = self._query(experiment_id, MANIFEST, newest_first=True, page_size=1, consistent=True)
        return next((read_manifest(item) for item in found), None)

    def manifest(self, experiment_id: str, data_version: int) -> Manifest:
        """One data version's manifest; raises `NotFound`."""
        key = {"experimentId": experiment_id, "metricTimepoint": f"{MANIFEST}{data_version:06d}"}
        item = self._dynamo.get(EXPERIMENT_RESULTS, key)
        if item is None:
            raise NotFound(f"Experiment {experiment_id} has no data version {data_version}.")
        return read_manifest(item)

    def load(self, experiment_id: str, data_version: int | None = None) -> PublishedData:
        """A data version, the newest by default; raises `NotFound`."""
        manifest = (
            self.newest(experiment_id) if data_version is None else self.manifest(experiment_id, data_version)
        )
        if manifest is None:
            raise NotFound(f"Experiment {experiment_id} has no results yet.")
        series, panels = read_chunks(self._chunks(manifest))
        data = ExperimentData(
            series={name: series[name] for name in manifest.metric_ids if name in series},
            panels={name: panels[name] for name in manifest.metric_ids if name in panels},
            granularity=manifest.granularity,  # type: ignore[arg-type]
            source=manifest.source,  # type: ignore[arg-type]
            truth=manifest.truth,
        )
        return PublishedData(experiment_id, manifest.data_version, manifest.published_at, data)

    def tidy(self, experiment_id: str, now: datetime) -> int:
        """Remove chunks of uploads that never finished, let superseded ones expire; how many were touched."""
        manifests = [read_manifest(item) for item in self._query(experiment_id, MANIFEST, consistent=True)]
        current = manifests[-1].prefix if manifests else None
        old = {manifest.prefix for manifest in manifests} - {current}
        touched = 0
        for item in self._query(experiment_id, DATA, projection=("metricTimepoint", "expiresAt")):
            prefix = "#".join(item["metricTimepoint"].split("#")[:2])
            if prefix in old and "expiresAt" not in item:
                self._expire(experiment_id, item["metricTimepoint"], now)
            elif prefix not in old and prefix != current and _started_at(prefix) < (now - ORPHAN_AGE).timestamp():
                self._dynamo.write(delete(EXPERIMENT_RESULTS, _key(experiment_id, item)))
            else:
                continue
            touched += 1
        return touched

    def _commit(
        self, draft: Manifest, newest: Manifest | None, change: Change, after: int | None
    ) -> tuple[Manifest, bool]:
        """Write the manifest under the next free number.

        Whoever comes second takes the one after, or gives up where it was to follow `after`.
        """
        for attempt in range(COMMIT_ATTEMPTS):
            manifest = _following(draft, newest)
            entry = audit_write(change, "results.published", draft.experiment_id, after=_published(manifest))
            try:
                self._dynamo.transact([create(EXPERIMENT_RESULTS, manifest_item(manifest)), entry])
            except ConditionFailed:
                newest = self.newest(draft.experiment_id)
            else:
                if newest:
                    self._supersede(newest, change.at)
                return manifest, True
            if newest and newest.prefix == draft.prefix:
                return newest, True  # the cloud had made the change and failed to say so
            if newest and newest.digest == draft.digest:
                self._discard(draft)
                return newest, False
            if after is not None:
                self._discard(draft)
                raise _overtaken(draft.experiment_id, after)
            pause(attempt)
        raise Conflict(f"Too many uploads to experiment {draft.experiment_id} at once; try again.")

    def _chunks(self, manifest: Manifest) -> list[Item]:
        """All chunks of a data version; read again consistently if some have not arrived everywhere yet."""
        for consistent in (False, True):
            found = list(self._query(manifest.experiment_id, manifest.prefix + "#", consistent=consistent))
            if len(found) == manifest.chunk_count:
                return found
        raise NotFound(
            f"Data version {manifest.data_version} of experiment {manifest.experiment_id} was replaced by a newer "
            f"one and has expired ({SUPERSEDED_LIVES.days} days); its analyses are kept."
        )

    def _supersede(self, manifest: Manifest, now: datetime) -> None:
        for item in self._keys(manifest):
            self._expire(manifest.experiment_id, item["metricTimepoint"], now)

    def _discard(self, manifest: Manifest) -> None:
        keys = [_key(manifest.experiment_id, item) for item in self._keys(manifest)]
        self._dynamo.write_many(EXPERIMENT_RESULTS, (delete(EXPERIMENT_RESULTS, key) for key in keys))

    def _keys(self, manifest: Manifest) -> list[Item]:
        return list(
            self._query(
                manifest.experiment_id, manifest.prefix + "#", projection=("metricTimepoint",), consistent=True
            )
        )

    def _expire(self, experiment_id: str, place: str, now: datetime) -> None:
        change = update(
            EXPERIMENT_RESULTS,
            {"experimentId": experiment_id, "metricTimepoint": place},
            "SET expiresAt = :moment",
            condition="attribute_exists(experimentId)",
            moment=int((now + SUPERSEDED_LIVES).timestamp()),
        )
        try:
            self._dynamo.write(change)
        except ConditionFailed:
            return  # someone removed it first

    def _query(self, experiment_id: str, prefix: str, **options: Any) -> Any:
        return self._dynamo.query(
            EXPERIMENT_RESULTS,
            "experimentId = :experiment AND begins_with(metricTimepoint, :prefix)",
            experiment=experiment_id,
            prefix=prefix,
            **options,
        )


def _next(newest: Manifest | None) -> int:
    return newest.data_version + 1 if newest else 1


def _overtaken(experiment_id: str, after: int) -> VersionConflict:
    return VersionConflict(
        f"Results of experiment {experiment_id} were published since data version {after}; read its sources again."
    )


def _started_at(prefix: str) -> int:
    """When an upload began, in epoch seconds, from its prefix."""
    return int(prefix.split("-")[1], 16)


def _key(experiment_id: str, item: Mapping[str, Any]) -> Item:
    return {"experimentId": experiment_id, "metricTimepoint": item["metricTimepoint"]}


def _following(draft: Manifest, newest: Manifest | None) -> Manifest:
    """`draft` as the version after `newest`, and later than it by a millisecond at least."""
    moment = draft.published_at
    if newest:
        moment = max(moment, newest.published_at + timedelta(milliseconds=1))
    return replace(draft, data_version=_next(newest), published_at=moment)


def _published(manifest: Manifest) -> Item:
    return {
        "dataVersion": manifest.data_version,
        "source": manifest.source,
        "points": manifest.points,
        "digest": manifest.digest,
    }
