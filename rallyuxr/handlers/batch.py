"""The batch boundary of stream functions: one bad record never holds up the others, and none is lost.

A record that cannot be processed goes to the queue of failures with its reason, and the stream goes on. A
transient fault raises, so that the whole batch comes again; every record may come twice, so that is safe.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

from rallyuxr.errors import RallyError, Unavailable
from rallyuxr.services.context import Context
from rallyuxr.store import Failure

logger = Logger(service="rallyuxr", use_rfc3339=True)
RecordHandler = Callable[[Context, DynamoDBRecord], None]
Answer = dict[str, Any]


def process_stream(
    ctx: Context, event: dict[str, Any], lambda_context: Any, handle: RecordHandler, *, function: str
) -> Answer:
    """Hand each record of a stream event to `handle`, for the function of that short name.

    Raises:
        Unavailable: a part of the cloud did not answer; the batch must come again.
    """

    def guarded(record: DynamoDBRecord) -> None:
        try:
            handle(ctx, record)
        except Unavailable:
            raise
        except Exception as fault:
            logger.exception("record refused", extra={"keys": record.raw_event["dynamodb"].get("Keys")})
            ctx.store.failures.send(_failure(function, record, fault))

    processor = BatchProcessor(EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)
    answer = process_partial_response(event, guarded, processor, lambda_context)
    left = answer["batchItemFailures"]
    log_batch(event, left=len(left))
    if left:
        raise Unavailable(f"{len(left)} of {len(event['Records'])} records met a transient fault; send them again.")
    return dict(answer)


def log_batch(event: dict[str, Any], *, left: int = 0) -> None:
    """One line for a batch: its size, what is left of it, and how far behind its oldest change was."""
    logger.info("batch done", extra={"records": len(event["Records"]), "left": left, "lag_ms": _lag_ms(event)})


def reason_of(fault: Exception) -> str:
    """What a person is told: our own sentence, or the fault's name and text."""
    return fault.message if isinstance(fault, RallyError) else f"{type(fault).__name__}: {fault}"


def _failure(function: str, record: DynamoDBRecord, fault: Exception) -> Failure:
    keys = record.raw_event["dynamodb"].get("Keys", {})
    return Failure(
        function=function,
        reason=reason_of(fault),
        at=datetime.now(UTC),
        event={"Records": [record.raw_event]},
        experiment_id=keys.get("experimentId", {}).get("S"),
    )


def _lag_ms(event: dict[str, Any]) -> int | None:
    """Milliseconds since the oldest change of the batch; whole seconds are all the stream knows."""
    moments = [record["dynamodb"].get("ApproximateCreationDateTime") for record in event["Records"]]
    known = [float(moment) for moment in moments if moment is not None]
    return round((datetime.now(UTC).timestamp() - min(known)) * 1000) if known else None
