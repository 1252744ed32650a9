"""One embedded cloud per test process, with the whole stack deployed; no test here can reach real AWS.

| fixture         | gives                                                                                      |
|-----------------|--------------------------------------------------------------------------------------------|
| `cloud`         | the running embedded cloud (`Endpoint`), nothing deployed yet                              |
| `deployed`      | the stack in it (`Deployment`): `AWS_ENDPOINT_URL`, keys and `RALLYUXR_STAGE` are set        |
| `own_account`   | the same in an account that no other test sees, so its tables are empty; takes some seconds, |
|                 | and its API is out of reach: unsigned requests lead to the first account only              |
| `empty_account` | one such account for all tests that write nothing                                          |

Tables are shared by the tests of a process: name what you create after your test.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import boto3
import pytest

from rallyuxr.local import Deployment, Endpoint, deploy, ensure_running, release

LAYERS = Path(__file__).parents[2] / "build" / "layers"


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    endpoint = ensure_running(tmp_path_factory.mktemp("cloud"), port=0, layers_dir=LAYERS)
    os.environ.update(endpoint.environment())
    yield endpoint
    release(endpoint.data_dir)


@pytest.fixture(scope="session")
def deployed(cloud: Endpoint) -> Deployment:
    deployment = deploy(cloud)
    os.environ.update(deployment.environment())
    return deployment


@pytest.fixture
def own_account(cloud: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    return _entered(deploy(_another_account(cloud)), monkeypatch)


@pytest.fixture(scope="session")
def untouched(cloud: Endpoint) -> Deployment:
    return deploy(_another_account(cloud))


@pytest.fixture
def empty_account(untouched: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    return _entered(untouched, monkeypatch)


def _another_account(cloud: Endpoint) -> Endpoint:
    return replace(cloud, account=str(uuid4().int)[:12])


def _entered(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    for name, value in deployment.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers the keys of its first use
    return deployment


@pytest.fixture(autouse=True)
def _only_the_embedded_cloud(cloud: Endpoint) -> None:
    """Without an endpoint boto3 would reach whatever account the machine's keys open."""
    if os.environ.get("AWS_ENDPOINT_URL") != cloud.url:
        pytest.fail("AWS_ENDPOINT_URL does not lead to the embedded cloud; a test changed it and left it so.")
