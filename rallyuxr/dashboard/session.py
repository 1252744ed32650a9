"""Who is looking, with which role, and over which connection.

Sign-in is Streamlit's own OIDC flow, configured in `.streamlit/secrets.toml`:

    [auth]                       # see Streamlit's documentation of st.login
    [roles]
    claim = "roles"              # the token's claim that names roles (optional)
    admin = ["ada@example.com"]  # verified addresses by role (optional)
    analyst = ["*@example.com"]
    viewer = []

Without `[auth]` nobody signs in; then the app must listen on loopback only, and its one reader may do everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import Any, Literal
from zoneinfo import ZoneInfo

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from rallyuxr.errors import Forbidden
from rallyuxr.services.context import Context, connect
from rallyuxr.settings import MERCHANT_CLAIM, Settings

Role = Literal["viewer", "analyst", "admin"]
ENTERED = "came through the entrypoint"
ROLES: tuple[Role, ...] = ("viewer", "analyst", "admin")


@dataclass(frozen=True, slots=True)
class Caller:
    """The person in front of the page; `name` is absent where nobody signs in."""

    name: str | None
    role: Role

    def may(self, role: Role) -> bool:
        """Whether this caller's role reaches `role`.

        >>> Caller("ada", "analyst").may("viewer"), Caller("ada", "analyst").may("admin")
        (True, False)
        """
        return ROLES.index(self.role) >= ROLES.index(role)


def granted_role(claims: Mapping[str, Any], rules: Mapping[str, Any]) -> Role | None:
    """The highest role that the token's claims and the deployment's rules give, or None.

    An address counts only when the identity provider says it verified it. Who is bound to merchants has none: the
    pages show every merchant.

    >>> granted_role({"email": "ada@example.com", "email_verified": True}, {"analyst": ["*@example.com"]})
    'analyst'
    >>> granted_role({"email": "ada@example.com"}, {"analyst": ["*@example.com"]}) is None
    True
    >>> granted_role({"roles": ["viewer", "admin"]}, {})
    'admin'
    """
    if MERCHANT_CLAIM in claims:
        return None
    claimed = claims.get(rules.get("claim", "roles")) or ()
    named = {claimed} if isinstance(claimed, str) else set(claimed)
    email = str(claims.get("email", "")).lower() if claims.get("email_verified") is True else ""
    for role in reversed(ROLES):
        listed = any(fnmatchcase(email, pattern.lower()) for pattern in rules.get(role, ()))
        if role in named or (email and listed):
            return role
    return None


def sign_in_configured() -> bool:
    """Whether the deployment's secrets hold an identity provider."""
    return bool(st.secrets.load_if_toml_exists()) and "auth" in st.secrets


def caller() -> Caller:
    """The caller of this rerun.

    Raises:
        Forbidden: signed in without a role, or no sign-in on an address that others can reach.
    """
    if not sign_in_configured():
        if not _listens_on_loopback():
            raise Forbidden(
                "This app can be reached from other machines, and nobody has to sign in. "
                "Configure [auth] in .streamlit/secrets.toml, or set server.address to 127.0.0.1."
            )
        return Caller(None, "admin")
    claims = st.user.to_dict()
    name = str(claims.get("email") or claims.get("name") or claims.get("sub"))
    role = granted_role(claims, st.secrets.get("roles", {}))
    if role is None:
        raise Forbidden(f"{name} has no role here. The roles are {', '.join(ROLES)}.")
    return Caller(name, role)


def require(role: Role) -> None:
    """Refuse what the caller's role does not allow.

    Raises:
        Forbidden: with the role that would be needed.
    """
    who = caller()
    if not who.may(role):
        raise Forbidden(f"This needs the role {role}; you are signed in as {who.role}.")


def enter() -> None:
    """Say that this session came through the entrypoint, which has signed it in where that is configured."""
    st.session_state[ENTERED] = True


def through_entrypoint() -> None:
    """Start over through the entrypoint where Streamlit served this page by itself; the first line of every page.

    It serves a folder called `pages` by itself until `st.navigation` has been called once, so the first deep link
    after a start would get past sign-in. Calling that here would lose the address; it is its flag that counts.
    """
    if not st.session_state.get(ENTERED):
        PagesManager.uses_pages_directory = False
        st.rerun()


def context() -> Context:
    """The services' context of this caller; writes carry the caller's name."""
    return replace(connection(), actor=caller().name)


def connection() -> Context:
    """The process's one connection to the deployment that the environment names."""
    settings = Settings.from_environment()
    return _connect(settings.stage, settings.region, settings.endpoint_url)


@st.cache_resource(show_spinner=False)
def _connect(stage: str, region: str, endpoint_url: str | None) -> Context:
    return connect(Settings(stage=stage, region=region, endpoint_url=endpoint_url))


def time_zone() -> tzinfo:
    """The reader's time zone as the browser tells it; UTC where it does not."""
    name = st.context.timezone
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError):
        return UTC


def _listens_on_loopback() -> bool:
    address = st.get_option("server.address")
    try:
        return address == "localhost" or ip_address(address).is_loopback
    except ValueError:
        return False
