"""Who is calling, and what that lets them do.

On loopback the API is open and the caller is an unnamed admin. Everywhere else a JWT authorizer stands in
front of it: it has checked signature, issuer, audience and expiry before the request arrives here, and
its claims say who calls and in which role.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Depends, Request

from rallyuxr.api.failures import Unauthorized
from rallyuxr.errors import Forbidden
from rallyuxr.settings import MERCHANT_CLAIM

Role = Literal["viewer", "analyst", "admin"]
RANK: dict[str, int] = {"viewer": 1, "analyst": 2, "admin": 3}
ROLE_CLAIMS = ("rallyuxr_role", "roles", "cognito:groups")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `merchants` is None for staff; otherwise the only merchants this caller may see."""

    name: str | None
    role: Role
    merchants: frozenset[str] | None = None

    @property
    def runs_the_service(self) -> bool:
        """Whether names of the deployment's parts may be told to this caller."""
        return self.role == "admin" and self.merchants is None

    def require(self, role: Role) -> None:
        """Raise Forbidden unless the caller's role is at least `role` and not bound to merchants."""
        if self.merchants is not None:
            raise Forbidden("This token reads one merchant's analytics only; use a token without a merchant.")
        if RANK[self.role] < RANK[role]:
            raise Forbidden(f"This needs the role {role}; the token has {self.role}.")

    def require_merchant(self, merchant_id: str) -> None:
        """Raise Forbidden when the caller is bound to other merchants."""
        if self.merchants is not None and merchant_id not in self.merchants:
            raise Forbidden("This token does not read that merchant.")


def caller_from_claims(claims: Mapping[str, Any]) -> Caller:
    """Read the caller from verified claims; without a known role the caller may do nothing."""
    held = {word for claim in ROLE_CLAIMS for word in _words(claims.get(claim))}
    known: list[Role] = [role for role in ("viewer", "analyst", "admin") if role in held]
    if not known:
        raise Forbidden(
            f"The token names no role. Give it one of viewer, analyst, admin in the claim {ROLE_CLAIMS[0]}."
        )
    merchants = frozenset(_words(claims.get(MERCHANT_CLAIM))) if MERCHANT_CLAIM in claims else None
    name = claims.get("email") or claims.get("username") or claims.get("sub")
    return Caller(name=str(name) if name else None, role=known[-1], merchants=merchants)


def _words(claim: object) -> Iterable[str]:
    """A claim's words: a list, or a string such as "admin", "a b" or the authorizer's "[a b]"."""
    if isinstance(claim, str):
        return claim.strip("[]").replace(",", " ").split()
    return map(str, claim) if isinstance(claim, list | tuple) else ()


def current_caller(request: Request) -> Caller:
    """The caller of this request."""
    event = request.scope.get("aws.event", {})
    if is_open():
        if not event:
            _require_loopback(request)
        return Caller(name=None, role="admin")
    claims = event.get("requestContext", {}).get("authorizer", {}).get("jwt", {}).get("claims")
    if not claims:
        raise Unauthorized("Send a bearer token of the configured issuer in the Authorization header.")
    return caller_from_claims(claims)


def is_open() -> bool:
    """Whether this process answers without tokens; a deployed function that was not told demands them."""
    unsaid = "jwt" if "AWS_LAMBDA_FUNCTION_NAME" in os.environ else "open"
    return os.environ.get("RALLYUXR_API_AUTH", unsaid) == "open"


def _require_loopback(request: Request) -> None:
    """Refuse other machines, and other sites' pages in a browser on this one (by their origin or a false name)."""
    asked, origin = request.headers.get("host", ""), request.headers.get("origin", "http://localhost")
    machines = {request.client.host if request.client else None, _host_name(f"//{asked}"), _host_name(origin)}
    if not machines <= LOOPBACK:
        raise Forbidden(
            "Without tokens this API answers programs and pages of its own machine only, under the name localhost "
            "or 127.0.0.1. Deploy it with a token issuer to serve others."
        )


def _host_name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


AnyCaller = Annotated[Caller, Depends(current_caller)]


class RequireRole:
    """A dependency that lets callers of at least one role pass."""

    def __init__(self, role: Role) -> None:
        self.role: Role = role

    def __call__(self, caller: AnyCaller) -> Caller:
        caller.require(self.role)
        return caller


Viewer = Annotated[Caller, Depends(RequireRole("viewer"))]
Analyst = Annotated[Caller, Depends(RequireRole("analyst"))]
Admin = Annotated[Caller, Depends(RequireRole("admin"))]
