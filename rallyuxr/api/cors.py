"""Which web pages may call: every one where tokens are needed, those of this machine where they are not."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from rallyuxr.api.security import is_open

LOOPBACK = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"
EXPOSED = ("ETag", "Idempotent-Replay", "Content-Disposition", "Link")
"""Headers of answers that a page may read."""


class CrossOrigin:
    """Answers preflights, and tells browsers who may read an answer.

    Behind a gateway every origin is let in, as the gateway's own settings say: on AWS a preflight may reach
    the function all the same. An open API under uvicorn answers pages of its own machine only.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._everyone = CORSMiddleware(
            app, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], expose_headers=EXPOSED
        )
        self._this_machine = CORSMiddleware(
            app, allow_origin_regex=LOOPBACK, allow_methods=["*"], allow_headers=["*"], expose_headers=EXPOSED
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        closed = "aws.event" not in scope and is_open()
        await (self._this_machine if closed else self._everyone)(scope, receive, send)
