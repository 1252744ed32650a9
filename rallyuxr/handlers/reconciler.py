"""The Lambda on a schedule that finishes what was interrupted."""

from functools import lru_cache
from typing import Any

from rallyuxr.handlers.batch import logger
from rallyuxr.services.context import connect
from rallyuxr.services.reconciliation import reconcile

deployment = lru_cache(maxsize=1)(connect)


def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Reconcile everything once."""
    report = reconcile(deployment()).to_json()
    logger.info("reconciled", extra={"report": report})
    return report
