"""Who changed what, when."""

from datetime import date, timedelta

from rallyuxr.errors import InvalidInput
from rallyuxr.services.context import Context
from rallyuxr.store import AuditEntry

LONGEST_RANGE_DAYS = 92


def audit_trail(ctx: Context, first: date, last: date, *, subject: str | None = None) -> tuple[AuditEntry, ...]:
    """The changes of these days, both included, newest first; `subject` names one experiment or metric.

    Raises:
        InvalidInput: the days are in the wrong order, or more than `LONGEST_RANGE_DAYS`.
    """
    days = (last - first).days + 1
    if not 1 <= days <= LONGEST_RANGE_DAYS:
        raise InvalidInput(f"Ask for 1 to {LONGEST_RANGE_DAYS} days, oldest first; got {first} to {last}.")
    return tuple(
        entry
        for back in range(days)
        for entry in ctx.store.audit.entries(last - timedelta(days=back))
        if subject in (None, entry.subject)
    )
