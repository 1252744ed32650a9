"""Pages of other sites: let in where tokens are needed, preflight first; kept out of an open API on a laptop."""

from collections.abc import Iterator

import httpx
import pytest

from infra.cloud import Cloud
from infra.plan import apply, plan
from infra.resources.api import HttpApi, Tokens
from rallyuxr.handlers.api import handler
from rallyuxr.local import Deployment, Endpoint, deploy
from rallyuxr.settings import Settings
from tests.cloud.api.conftest import served
from tests.cloud.api.exchange import error_of

TOKENS = Tokens("https://id.example.com", "rallyuxr")
PREFLIGHT = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,if-match"}


@pytest.fixture(scope="module")
def guarded(cloud: Endpoint) -> Deployment:
    return deploy(cloud, stage="preflight", tokens=TOKENS)


@pytest.fixture(scope="module")
def guarded_url(guarded: Deployment) -> Iterator[str]:
    """The application that wants tokens, without a gateway in front of it."""
    with served({**guarded.environment(), "RALLYUXR_API_AUTH": "jwt"}) as url:
        yield url


def test_a_preflight_needs_no_token_and_what_follows_does(guarded: Deployment) -> None:
    origin = {"Origin": "http://localhost:3000"}
    preflight = httpx.options(f"{guarded.api_url}/experiments", headers={**origin, **PREFLIGHT})
    assert preflight.is_success
    assert preflight.headers["access-control-allow-origin"] == "*"
    allowed = preflight.headers["access-control-allow-headers"].lower()
    assert {"authorization", "idempotency-key", "if-match", "if-none-match"} <= set(allowed.split(","))
    assert httpx.get(f"{guarded.api_url}/experiments", headers=origin).status_code == 401


def test_where_tokens_are_needed_every_site_is_let_in(guarded_url: str) -> None:
    origin = {"Origin": "https://shop.example"}
    preflight = httpx.options(f"{guarded_url}/experiments", headers={**origin, **PREFLIGHT})
    assert preflight.is_success
    assert preflight.headers["access-control-allow-origin"] == "*"
    answer = httpx.get(f"{guarded_url}/experiments", headers=origin)
    error_of(answer, 401, "UNAUTHORIZED")
    assert answer.headers["access-control-allow-origin"] == "*", "the page may read why"
    assert "idempotent-replay" in answer.headers["access-control-expose-headers"].lower()


def test_a_preflight_that_a_gateway_passes_on_is_answered(deployed: Deployment) -> None:
    http = {"method": "OPTIONS", "path": "/experiments", "protocol": "HTTP/1.1", "sourceIp": "1.2.3.4"}
    event = {
        "version": "2.0",
        "routeKey": "OPTIONS /{proxy+}",
        "rawPath": "/experiments",
        "rawQueryString": "",
        "headers": {"origin": "https://shop.example", **{name.lower(): value for name, value in PREFLIGHT.items()}},
        "requestContext": {"http": http, "requestId": "r-1", "stage": "$default"},
    }
    answer = handler(event, None)  # type: ignore[arg-type]
    assert answer["statusCode"] == 200
    assert answer["headers"]["access-control-allow-origin"] == "*"


def test_a_lost_preflight_route_is_drift_and_is_mended(guarded: Deployment) -> None:
    """The catch-all route takes every method, so that a preflight would be asked for a token."""
    cloud = Cloud(Settings(stage="preflight", endpoint_url=guarded.endpoint.url), guarded.endpoint.keys())
    api = HttpApi(cloud, TOKENS)
    api_id = str((api.find() or {})["ApiId"])
    routes = {route["RouteKey"]: route for route in cloud.api.get_routes(ApiId=api_id)["Items"]}
    assert routes["$default"]["AuthorizationType"] == "JWT"
    assert routes["OPTIONS /{proxy+}"].get("AuthorizationType", "NONE") == "NONE"
    cloud.api.delete_route(ApiId=api_id, RouteId=routes["OPTIONS /{proxy+}"]["RouteId"])
    (drift,) = plan([api])
    assert drift.differences == {"preflight": (None, "open")}
    apply([api])
    assert plan([api]) == []
