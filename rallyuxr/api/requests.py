"""What happens to a request before its route: size limits, and one answer per idempotency key."""

import hashlib
import json
import zlib
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rallyuxr.api.failures import TooLarge, domain_error
from rallyuxr.api.security import Caller, current_caller
from rallyuxr.errors import Conflict, InvalidInput, RallyError
from rallyuxr.services.context import Context

LARGEST_REQUEST = 6_000_000
LARGEST_UNPACKED = 60_000_000
KEY_HEADER = "idempotency-key"
LONGEST_KEY = 128


class BoundedBody:
    """Read a request's body whole before its route, unpack gzip, refuse what is too large."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            body = await _bounded_body(request)
        except RallyError as error:
            await domain_error(request, error)(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-encoding"]
        await self.app({**scope, "headers": headers}, _replay(body, receive), send)


async def _bounded_body(request: Request) -> bytes:
    limit = f"a request's body may have {LARGEST_REQUEST:,} bytes; compress it (Content-Encoding: gzip) or split it"
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_REQUEST:
            raise TooLarge(f"The body is too large: {limit}.")
    encoding = request.headers.get("content-encoding", "identity")
    if encoding == "identity":
        return bytes(body)
    if encoding != "gzip":
        raise InvalidInput(f"Content-Encoding {encoding!r} is not understood; send gzip or none.")
    try:
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        unpacked = unpacker.decompress(bytes(body), LARGEST_UNPACKED)
    except zlib.error:
        raise InvalidInput("The body says it is gzip and is not.") from None
    if unpacker.unconsumed_tail:
        raise TooLarge(f"The unpacked body is over {LARGEST_UNPACKED:,} bytes; split it.")
    return unpacked


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


class IdempotentPosts:
    """Answer a POST that carries a known Idempotency-Key as before; refuse the key for another body.

    The first request holds the key while it works. An answer below 500 is kept for a day; after a
    fault of ours the key is free again.
    """

    def __init__(self, app: ASGIApp, deployment: Callable[[], Context]) -> None:
        self.app = app
        self.deployment = deployment

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        key = request.headers.get(KEY_HEADER) if scope["type"] == "http" and scope["method"] == "POST" else None
        if key is None:
            await self.app(scope, receive, send)
            return
        body = await request.body()
        try:
            name, digest = _fingerprint(request, key, body)
            known = await run_in_threadpool(self._claim, name, digest)
        except RallyError as error:
            await domain_error(request, error)(scope, receive, send)
            return
        if known is not None:
            await known(scope, receive, send)
            return
        answer = _Recorder(send)
        try:
            await self.app(scope, _replay(body, receive), answer)
        finally:
            await run_in_threadpool(self._settle, name, digest, answer)

    def _claim(self, name: str, digest: str) -> Response | None:
        """Hold the key, or give back the answer it already has."""
        held = self.deployment().store.idempotency.claim(name, digest)
        if held is None:
            return None
        if held.digest != digest:
            raise Conflict("This Idempotency-Key was used with another body; use a new key for a new request.")
        if held.body is None:
            raise Conflict("A request with this Idempotency-Key is still being worked on; ask again in a moment.")
        return Response(
            held.body, held.status, media_type="application/json", headers={"Idempotent-Replay": "true"}
        )

    def _settle(self, name: str, digest: str, answer: "_Recorder") -> None:
        keys = self.deployment().store.idempotency
        if answer.status is None or answer.status >= 500:
            keys.release(name)
        else:
            keys.settle(name, digest, answer.status, bytes(answer.body))


def _fingerprint(request: Request, key: str, body: bytes) -> tuple[str, str]:
    """The key's name, which is the caller's own, and the digest of what was asked."""
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise InvalidInput(
            f"Idempotency-Key must have 1 to {LONGEST_KEY} printable ASCII characters, such as a UUID."
        )
    caller: Caller = current_caller(request)
    digest = hashlib.sha256(request.url.path.encode() + b"\n" + _canonical(body)).hexdigest()
    return f"{caller.name or '-'}#{key}", digest


def _canonical(body: bytes) -> bytes:
    """JSON that differs only in spaces and the order of its keys is the same body."""
    try:
        return json.dumps(json.loads(body), sort_keys=True).encode()
    except ValueError:
        return body


class _Recorder:
    """Send an answer on, and remember it."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.status: int | None = None
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
        await self.send(message)
