"""When a part of the deployment fails, the answer says what to do and nothing of what is inside."""

import json
import re
from collections.abc import Iterator

import httpx
import pytest

from rallyuxr.handlers.api import handler
from rallyuxr.local import Deployment, Endpoint
from rallyuxr.services import listing
from tests.cloud.api.conftest import served
from tests.cloud.api.exchange import EXPERIMENT, METRIC, data_of, error_of

INSIDE = re.compile(
    r"Traceback|\.py|boto|Exception|arn:|[Tt]able|rallyuxr|experimentDefinition|dynamo|AWS_|127\.0\.0\.1|localhost",
    re.IGNORECASE,
)
ASKED = (
    ("GET", "/experiments", None),
    ("GET", "/experiments/some", None),
    ("GET", "/experiments/some/results", None),
    ("POST", "/experiments", EXPERIMENT),
    ("GET", "/metric-values", None),
    ("POST", "/metric-values", METRIC),
    ("GET", "/merchants", None),
    ("GET", "/failures", None),
)


@pytest.fixture(scope="module", params=["nothing is deployed", "no cloud answers", "no cloud is named"])
def broken(request: pytest.FixtureRequest, cloud: Endpoint) -> Iterator[httpx.Client]:
    """The API of a stage without tables, on a cloud that is gone, and without the name of one."""
    environment = {
        "nothing is deployed": {**cloud.environment(), "RALLYUXR_STAGE": "nowhere"},
        "no cloud answers": {
            **cloud.environment(),
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_MAX_ATTEMPTS": "1",
        },
        "no cloud is named": {"AWS_ENDPOINT_URL": "", "RALLYUXR_STAGE": ""},
    }[request.param]
    with served(environment) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


@pytest.mark.parametrize(("method", "path", "body"), ASKED, ids=[f"{method} {path}" for method, path, _ in ASKED])
def test_a_missing_part_is_a_503_without_names(
    broken: httpx.Client, method: str, path: str, body: dict[str, object] | None
) -> None:
    for headers in ({}, {"Idempotency-Key": "k"}) if method == "POST" else ({},):
        answer = broken.request(method, path, json=body, headers=headers)
        error = error_of(answer, 503, "SERVICE_UNAVAILABLE")
        assert "Try again" in error["message"]
        assert not INSIDE.search(json.dumps(error))


def event(path: str) -> dict[str, object]:
    """What an HTTP API hands to the function."""
    http = {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test"}
    context = {"http": http, "requestId": "r-1", "stage": "$default"}
    return {"version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {}, "requestContext": context}


def test_a_fault_of_ours_is_a_500_that_quotes_the_gateways_id_and_nothing_else(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(listing, "list_experiments", fails)
    answer = handler(event("/experiments"), None)  # type: ignore[arg-type]
    assert answer["statusCode"] == 500
    error = json.loads(answer["body"])["error"]
    assert (error["code"], error["requestId"]) == ("SERVER_ERROR", "r-1")
    assert "quote the requestId" in error["message"]
    assert "secret" not in answer["body"]
    assert not INSIDE.search(answer["body"])


def test_a_deployed_function_that_was_not_told_answers_nobody(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")
    for said in (None, "", "opne"):
        if said is not None:
            monkeypatch.setenv("RALLYUXR_API_AUTH", said)
        assert handler(event("/experiments"), None)["statusCode"] == 401  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://example.org"}, {"Origin": "null"}, {"Origin": "http://["}, {"Host": "rebound.example"}],
)
def test_without_tokens_other_sites_pages_are_refused(uvicorn_url: str, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/experiments"), ("POST", "/experiments/some/archive")):
        error_of(httpx.request(method, uvicorn_url + path, headers=headers), 403, "FORBIDDEN")
    data_of(httpx.get(f"{uvicorn_url}/experiments", headers={"Origin": "http://localhost:3000"}))
