"""Every error RallyUXR raises on purpose.

    RallyError
    ├── InvalidInput            what came cannot be used; says what came, what was needed, what to do
    │   └── InvalidData         an upload or data frame with located problems, all at once
    ├── NotFound                no such experiment, metric value, merchant, ...
    ├── Conflict                someone else was faster, or the move is not allowed now
    │   └── VersionConflict     a replace under an outdated version; nothing was written
    ├── Forbidden               the caller may not see or change this
    ├── NotConfigured           no cloud was named, so none is touched
    └── Unavailable             the cloud did not answer; trying again later may help

Only `rallyuxr.store` turns a cloud client's error into one of these; pages and the API turn these
into sentences and status codes.
"""

from collections.abc import Mapping
from typing import Any


class RallyError(Exception):
    """The root; `details` carries machine-readable context that is safe to show.

    `internal` says that the message names parts of the deployment: it is for those who run it.
    """

    def __init__(self, message: str, *, details: Mapping[str, Any] | None = None, internal: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.internal = internal


class InvalidInput(RallyError):
    """What came cannot be used."""


class InvalidData(InvalidInput):
    """Tabular data with problems; `problems` lists every one with row, column, value and remedy."""

    def __init__(self, message: str, problems: tuple[Any, ...]) -> None:
        super().__init__(message)
        self.problems = problems


class NotFound(RallyError):
    """Nothing is stored under that name."""


class Conflict(RallyError):
    """The state of the thing does not allow this now."""


class VersionConflict(Conflict):
    """Someone replaced the item first; nothing was written."""


class Forbidden(RallyError):
    """The caller may not do this."""


class NotConfigured(RallyError):
    """No cloud was named, so none is touched."""


class Unavailable(RallyError):
    """A part of the cloud did not answer."""
