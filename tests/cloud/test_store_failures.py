"""The queue of failures holds our own records and the cloud's, and looking at it takes nothing away."""

import json
from datetime import UTC, datetime

import pytest

from rallyuxr.local import Endpoint
from rallyuxr.services.context import Context
from rallyuxr.services.operations import list_failures
from rallyuxr.store import Failure
from tests.cloud.spine_samples import bare_tables

ASYNCHRONOUS = {
    "version": "1.0",
    "timestamp": "2026-11-23T09:00:00.000Z",
    "requestContext": {
        "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:rallyuxr-queue-resultsGenerator:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    },
    "requestPayload": {"eventType": "EXPERIMENT_CREATED", "experimentId": "e-1"},
    "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
    "responsePayload": {"errorMessage": "Task timed out", "errorType": "Timeout"},
}
STREAM_RANGE = {
    "requestContext": {
        "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:rallyuxr-queue-analysisProcessor",
        "condition": "RetryAttemptsExhausted",
    },
    "DDBStreamBatchInfo": {"shardId": "s", "batchSize": 3},
}


@pytest.fixture
def ctx(cloud: Endpoint) -> Context:
    ctx = bare_tables(cloud, "queue")
    client = ctx.store.cloud.client("sqs")
    client.create_queue(QueueName=ctx.store.settings.resource("failures"))
    client.purge_queue(QueueUrl=ctx.store.failures._url)
    return ctx


def send(ctx: Context, body: dict[str, object]) -> None:
    ctx.store.cloud.client("sqs").send_message(QueueUrl=ctx.store.failures._url, MessageBody=json.dumps(body))


def test_what_was_sent_is_listed_again_and_again_oldest_first(ctx: Context) -> None:
    for hour in (3, 1, 2):
        moment = datetime(2026, 1, 1, hour, tzinfo=UTC)
        ctx.store.failures.send(Failure(function="orderAggregator", reason=f"r{hour}", at=moment, event={}))
    for _ in range(2):
        assert [line.reason for line in list_failures(ctx)] == ["r1", "r2", "r3"]
    assert ctx.store.failures.depth() == 3


def test_more_than_one_call_returns_are_listed(ctx: Context) -> None:
    for number in range(25):
        failure = Failure(function="f", reason=str(number), at=datetime(2026, 1, 1, tzinfo=UTC), event={})
        ctx.store.failures.send(failure)
    assert len(list_failures(ctx)) == 25


def test_a_change_record_that_failed_twice_waits_once(ctx: Context) -> None:
    for event_id in ("e1", "e2", "e1"):
        event = {"Records": [{"eventID": event_id, "dynamodb": {}}]}
        failure = Failure(function="f", reason=event_id, at=datetime(2026, 1, 1, tzinfo=UTC), event=event)
        ctx.store.failures.send(failure)
    for _ in range(2):
        assert sorted(line.reason for line in list_failures(ctx)) == ["e1", "e2"]
    assert ctx.store.failures.depth() == 2


def test_the_clouds_own_records_of_failed_functions_are_understood(ctx: Context) -> None:
    send(ctx, ASYNCHRONOUS)
    send(ctx, STREAM_RANGE)
    lines = {line.function: line for line in list_failures(ctx)}
    assert lines["resultsGenerator"].reason == "Task timed out"
    assert lines["resultsGenerator"].experiment_id == "e-1"
    assert lines["analysisProcessor"].reason == "RetryAttemptsExhausted"
