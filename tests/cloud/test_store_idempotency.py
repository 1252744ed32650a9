"""An idempotency key answers once, stays with its request, and is free again when its request died."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from rallyuxr.local import Endpoint
from rallyuxr.services.context import Context
from rallyuxr.store.idempotency import LEASE, Held
from tests.cloud.spine_samples import bare_tables


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    return bare_tables(cloud, "keys")


def test_a_key_gives_the_answer_of_its_first_request(ctx: Context) -> None:
    keys = ctx.store.idempotency
    assert keys.claim("ann#1", "digest") is None
    assert keys.claim("ann#1", "digest") == Held("digest")
    keys.settle("ann#1", "digest", 201, b'{"success": true}')
    assert keys.claim("ann#1", "other") == Held("digest", 201, b'{"success": true}')


def test_a_released_key_is_free(ctx: Context) -> None:
    keys = ctx.store.idempotency
    assert keys.claim("ann#2", "digest") is None
    keys.release("ann#2")
    assert keys.claim("ann#2", "another") is None


def test_a_key_whose_request_died_is_free_after_its_lease(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ctx.store.idempotency
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    assert keys.claim("ann#3", "digest") is None
    monkeypatch.setattr("time.time", lambda: 1_000_000.0 + LEASE.total_seconds() - 1)
    assert keys.claim("ann#3", "digest") == Held("digest")
    monkeypatch.setattr("time.time", lambda: 1_000_000.0 + LEASE.total_seconds() + 1)
    assert keys.claim("ann#3", "digest") is None


def test_of_many_at_once_one_holds_the_key(ctx: Context) -> None:
    with ThreadPoolExecutor(16) as pool:
        claims = list(pool.map(lambda _: ctx.store.idempotency.claim("ann#4", "digest"), range(16)))
    assert claims.count(None) == 1
