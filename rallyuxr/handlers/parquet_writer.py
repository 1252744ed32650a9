"""The Lambda on a schedule that writes the Parquet files of months whose rows changed."""

from functools import lru_cache
from typing import Any

from rallyuxr.handlers.batch import logger
from rallyuxr.services.aggregate_files import publish_behind
from rallyuxr.services.context import connect

deployment = lru_cache(maxsize=1)(connect)


def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Write what is behind, once."""
    done = publish_behind(deployment())
    for month, reason in done.failed.items():
        logger.error("month not written", extra={"month": month, "reason": reason})
    logger.info("files written", extra={"files": len(done.keys)})
    return {"written": len(done.keys), "failed": len(done.failed)}
