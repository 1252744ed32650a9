"""Request bodies: read whole before their route, unpacked, and refused where they are too large."""

import zlib

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rallyuxr.api.failures import TooLarge, domain_error
from rallyuxr.errors import InvalidInput, RallyError

LARGEST_REQUEST = 4_500_000
"""Bytes of a body as sent: Lambda takes events of 6 MB, in which a compressed body grows by a third."""
LARGEST_UNPACKED = 60_000_000


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
        await self.app({**scope, "headers": headers}, replay(body, receive), send)


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
    if not unpacker.eof:
        raise InvalidInput("The gzip body ends too early; send it again, whole.")
    return unpacked


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` once more, and then what `receive` gives."""
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
