"""Large answers: within Lambda's limit directly, above it as a signed link."""

import gzip
import hashlib
from datetime import timedelta
from typing import Any

from fastapi import Request, Response

from rallyuxr.api.answers import Answer, LinkData
from rallyuxr.services.context import Context

LARGEST_BODY = 4_000_000
"""Bytes of a compressed body sent directly: Lambda answers 6 MB, and base64 adds a third."""
LARGEST_TEXT = 2_000_000
"""Bytes of a body sent as it is: in JSON, on its way to the gateway, a letter may take three times as many."""
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Nothing changed since the answer whose ETag is in If-None-Match."}
}
"""For the documents of routes that deliver."""
LINK_LIVES = timedelta(hours=1)


def deliver(request: Request, context: Context, body: Answer, name: str) -> Response:  # type: ignore[type-arg]
    """Answer with `body` as JSON, or with a link to it where it is too large even compressed."""
    return deliver_bytes(
        request, context, body.model_dump_json(exclude_none=True).encode(), "application/json", name
    )


def deliver_bytes(
    request: Request, context: Context, payload: bytes, media_type: str, name: str, *, attachment: bool = False
) -> Response:
    """Answer with `payload`, compressed where the caller accepts it, or with 304 where the caller has it."""
    headers = {"Vary": "Accept-Encoding", "ETag": f'W/"{hashlib.sha256(payload).hexdigest()[:32]}"'}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if attachment:
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    accepts_gzip = "gzip" in request.headers.get("accept-encoding", "")
    packed = gzip.compress(payload, compresslevel=5, mtime=0) if accepts_gzip and len(payload) > 1000 else payload
    if len(packed) > (LARGEST_TEXT if packed is payload else LARGEST_BODY):
        link = context.store.exports.put_temporary(payload, media_type, name, lives=LINK_LIVES)
        data = LinkData(link=link, expires_at=context.clock() + LINK_LIVES, size_bytes=len(payload))
        return Response(Answer(data=data).model_dump_json(), media_type="application/json")
    if packed is not payload:
        return Response(packed, media_type=media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(payload, media_type=media_type, headers=headers)
