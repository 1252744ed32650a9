"""The failures queue: records that could not be processed, with the reason, until someone looks at them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from rallyuxr.models import Record, Timestamp
from rallyuxr.store.cloud import Cloud

QUEUE = "failures"
PER_CALL = 10
PEEKS = 20
HOLD_SECONDS = 5


class Failure(Record):
    """A record no function could process: which function, why, and the event to send through again."""

    function: str
    reason: str
    at: Timestamp
    event: dict[str, Any]
    experiment_id: str | None = None

    @property
    def change_records(self) -> tuple[str, ...]:
        """The function and the change records it could not process, by their ids; empty where it has none."""
        ids = [record.get("eventID") for record in self.event.get("Records", ())]
        return (self.function, *map(str, ids)) if ids and all(ids) else ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A failure in the queue; `receipt` removes it."""

    id: str
    receipt: str
    failure: Failure


class FailureQueue:
    """The queue failures."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def send(self, failure: Failure) -> None:
        """Put a failure into the queue."""
        self._call("send_message", MessageBody=json.dumps(failure.to_json()))

    def depth(self) -> int:
        """About how many failures wait."""
        answer = self._call("get_queue_attributes", AttributeNames=["ApproximateNumberOfMessages"])
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def waiting(self, *, hold_seconds: int = HOLD_SECONDS) -> Iterator[Waiting]:
        """The failures that wait, each held back from others for some seconds.

        A change record that was delivered twice and failed twice is one failure: its second entry is taken out.
        """
        known: dict[tuple[str, ...], str] = {}
        for _ in range(PEEKS):
            answer = self._call(
                "receive_message",
                MaxNumberOfMessages=PER_CALL,
                VisibilityTimeout=hold_seconds,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
            messages = answer.get("Messages", [])
            if not messages:
                return
            for message in messages:
                found = Waiting(message["MessageId"], message["ReceiptHandle"], _read(message))
                identity = found.failure.change_records
                if identity and known.setdefault(identity, found.id) != found.id:
                    self.remove(found)
                else:
                    yield found

    def give_back(self, waiting: Waiting) -> None:
        """Let others see a failure again at once."""
        self._call("change_message_visibility", ReceiptHandle=waiting.receipt, VisibilityTimeout=0)

    def remove(self, waiting: Waiting) -> None:
        """Take a failure out of the queue."""
        self._call("delete_message", ReceiptHandle=waiting.receipt)

    @cached_property
    def _url(self) -> str:
        name = self._cloud.settings.resource(QUEUE)
        return str(self._cloud.call("sqs", "get_queue_url", QueueName=name)["QueueUrl"])

    def _call(self, operation: str, **arguments: Any) -> Any:
        return self._cloud.call("sqs", operation, QueueUrl=self._url, **arguments)


def _read(message: Mapping[str, Any]) -> Failure:
    """Our own message, or the cloud's record of a function that failed asynchronously."""
    body = json.loads(message["Body"])
    if "function" in body:
        return Failure.from_json(body)
    sent = int(message["Attributes"]["SentTimestamp"]) / 1000
    called = str(body.get("requestContext", {}).get("functionArn", "")).split(":function:")[-1].split(":")[0]
    answer = body.get("responsePayload") or body.get("requestContext", {}).get("condition", "no reason given")
    event = body.get("requestPayload")
    return Failure(
        function=called.split("-")[-1],
        reason=str(answer.get("errorMessage", answer) if isinstance(answer, dict) else answer),
        at=datetime.fromtimestamp(sent, UTC),
        event=event if isinstance(event, dict) else {},
        experiment_id=event.get("experimentId") if isinstance(event, dict) else None,
    )
