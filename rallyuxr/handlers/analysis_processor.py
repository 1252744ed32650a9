"""The Lambda behind the stream of experimentResults: a new manifest means a data version to analyse."""

from functools import lru_cache
from typing import Any

from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

from rallyuxr.errors import Unavailable
from rallyuxr.handlers.batch import process_stream, reason_of
from rallyuxr.services.analyses import analyze_version
from rallyuxr.services.context import Context, connect
from rallyuxr.services.progress import report_failure
from rallyuxr.store import ANALYSIS_PROCESSOR, manifest_version

deployment = lru_cache(maxsize=1)(connect)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Analyse every data version that the batch announces."""
    return process_stream(deployment(), event, context, analyse, function=ANALYSIS_PROCESSOR)


def analyse(ctx: Context, record: DynamoDBRecord) -> None:
    """Analyse the data version of one record; records of chunks are passed over."""
    keys = record.raw_event["dynamodb"]["Keys"]
    experiment_id = keys["experimentId"]["S"]
    data_version = manifest_version(keys["metricTimepoint"]["S"])
    if data_version is None or record.raw_event["eventName"] == "REMOVE":
        return
    try:
        analyze_version(ctx, experiment_id, data_version)
    except Unavailable:
        raise
    except Exception as fault:
        report_failure(ctx, experiment_id, "analysis", reason_of(fault), data_version=data_version)
        raise
