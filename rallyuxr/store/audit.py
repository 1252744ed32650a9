"""The audit trail: who changed what, when, from what to what; one partition per day."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from rallyuxr.models import Record, Timestamp, iso_z
from rallyuxr.store.attributes import read_record, record_item
from rallyuxr.store.dynamo import Dynamo, Write, create
from rallyuxr.store.tables import AUDIT


class AuditEntry(Record):
    """One change; `before` and `after` hold the fields that changed."""

    at: Timestamp
    actor: str | None = None
    action: str
    subject: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes something now; names the author in items and in the trail."""

    at: datetime
    actor: str | None = None


def audit_write(
    change: Change,
    action: str,
    subject: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> Write:
    """The entry of a change, for the change's own transaction; equal fields are left out."""
    entry = AuditEntry(
        at=change.at,
        actor=change.actor,
        action=action,
        subject=subject,
        before=_without(before, after),
        after=_without(after, before),
    )
    key = {"day": change.at.date().isoformat(), "entry": f"{iso_z(change.at)}#{secrets.token_hex(6)}"}
    return create(AUDIT, {**key, **record_item(entry)})


class AuditTrail:
    """Reads the trail."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    def entries(self, day: date) -> Iterator[AuditEntry]:
        """A day's entries, newest first."""
        for item in self._dynamo.query(
            AUDIT, "#day = :day", names={"#day": "day"}, newest_first=True, day=day.isoformat()
        ):
            yield read_record(AuditEntry, item)


def _without(fields: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if fields is None:
        return None
    return {name: value for name, value in fields.items() if other is None or other.get(name) != value}
