"""Each role, and each token that should not count, against each endpoint of an API behind a JWT authorizer."""

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.resources.api import Tokens
from rallyuxr.api.app import create_app
from rallyuxr.local import Endpoint, deploy
from tests.cloud.api.exchange import EXPERIMENT, METRIC, data_of, error_of, fresh_name

AUDIENCE = "rallyuxr"
VIEWER, ANALYST, ADMIN = "viewer", "analyst", "admin"
ORDER: dict[str, Any] = {
    "merchantId": "m-1",
    "orderId": "o-1",
    "time": "2025-01-02T10:15:00Z",
    "customerId": "ann",
    "currency": "EUR",
    "items": [{"sku": "tea", "quantity": 2, "unitPrice": 4.5}],
}
MERCHANT = {"merchantId": "m-1", "name": "M", "currency": "EUR", "timeZone": "UTC"}
ENDPOINTS: tuple[tuple[str, str, str, dict[str, Any] | None], ...] = (
    (VIEWER, "GET", "/health", None),
    (VIEWER, "GET", "/experiments", None),
    (VIEWER, "GET", "/experiments/{id}", None),
    (VIEWER, "GET", "/experiments/{id}/results", None),
    (VIEWER, "GET", "/experiments/{id}/analyses", None),
    (VIEWER, "GET", "/experiments/{id}/export", None),
    (VIEWER, "GET", "/exports/experiments", None),
    (VIEWER, "GET", "/metric-values", None),
    (VIEWER, "GET", "/metric-values/{metric}", None),
    (VIEWER, "GET", "/metric-values/{metric}/history", None),
    (VIEWER, "POST", "/metric-values/{metric}/reprice-preview", {"dollarsPerUnit": 1}),
    (VIEWER, "POST", "/planning", {"metric": "x", "noise": {"standardDeviation": 1}}),
    (ANALYST, "POST", "/experiments", EXPERIMENT | {"dataSource": "api"}),
    (ANALYST, "POST", "/experiments/{id}/results", {}),
    (ANALYST, "PUT", "/experiments/{id}/status", {"status": "running"}),
    (ANALYST, "POST", "/experiments/{id}/archive", None),
    (ANALYST, "POST", "/experiments/{id}/analyses", None),
    (VIEWER, "GET", "/experiments/{id}/analyses/none", None),
    (VIEWER, "GET", "/merchants", None),
    (VIEWER, "GET", "/merchants/{merchant}/orders", None),
    (VIEWER, "GET", "/merchants/{merchant}/orders/o-1", None),
    (VIEWER, "GET", "/merchants/{merchant}/analytics?granularity=daily&from=2025-01-01&to=2025-01-08", None),
    (ANALYST, "POST", "/orders", ORDER),
    (ANALYST, "POST", "/orders/batch", {"orders": []}),
    (ANALYST, "POST", "/merchants", MERCHANT),
    (ANALYST, "POST", "/merchants/{merchant}/visits", {"visits": []}),
    (ADMIN, "POST", "/metric-values", METRIC),
    (ADMIN, "PUT", "/metric-values/{metric}", {"dollarsPerUnit": 5}),
    (ADMIN, "GET", "/failures", None),
    (ADMIN, "POST", "/failures/redrive", None),
)
OF_MERCHANTS = {"/merchants", "/merchants/{merchant}/orders", "/merchants/{merchant}/orders/o-1"} | {
    path for _, _, path, _ in ENDPOINTS if path.startswith("/merchants/{merchant}/analytics")
}
"""What a token of merchants may read, of its own."""
RANK = {VIEWER: 1, ANALYST: 2, ADMIN: 3}


