"""The Lambda that an experiment's creation starts: it makes simulated results."""

from functools import lru_cache
from typing import Any

from rallyuxr.errors import RallyError, Unavailable
from rallyuxr.handlers.batch import logger
from rallyuxr.models import ExperimentCreated
from rallyuxr.services.context import connect
from rallyuxr.services.generation import generate_results
from rallyuxr.services.progress import report_failure

deployment = lru_cache(maxsize=1)(connect)


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Simulate and publish; what raises is retried and then goes to the queue of failures."""
    message = ExperimentCreated.from_json(event)
    try:
        answer = generate_results(deployment(), message)
    except RallyError as fault:
        if not isinstance(fault, Unavailable):
            report_failure(deployment(), message.experiment_id, "data", fault.message)
        raise
    logger.info(
        "results generated", extra={"experiment": message.experiment_id, "points": answer.results_generated}
    )
    return answer.to_json()
