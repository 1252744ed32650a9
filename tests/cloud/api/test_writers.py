"""Many writers at once through the API: every accepted version once in the history, none lost."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.cloud.api.exchange import EXPERIMENT, data_of, error_of, fresh_name

WRITERS = 20


@pytest.fixture
def api(uvicorn_url: str) -> Iterator[httpx.Client]:
    """One process, so that the writers meet in the tables and do not wait for twenty Lambdas to start."""
    with httpx.Client(base_url=uvicorn_url, timeout=60) as client:
        yield client


def test_of_two_editors_of_one_version_one_wins_and_one_is_told(api: httpx.Client, metric: str) -> None:
    def edit(price: int) -> int:
        body = {"dollarsPerUnit": price, "expectedVersion": 1}
        return api.put(f"/metric-values/{metric}", json=body).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(edit, (11, 12))) == [200, 409]


def test_twenty_writers_of_a_price_lose_no_version(api: httpx.Client, metric: str) -> None:
    def edit(price: int) -> int:
        answer = api.put(f"/metric-values/{metric}", json={"dollarsPerUnit": price})
        return int(data_of(answer)["metric"]["version"])

    with ThreadPoolExecutor(WRITERS) as pool:
        versions = list(pool.map(edit, range(1, WRITERS + 1)))
    assert sorted(versions) == list(range(2, WRITERS + 2))
    history = data_of(api.get(f"/metric-values/{metric}/history"))["history"]
    assert [entry["version"] for entry in history] == list(range(WRITERS + 1, 0, -1))
    assert {entry["dollarsPerUnit"] for entry in history[:-1]} == set(range(1, WRITERS + 1))


def test_twenty_movers_of_an_experiment_make_one_move(api: httpx.Client) -> None:
    experiment_id = data_of(api.post("/experiments", json={**EXPERIMENT, "dataSource": "api"}), 201)["experimentId"]

    def move(_: int) -> httpx.Response:
        return api.put(f"/experiments/{experiment_id}/status", json={"status": "running", "expectedVersion": 1})

    with ThreadPoolExecutor(WRITERS) as pool:
        answers = list(pool.map(move, range(WRITERS)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * (WRITERS - 1)
    for answer in answers:
        if answer.status_code == 409:
            error_of(answer, 409, "CONFLICT")


def test_one_idempotency_key_from_twenty_clients_makes_one_experiment(api: httpx.Client) -> None:
    name, key = fresh_name(), {"Idempotency-Key": fresh_name()}
    body = {**EXPERIMENT, "name": name, "dataSource": "api"}

    def create(_: int) -> httpx.Response:
        return api.post("/experiments", json=body, headers=key)

    with ThreadPoolExecutor(WRITERS) as pool:
        answers = list(pool.map(create, range(WRITERS)))
    made = {answer.json()["data"]["experimentId"] for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len(data_of(api.get("/experiments", params={"search": name}))["experiments"]) == 1
