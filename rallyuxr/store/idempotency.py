"""Idempotency keys: who asked first holds the key, and its answer is given to everyone who asks again."""

import time
import zlib
from dataclasses import dataclass
from datetime import timedelta

from rallyuxr.store.attributes import Item
from rallyuxr.store.dynamo import Dynamo, delete, put
from rallyuxr.store.exports import ExportFiles
from rallyuxr.store.faults import ConditionFailed
from rallyuxr.store.tables import IDEMPOTENCY

LEASE = timedelta(minutes=2)
"""How long a request may hold its key while it works; one that died gives it back by then."""
ANSWER_LIVES = timedelta(days=1)
LARGEST_IN_ITEM = 300_000
"""Bytes of a compressed answer that its item holds; a larger one is a file beside it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A key in use: the digest of its request and, once there is one, the answer."""

    digest: str
    status: int = 0
    body: bytes | None = None


class IdempotencyKeys:
    """The table idempotency."""

    def __init__(self, dynamo: Dynamo, files: ExportFiles) -> None:
        self._dynamo = dynamo
        self._files = files

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
            return Held(item["digest"], item.get("status", 0), self._body(item))
        return None

    def settle(self, name: str, digest: str, status: int, body: bytes) -> None:
        """Keep the answer for a day."""
        packed = zlib.compress(body)
        kept = {"body": packed} if len(packed) <= LARGEST_IN_ITEM else {"file": self._files.put(packed, "answer")}
        item = {"requestKey": name, "digest": digest, "status": status, "expiresAt": _after(ANSWER_LIVES)}
        self._dynamo.write(put(IDEMPOTENCY, item | kept))

    def release(self, name: str) -> None:
        """Give the key back without an answer."""
        self._dynamo.write(delete(IDEMPOTENCY, {"requestKey": name}))

    def _body(self, item: Item) -> bytes | None:
        if "file" in item:
            return zlib.decompress(self._files.get(item["file"]))
        return zlib.decompress(item["body"]) if "body" in item else None


def _after(duration: timedelta) -> int:
    return int(time.time() + duration.total_seconds())
