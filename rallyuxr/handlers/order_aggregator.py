"""The Lambda behind the streams of orders and visits: bring up to date what they touch.

It also starts every minute, and when an experiment from orders is created, without a record: then it only
publishes what is marked.
"""

from functools import lru_cache
from typing import Any

from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

from rallyuxr.errors import Unavailable
from rallyuxr.handlers.batch import log_batch, logger, process_stream
from rallyuxr.models.order import Order
from rallyuxr.services.context import Context, connect
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.services.order_experiments import publish_pending
from rallyuxr.store import ORDER_AGGREGATOR, CountedHour, counted_hour_from_image, order_from_image

deployment = lru_cache(maxsize=1)(connect)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Aggregate the batch, where there is one, then publish the experiments that are behind."""
    ctx = deployment()
    answer = _aggregate(ctx, event, context) if event.get("Records") else {}
    for experiment_id, reason in publish_pending(ctx).failed.items():
        logger.error("orders not published", extra={"experiment_id": experiment_id, "reason": reason})
    return answer


def _aggregate(ctx: Context, event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The batch at once, each hour only once; record by record if one of them is bad."""
    try:
        aggregate_changes(ctx, [change for record in event["Records"] if (change := _change(record))])
    except Unavailable:
        raise
    except Exception:
        return process_stream(ctx, event, context, aggregate_record, function=ORDER_AGGREGATOR)
    log_batch(event)
    return {"batchItemFailures": []}


def aggregate_record(ctx: Context, record: DynamoDBRecord) -> None:
    """Aggregate what one record tells of."""
    if change := _change(record.raw_event):
        aggregate_changes(ctx, [change])


def _change(record: dict[str, Any]) -> Order | CountedHour | None:
    image = record["dynamodb"].get("NewImage")
    if image is None:
        return None
    return counted_hour_from_image(image) if "visitKey" in image else order_from_image(image)
