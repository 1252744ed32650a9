"""One answer per Idempotency-Key: repeating a POST is safe."""

import gzip
import hashlib
import json
import logging
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rallyuxr.api.bodies import replay
from rallyuxr.api.delivery import deliver_bytes
from rallyuxr.api.failures import domain_error
from rallyuxr.api.security import current_caller
from rallyuxr.errors import Conflict, InvalidInput, RallyError
from rallyuxr.services.context import Context

logger = logging.getLogger("rallyuxr.api")
KEY_HEADER = "Idempotency-Key"
KEY_PATTERN = r"^[!-~]{1,128}$"
LONGEST_KEY = 128


def idempotency_key(request: Request) -> str | None:
    """The key that the request carries, if it is one that can be kept."""
    key = request.headers.get(KEY_HEADER)
    if key is None or (1 <= len(key) <= LONGEST_KEY and all("!" <= letter <= "~" for letter in key)):
        return key
    raise InvalidInput(
        f"{KEY_HEADER} must have 1 to {LONGEST_KEY} visible ASCII characters and no space, such as a UUID."
    )


class IdempotentPosts:
    """Answer a POST that carries a known key as before; refuse the key for another body.

    The first request holds the key while it works. An answer below 500 is kept for a day; after a
    fault of ours the key is free again, and of a process that died it is so two minutes later.
    """

    def __init__(self, app: ASGIApp, deployment: Callable[[], Context]) -> None:
        self.app = app
        self.deployment = deployment

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or KEY_HEADER not in Headers(scope=scope):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        try:
            name, digest = _fingerprint(request, body)
            known = await run_in_threadpool(self._claim, request, name, digest)
        except RallyError as error:
            await domain_error(request, error)(scope, receive, send)
            return
        if known is not None:
            await known(scope, receive, send)
            return
        answer = _Recorder(send)
        try:
            await self.app(scope, replay(body, receive), answer)
        finally:
            await run_in_threadpool(self._settle, name, digest, answer)

    def _claim(self, request: Request, name: str, digest: str) -> Response | None:
        """Hold the key, or give back the answer it already has."""
        context = self.deployment()
        held = context.store.idempotency.claim(name, digest)
        if held is None:
            return None
        if held.digest != digest:
            raise Conflict(f"This {KEY_HEADER} was used for another request; use a new key for a new request.")
        if held.body is None:
            raise Conflict(f"A request with this {KEY_HEADER} is still being worked on; ask again in a moment.")
        answer = deliver_bytes(request, context, held.body, "application/json", "answer.json")
        answer.status_code = held.status
        answer.headers["Idempotent-Replay"] = "true"
        return answer

    def _settle(self, name: str, digest: str, answer: "_Recorder") -> None:
        """Keep the answer, or free the key; the answer is on its way, so a fault here is only logged."""
        keys = self.deployment().store.idempotency
        try:
            if answer.status is None or answer.status >= 500:
                keys.release(name)
            else:
                keys.settle(name, digest, answer.status, answer.content())
        except RallyError:
            logger.exception("an idempotency key keeps no answer; it is free again after its lease")


def _fingerprint(request: Request, body: bytes) -> tuple[str, str]:
    """The key's name, which is the caller's own, and the digest of what was asked."""
    key, caller = idempotency_key(request), current_caller(request)
    asked = f"{request.url.path}?{request.url.query}".encode()
    return f"{caller.name or '-'}#{key}", hashlib.sha256(asked + b"\n" + _canonical(body)).hexdigest()


def _canonical(body: bytes) -> bytes:
    """JSON that differs only in spaces and the order of its keys is the same body."""
    try:
        return json.dumps(json.loads(body), sort_keys=True).encode()
    except (ValueError, RecursionError):
        return body


class _Recorder:
    """Send an answer on, and remember it."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.status: int | None = None
        self.packed = False
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.packed = Headers(raw=message["headers"]).get("content-encoding") == "gzip"
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
        await self.send(message)

    def content(self) -> bytes:
        """The answer's body, unpacked."""
        return gzip.decompress(self.body) if self.packed else bytes(self.body)