class Issuer:
    """An identity provider on loopback: its address, its keys, its tokens."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        keys = {"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]}

        class Pages(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                discovery = self.path.endswith("openid-configuration")
                body = json.dumps({"jwks_uri": f"{url}/keys"} if discovery else keys).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.url = url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, role: str | None = VIEWER, **changes: object) -> str:
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": f"{role}@example.com",
            "iat": now - 10,
            "exp": now + 600,
        }
        if role:
            claims["rallyuxr_role"] = role
        signer = changes.pop("signer", self.key)
        return jwt.encode({**claims, **changes}, signer, algorithm="RS256", headers={"kid": "one"})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def guarded(cloud: Endpoint, issuer: Issuer) -> Iterator[httpx.Client]:
    """The API of a stage that accepts this issuer's tokens only."""
    deployment = deploy(cloud, stage="guarded", tokens=Tokens(issuer.url, AUDIENCE))
    with httpx.Client(base_url=deployment.api_url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def stored(guarded: httpx.Client, issuer: Issuer) -> dict[str, str]:
    """An experiment, a metric and a merchant to ask for."""
    admin = bearer(issuer.token(ADMIN))
    metric = fresh_name()
    data_of(guarded.post("/metric-values", json={**METRIC, "metricId": metric}, headers=admin), 201)
    made = data_of(guarded.post("/experiments", json={**EXPERIMENT, "dataSource": "api"}, headers=admin), 201)
    for merchant in ("m-1", "m-2"):
        data_of(guarded.post("/merchants", json={**MERCHANT, "merchantId": merchant}, headers=admin), 201)
    data_of(guarded.post("/orders", json=ORDER, headers=admin), 201)
    return {"id": made["experimentId"], "metric": metric, "merchant": "m-1"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def ask(
    client: httpx.Client, endpoint: tuple[str, str, str, Any], stored: dict[str, str], headers: dict[str, str]
) -> httpx.Response:
    _, method, path, body = endpoint
    return client.request(method, path.format(**stored), json=body, headers=headers)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint[1]} {endpoint[2]}")
@pytest.mark.parametrize("role", RANK)
def test_a_role_reaches_what_it_should_and_nothing_else(
    guarded: httpx.Client, issuer: Issuer, stored: dict[str, str], role: str, endpoint: tuple[str, str, str, Any]
) -> None:
    answer = ask(guarded, endpoint, stored, bearer(issuer.token(role)))
    if RANK[role] < RANK[endpoint[0]]:
        error_of(answer, 403, "FORBIDDEN")
    else:
        assert answer.status_code not in (401, 403, 500), answer.text


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint[1]} {endpoint[2]}")
def test_a_token_that_does_not_count_reaches_nothing(
    guarded: httpx.Client, issuer: Issuer, stored: dict[str, str], endpoint: tuple[str, str, str, Any]
) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    worthless = {
        "missing": {},
        "no token": {"Authorization": "Bearer nonsense"},
        "expired": bearer(issuer.token(ADMIN, exp=int(time.time()) - 60)),
        "wrong audience": bearer(issuer.token(ADMIN, aud="another")),
        "wrong issuer": bearer(issuer.token(ADMIN, iss="http://127.0.0.1:1")),
        "forged": bearer(issuer.token(ADMIN, signer=stranger)),
    }
    for headers in worthless.values():
        assert ask(guarded, endpoint, stored, headers).status_code == 401
    error_of(ask(guarded, endpoint, stored, bearer(issuer.token(None))), 403, "FORBIDDEN")
    error_of(ask(guarded, endpoint, stored, bearer(issuer.token("owner"))), 403, "FORBIDDEN")


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint[1]} {endpoint[2]}")
@pytest.mark.parametrize("merchants", [["m-1"], ["m-2"], []], ids=["own", "other", "none"])
def test_a_merchants_token_reads_that_merchant_and_nothing_else(
    guarded: httpx.Client,
    issuer: Issuer,
    stored: dict[str, str],
    endpoint: tuple[str, str, str, Any],
    merchants: list[str],
) -> None:
    answer = ask(guarded, endpoint, stored, bearer(issuer.token(ADMIN, merchant_id=merchants)))
    _, method, path, _ = endpoint
    if path == "/health":
        assert not data_of(answer).get("explanations")
    elif path == "/merchants" and method == "GET":
        assert [one["merchantId"] for one in data_of(answer)["merchants"]] == merchants
    elif path in OF_MERCHANTS and method == "GET" and merchants == ["m-1"]:
        data_of(answer)
    else:
        error_of(answer, 403, "FORBIDDEN")


def test_the_table_names_every_operation() -> None:
    """A route that is new must say here who may call it."""
    listed = {
        (method, re.sub(r"\{\w+\}|(?<=/)(none|o-1)$", "{}", path.split("?")[0])) for _, method, path, _ in ENDPOINTS
    }
    served = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, operations in create_app().openapi()["paths"].items()
        for method in operations
    }
    assert listed == served


def test_what_is_written_carries_the_callers_name(
    guarded: httpx.Client, issuer: Issuer, stored: dict[str, str]
) -> None:
    analyst = bearer(issuer.token(ANALYST, email="ana@example.com"))
    made = data_of(guarded.post("/experiments", json={**EXPERIMENT, "dataSource": "api"}, headers=analyst), 201)
    read = data_of(guarded.get(f"/experiments/{made['experimentId']}", headers=analyst))
    assert read["experiment"]["createdBy"] == "ana@example.com"
    metric, admin = fresh_name(), bearer(issuer.token(ADMIN, email="ada@example.com"))
    data_of(guarded.post("/metric-values", json={**METRIC, "metricId": metric}, headers=admin), 201)
    data_of(guarded.put(f"/metric-values/{metric}", json={"dollarsPerUnit": 5}, headers=admin))
    history = data_of(guarded.get(f"/metric-values/{metric}/history", headers=admin))["history"]
    assert {entry["updatedBy"] for entry in history} == {"ada@example.com"}
