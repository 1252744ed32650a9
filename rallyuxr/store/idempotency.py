"""Answers already given, by the key a client put on its request."""

import time
from dataclasses import dataclass

from rallyuxr.errors import Unavailable
from rallyuxr.store.dynamo import Dynamo, delete, put
from rallyuxr.store.faults import ConditionFailed
from rallyuxr.store.tables import IDEMPOTENCY

ANSWER_LIVES_SECONDS = 24 * 3600
CLAIM_LIVES_SECONDS = 60


@dataclass(frozen=True, slots=True)
class HeldKey:
    """What a key stands for; `body` is None while its request is still worked on."""

    digest: str
    status: int
    body: bytes | None


class IdempotencyRepository:
    """One deployment's idempotency keys; a claim that its holder never settled ends after a minute."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    def claim(self, key: str, digest: str) -> HeldKey | None:
        """Hold `key` for a new request (None), or say what it stands for already."""
        now = int(time.time())
        item = {"requestKey": key, "digest": digest, "status": 0, "expiresAt": now + CLAIM_LIVES_SECONDS}
        for _ in range(2):
            try:
                self._dynamo.write(
                    put(IDEMPOTENCY, item, "attribute_not_exists(requestKey) OR expiresAt < :now", now=now)
                )
                return None
            except ConditionFailed:
                held = self._dynamo.get(IDEMPOTENCY, {"requestKey": key})
            if held is not None:
                return HeldKey(held["digest"], held["status"], held.get("body"))
        raise Unavailable("The Idempotency-Key changed hands while it was read; send the request again.")

    def settle(self, key: str, digest: str, status: int, body: bytes) -> None:
        """Keep the answer for a day."""
        expires = int(time.time()) + ANSWER_LIVES_SECONDS
        item = {"requestKey": key, "digest": digest, "status": status, "body": body, "expiresAt": expires}
        self._dynamo.write(put(IDEMPOTENCY, item))

    def release(self, key: str) -> None:
        """Free the key: its request came to no answer worth keeping."""
        self._dynamo.write(delete(IDEMPOTENCY, {"requestKey": key}))
