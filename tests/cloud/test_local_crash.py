"""The embedded cloud killed while it is written to: nothing half-written, nothing undelivered, little lost."""

import io
import itertools
import json
import os
import signal
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from rallyuxr.local import Endpoint, ensure_running, release
from rallyuxr.local.cloud import running

WRITING_SECONDS = 2.5  # one writing of a small state takes .3 s; a busy machine gets more
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
CONSUMER = """
def handler(event, context):
    with open({path!r}, "a") as seen:
        for record in event["Records"]:
            seen.write(record["dynamodb"]["Keys"]["id"]["S"] + "\\n")
    print("seen")
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    release(tmp_path / "state")


def client(endpoint: Endpoint, service: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=5)
    return boto3.client(service, endpoint_url=endpoint.url, config=config, **endpoint.keys())  # type: ignore[call-overload]


def prepare(endpoint: Endpoint, seen: Path) -> None:
    """A table whose change records start a function that notes them outside the cloud."""
    stream = client(endpoint, "dynamodb").create_table(
        TableName="pairs",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]["LatestStreamArn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("consumer.py", CONSUMER.format(path=str(seen)))
    role = client(endpoint, "iam").create_role(RoleName="consumer", AssumeRolePolicyDocument=json.dumps(TRUST))
    functions = client(endpoint, "lambda")
    functions.create_function(
        FunctionName="consumer",
        Runtime="python3.11",
        Handler="consumer.handler",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": code.getvalue()},
    )
    functions.create_event_source_mapping(
        FunctionName="consumer", EventSourceArn=stream, StartingPosition="TRIM_HORIZON", BatchSize=10
    )


@contextmanager
def writing(endpoint: Endpoint, first: int) -> Iterator[dict[int, float]]:
    """Write numbered pairs, both halves in one transaction; gives the time each was acknowledged."""
    acknowledged: dict[int, float] = {}
    ended = threading.Event()

    def write() -> None:
        dynamodb = client(endpoint, "dynamodb")
        for number in itertools.count(first):
            halves = [{"Put": {"TableName": "pairs", "Item": {"id": {"S": f"{number}/{half}"}}}} for half in "ab"]
            try:
                dynamodb.transact_write_items(TransactItems=halves)
            except (BotoCoreError, ClientError):
                return
            acknowledged[number] = time.monotonic()
            if ended.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield acknowledged
    finally:
        ended.set()
        writer.join()


def survivors(endpoint: Endpoint) -> set[str]:
    """The halves of pairs that are there."""
    pages = client(endpoint, "dynamodb").get_paginator("scan").paginate(TableName="pairs")
    return {item["id"]["S"] for page in pages for item in page["Items"] if "/" in item["id"]["S"]}


def noted(seen: Path) -> set[str]:
    return set(seen.read_text().splitlines()) if seen.exists() else set()


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def rounds_of(data_dir: Path, seen: Path, how: signal.Signals, lives: list[float], *, every: float = 1.0) -> None:
    """Kill the cloud after each of `lives` seconds of writing, start it again and look."""
    endpoint = ensure_running(data_dir, port=0, snapshot_seconds=every)
    prepare(endpoint, seen)
    time.sleep(every + WRITING_SECONDS)  # the table itself is saved
    for number, life in enumerate(lives, start=1):
        with writing(endpoint, first=number * 1_000_000) as acknowledged:
            time.sleep(life)
            os.kill(endpoint.pid, how)
            killed = time.monotonic()
            until(lambda: running(data_dir) is None)
        endpoint = ensure_running(data_dir, port=0, snapshot_seconds=every)
        there = survivors(endpoint)
        halves = {identifier.split("/")[0] for identifier in there}
        assert there == {f"{pair}/{half}" for pair in halves for half in "ab"}, "a transaction was torn"
        bound = 0.0 if how == signal.SIGTERM else every + WRITING_SECONDS
        lost = [pair for pair, at in acknowledged.items() if str(pair) not in halves and killed - at > bound]
        assert not lost, f"{len(lost)} pairs were lost that were older than {bound} s"
        assert acknowledged
        until(lambda: there <= noted(seen))  # noqa: B023
        client(endpoint, "dynamodb").put_item(TableName="pairs", Item={"id": {"S": f"next {number}"}})
        until(lambda: f"next {number}" in noted(seen))  # noqa: B023


@pytest.mark.slow
def test_a_kill_loses_little_tears_nothing_and_leaves_nothing_undelivered(data_dir: Path, tmp_path: Path) -> None:
    rounds_of(data_dir, tmp_path / "seen", signal.SIGKILL, [1.3, 4.6])


def test_a_stop_while_being_written_to_loses_nothing(data_dir: Path, tmp_path: Path) -> None:
    rounds_of(data_dir, tmp_path / "seen", signal.SIGTERM, [1.2])


def test_the_last_write_before_silence_is_saved(data_dir: Path) -> None:
    """No later request reminds the cloud that something changed."""
    endpoint = ensure_running(data_dir, port=0, snapshot_seconds=0.5)
    client(endpoint, "sqs").create_queue(QueueName="last")
    time.sleep(0.5 + WRITING_SECONDS)
    os.kill(endpoint.pid, signal.SIGKILL)
    endpoint = ensure_running(data_dir, port=0)
    assert client(endpoint, "sqs").get_queue_url(QueueName="last")["QueueUrl"]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_many_rounds_of_crashes(data_dir: Path, tmp_path: Path, how: signal.Signals) -> None:
    rounds_of(data_dir, tmp_path / "seen", how, [0.2, 0.9, 1.05, 1.15, 2.0, 5.1, 0.5, 1.7])


@pytest.mark.slow
def test_the_bound_that_the_documents_promise(data_dir: Path, tmp_path: Path) -> None:
    """Fifteen seconds, with the interval that `make run` uses."""
    assert 10.0 + WRITING_SECONDS <= 15.0
    rounds_of(data_dir, tmp_path / "seen", signal.SIGKILL, [14.0, 23.5], every=10.0)
