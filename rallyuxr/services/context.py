"""What every use case is given: the storage, the clock, and who asks."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from rallyuxr.settings import Settings
from rallyuxr.store import Change, Store


def utc_now() -> datetime:
    """The time now, aware and in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """A deployment, acting for someone; `actor` goes into what is written and into the audit trail."""

    store: Store
    clock: Callable[[], datetime] = utc_now
    actor: str | None = None

    def change(self) -> Change:
        """A change made now by this actor."""
        return Change(self.clock(), self.actor)


def connect(settings: Settings | None = None, *, actor: str | None = None) -> Context:
    """The deployment that `settings` or the environment names; raises `NotConfigured` if none is."""
    return Context(Store(settings or Settings.from_environment()), actor=actor)
