"""The API through both its doors: the gateway with its Lambda, and uvicorn."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from socket import create_server

import httpx
import pytest

from rallyuxr.local import Deployment
from tests.cloud.api.exchange import METRIC, answers, fresh_name, wait_for


@contextmanager
def served(environment: Mapping[str, str]) -> Iterator[str]:
    """The API under uvicorn in this environment, while the context lasts."""
    with create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "rallyuxr.api.app:app", "--port", str(port)]
    with subprocess.Popen([*command, "--log-level", "warning"], env={**os.environ, **environment}) as server:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(url), seconds=180)
        yield url
        server.terminate()


@pytest.fixture(scope="session")
def uvicorn_url(deployed: Deployment) -> Iterator[str]:
    with served(deployed.environment()) as url:
        yield url


@pytest.fixture(scope="session", params=["gateway", "uvicorn"])
def api(request: pytest.FixtureRequest, deployed: Deployment) -> Iterator[httpx.Client]:
    url = deployed.api_url if request.param == "gateway" else request.getfixturevalue("uvicorn_url")
    with httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def metric(api: httpx.Client) -> str:
    """A priced metric of this test's own."""
    metric_id = fresh_name()
    made = api.post("/metric-values", json={**METRIC, "metricId": metric_id})
    assert made.status_code == 201, made.text
    return metric_id
