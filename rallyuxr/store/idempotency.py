"""Idempotency keys: who asked first holds the key, and its answer is given to everyone who asks again."""

import time
import zlib
from dataclasses import dataclass
from datetime import timedelta

from rallyuxr.store.dynamo import Dynamo, delete, put
from rallyuxr.store.faults import ConditionFailed
from rallyuxr.store.tables import IDEMPOTENCY

LEASE = timedelta(minutes=2)
"""How long a request may hold its key while it works; one that died gives it back by then."""
ANSWER_LIVES = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Held:
    """A key in use: the digest of its request and, once there is one, the answer."""

    digest: str
    status: int = 0
    body: bytes | None = None


class IdempotencyKeys:
    """The table idempotency."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    def claim(self, name: str, digest: str) -> Held | None:
        """Hold a free key and give None, or give what holds it."""
        claim = put(
            IDEMPOTENCY,
            {"requestKey": name, "digest": digest, "expiresAt": _after(LEASE)},
            "attribute_not_exists(requestKey) OR expiresAt < :now",
            now=int(time.time()),
        )
        try:
            self._dynamo.write(claim)
        except ConditionFailed:
            item = self._dynamo.get(IDEMPOTENCY, {"requestKey": name})
            if item is None:
                return self.claim(name, digest)
            body = zlib.decompress(item["body"]) if "body" in item else None
            return Held(item["digest"], item.get("status", 0), body)
        return None

    def settle(self, name: str, digest: str, status: int, body: bytes) -> None:
        """Keep the answer for a day."""
        item = {"requestKey": name, "digest": digest, "status": status, "body": zlib.compress(body)}
        self._dynamo.write(put(IDEMPOTENCY, {**item, "expiresAt": _after(ANSWER_LIVES)}))

    def release(self, name: str) -> None:
        """Give the key back without an answer."""
        self._dynamo.write(delete(IDEMPOTENCY, {"requestKey": name}))


def _after(duration: timedelta) -> int:
    return int(time.time() + duration.total_seconds())
