"""A change of the audit trail in words, short enough for a table; the trail's file holds every field. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from rallyuxr.dashboard import formatting as f
from rallyuxr.store import AuditEntry

MOST = 4
LONGEST = 60
BOOKKEEPING = {
    "id",
    "metricId",
    "version",
    "createdAt",
    "createdBy",
    "updatedAt",
    "updatedBy",
    "lastUpdated",
    "digest",
}
PIPELINE = ("analysis.", "results.")
"""How the actions begin that follow from data by themselves, where nobody signed in is named."""


def action(entry: AuditEntry) -> str:
    """What was done.

    >>> from datetime import UTC, datetime
    >>> action(AuditEntry(at=datetime(2025, 1, 1, tzinfo=UTC), action="metric_value.created", subject="x"))
    'Metric value created'
    """
    return f.words(entry.action.replace(".", "_"))


def author(entry: AuditEntry) -> str:
    """Who did it: a name, or what did it by itself."""
    return entry.actor or ("the pipeline" if entry.action.startswith(PIPELINE) else "nobody signed in")


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """Each plain field as it became; what was noted along the way, and what is nested, is left to the file.

    >>> changes({"status": "draft", "version": 1}, {"status": "complete", "version": 2, "finding": {"dof": 9}})
    'status: draft → complete; 1 more in the file'
    >>> changes(None, {"dollarsPerUnit": 1200, "unit": "%", "updatedBy": "ada"})
    'dollars per unit: 1200; unit: %'
    """
    old, new = before or {}, after or {}
    names = [name for name in new if name not in BOOKKEEPING]
    plain = [name for name in names if not isinstance(new[name], Mapping | list | tuple)][:MOST]
    parts = [
        f"{_spoken(name)}: " + (f"{_cut(old[name])} → {_cut(new[name])}" if name in old else _cut(new[name]))
        for name in plain
    ]
    if left := len(names) - len(plain):
        parts.append(f"{left} more in the file")
    return "; ".join(parts) or f.ABSENT


def _spoken(name: str) -> str:
    return re.sub(r"(?<=[a-z])[A-Z]", lambda found: f" {found[0].lower()}", name)


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
