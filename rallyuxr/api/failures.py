"""Errors as answers: the contract's body, its codes, and nothing that is ours to keep."""

import logging
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from rallyuxr import errors
from rallyuxr.models import Record

logger = logging.getLogger("rallyuxr.api")


class Unauthorized(errors.RallyError):
    """No valid token came with the request."""


class TooLarge(errors.RallyError):
    """The body is over the limit."""


class UnsupportedMediaType(errors.RallyError):
    """The body is of a kind that is not read here."""


class ErrorBody(Record):
    """What went wrong and what to do."""

    code: str = Field(examples=["VALIDATION_ERROR"])
    message: str
    details: dict[str, Any] | None = None
    request_id: str


class ErrorAnswer(Record):
    """The answer of every request that failed."""

    success: bool = Field(default=False, examples=[False])
    error: ErrorBody


ANSWERS: tuple[tuple[type[Exception], int, str], ...] = (
    (errors.InvalidInput, 400, "VALIDATION_ERROR"),
    (Unauthorized, 401, "UNAUTHORIZED"),
    (errors.Forbidden, 403, "FORBIDDEN"),
    (errors.NotFound, 404, "NOT_FOUND"),
    (errors.Conflict, 409, "CONFLICT"),
    (TooLarge, 413, "TOO_LARGE"),
    (UnsupportedMediaType, 415, "UNSUPPORTED_MEDIA_TYPE"),
    (errors.Unavailable, 503, "SERVICE_UNAVAILABLE"),
)
UNAVAILABLE = (
    "A part of this service does not answer. Try again in a moment; if it persists, quote the requestId to whoever "
    "runs this server."
)
HTTP_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}


def request_id(request: Request) -> str:
    """The gateway's id of this request, or one of our own; the same through the whole request."""
    if not hasattr(request.state, "request_id"):
        event = request.scope.get("aws.event", {})
        request.state.request_id = event.get("requestContext", {}).get("requestId") or str(uuid4())
    return str(request.state.request_id)


def answer(
    request: Request,
    status: int,
    code: str,
    message: str,
    details: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """One error answer in the contract's shape."""
    body = ErrorAnswer(
        error=ErrorBody(code=code, message=message, details=details or None, request_id=request_id(request))
    )
    return JSONResponse(body.to_json(), status_code=status, headers=headers)


def domain_error(request: Request, error: Exception) -> JSONResponse:
    """Answer an error of RallyUXR's own; one that names parts of the deployment is logged and not told."""
    if isinstance(error, errors.NotConfigured) or getattr(error, "internal", False):
        return _internal_error(request, error)
    for kind, status, code in ANSWERS:
        if isinstance(error, kind):
            return answer(request, status, code, str(error), _details(error))
    return unexpected_error(request, error)


def _internal_error(request: Request, error: Exception) -> JSONResponse:
    logger.error("request %s failed: %s", request_id(request), error)
    if isinstance(error, errors.InvalidInput):
        return answer(request, 400, "VALIDATION_ERROR", "This cannot be stored; send less, or simpler values.")
    return answer(request, 503, "SERVICE_UNAVAILABLE", UNAVAILABLE)


def _details(error: Exception) -> dict[str, Any]:
    details = dict(getattr(error, "details", {}))
    if isinstance(error, errors.InvalidData):
        details["problems"] = [problem.to_json() for problem in error.problems[:100]]
        details["problemCount"] = len(error.problems)
    return details


def invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
    """Answer a request whose shape is wrong, naming every field at once."""
    problems = [
        {
            "field": ".".join(str(part) for part in problem["loc"] if part != "body") or "body",
            "message": problem["msg"].removeprefix("Value error, "),
        }
        for problem in error.errors()
    ]
    first = problems[0]
    more = f" (and {len(problems) - 1} more, see details)" if len(problems) > 1 else ""
    return answer(
        request,
        400,
        "VALIDATION_ERROR",
        f"{first['field']}: {first['message']}{more}",
        {"fields": problems},
    )


def http_error(request: Request, error: HTTPException) -> JSONResponse:
    """Answer what the router itself refuses: unknown paths, wrong methods."""
    code = HTTP_CODES.get(error.status_code, "VALIDATION_ERROR")
    message = {
        404: "There is no such address. The addresses are listed in /openapi.json.",
        405: f"{request.method} is not possible here; the Allow header lists what is.",
    }.get(error.status_code, str(error.detail))
    status = 400 if code == "VALIDATION_ERROR" else error.status_code
    headers = {"Allow": ", ".join(_methods(request))} if status == 405 else dict(error.headers or {})
    return answer(request, status, code, message, headers=headers)


def _methods(request: Request) -> list[str]:
    """Every method that some route answers at this address."""
    return [
        method
        for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]


def unexpected_error(request: Request, error: Exception) -> JSONResponse:
    """Answer a fault of ours: logged in full here, nothing of it leaves."""
    logger.exception("request %s failed", request_id(request), exc_info=error)
    return answer(
        request,
        500,
        "SERVER_ERROR",
        "Something failed on our side. Try again; if it persists, quote the requestId to whoever runs this server.",
    )


def install(app: FastAPI) -> None:
    """Answer every failure of `app` in the contract's shape."""
    app.add_exception_handler(RequestValidationError, invalid_request)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, http_error)  # type: ignore[arg-type]
    app.add_exception_handler(errors.RallyError, domain_error)
    app.add_exception_handler(Exception, unexpected_error)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route for the OpenAPI document; 400 and 500 come with every one."""
    return {status: {"model": ErrorAnswer} for status in (400, 401, 403, *statuses, 500, 503)}
