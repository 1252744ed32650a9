"""The cloud's faults become domain errors, and busy moments are waited out; the embedded cloud never has any."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber

from rallyuxr.errors import Forbidden, InvalidInput, NotConfigured, Unavailable
from rallyuxr.settings import Settings
from rallyuxr.store.cloud import Cloud
from rallyuxr.store.dynamo import Dynamo, create, put, update
from rallyuxr.store.faults import ATTEMPTS, ConditionFailed
from rallyuxr.store.tables import METRIC_VALUES

KEY = {"metricId": "ctr"}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return Cloud(Settings(endpoint_url="http://127.0.0.1:9"))


@pytest.fixture
def stub(cloud: Cloud) -> Iterator[Stubber]:
    with Stubber(cloud.client("dynamodb")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def dynamo(cloud: Cloud) -> Dynamo:
    return Dynamo(cloud)


def cancelled(stub: Stubber, *codes: str) -> None:
    stub.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        modeled_fields={"CancellationReasons": [{"Code": code} for code in codes]},
    )


@pytest.mark.parametrize(
    "code",
    [
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "TransactionConflictException",
        "RequestLimitExceeded",
        "InternalServerError",
    ],
)
def test_a_busy_cloud_is_asked_again_after_a_pause(
    dynamo: Dynamo, stub: Stubber, pauses: list[float], code: str
) -> None:
    stub.add_client_error("get_item", code)
    stub.add_client_error("get_item", code)
    stub.add_response("get_item", {"Item": {"metricId": {"S": "ctr"}}})
    assert dynamo.get(METRIC_VALUES, KEY) == KEY
    assert len(pauses) == 2


def test_a_cloud_that_stays_busy_is_unavailable(dynamo: Dynamo, stub: Stubber, pauses: list[float]) -> None:
    for _ in range(ATTEMPTS):
        stub.add_client_error("put_item", "ThrottlingException")
    with pytest.raises(Unavailable, match="too busy for 8 attempts"):
        dynamo.write(put(METRIC_VALUES, KEY))
    assert all(0 <= seconds <= 1 for seconds in pauses)


def test_transactions_in_each_others_way_are_repeated(dynamo: Dynamo, stub: Stubber, pauses: list[float]) -> None:
    cancelled(stub, "None", "TransactionConflict")
    cancelled(stub, "ThrottlingError", "None")
    stub.add_response("transact_write_items", {})
    dynamo.transact([put(METRIC_VALUES, KEY), put(METRIC_VALUES, {"metricId": "aov"})])
    assert len(pauses) == 2


def test_a_condition_that_fails_is_never_repeated_and_says_which(
    dynamo: Dynamo, stub: Stubber, pauses: list[float]
) -> None:
    cancelled(stub, "TransactionConflict", "ConditionalCheckFailed")
    with pytest.raises(ConditionFailed) as caught:
        dynamo.transact([put(METRIC_VALUES, KEY), create(METRIC_VALUES, {"metricId": "aov"})])
    assert caught.value.failed == (1,)
    assert pauses == []


def test_a_single_condition_that_fails_says_so(dynamo: Dynamo, stub: Stubber) -> None:
    stub.add_client_error("put_item", "ConditionalCheckFailedException")
    with pytest.raises(ConditionFailed):
        dynamo.write(create(METRIC_VALUES, KEY))


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("ResourceNotFoundException", NotConfigured, "python -m infra apply"),
        ("AccessDeniedException", Forbidden, "refused"),
        ("ValidationException", InvalidInput, "cannot store this"),
        ("SomethingNew", Unavailable, "SomethingNew"),
    ],
)
def test_what_will_not_pass_by_itself_is_said_at_once(
    dynamo: Dynamo, stub: Stubber, pauses: list[float], code: str, error: type[Exception], words: str
) -> None:
    stub.add_client_error("update_item", code)
    with pytest.raises(error, match=words):
        dynamo.write(update(METRIC_VALUES, KEY, "SET unit = :unit", unit="%"))
    assert pauses == []


def test_a_cloud_that_is_not_there_is_unavailable(dynamo: Dynamo, pauses: list[float]) -> None:
    with pytest.raises(Unavailable, match="did not answer"):
        dynamo.get(METRIC_VALUES, KEY)


def test_what_a_batch_leaves_undone_is_done_next(dynamo: Dynamo, stub: Stubber, pauses: list[float]) -> None:
    name = "rallyuxr-local-metricValues"
    requests = [{"PutRequest": {"Item": {"metricId": {"S": each}}}} for each in ("a", "b")]
    stub.add_response(
        "batch_write_item", {"UnprocessedItems": {name: requests[1:]}}, {"RequestItems": {name: requests}}
    )
    stub.add_response("batch_write_item", {"UnprocessedItems": {}}, {"RequestItems": {name: requests[1:]}})
    dynamo.write_many(METRIC_VALUES, (put(METRIC_VALUES, {"metricId": each}) for each in ("a", "b")))
    assert len(pauses) == 1


def test_keys_that_a_batch_did_not_read_are_read_next(dynamo: Dynamo, stub: Stubber, pauses: list[float]) -> None:
    name = "rallyuxr-local-metricValues"
    item: dict[str, Any] = {"metricId": {"S": "a"}}
    stub.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": {name: {"Keys": [item]}}})
    stub.add_response("batch_get_item", {"Responses": {name: [item]}, "UnprocessedKeys": {}})
    assert dynamo.get_many(METRIC_VALUES, [{"metricId": "a"}]) == [{"metricId": "a"}]


def test_every_page_is_followed_and_none_is_read_ahead(dynamo: Dynamo, stub: Stubber) -> None:
    first = {"Items": [{"n": {"N": "1"}}], "LastEvaluatedKey": {"metricId": {"S": "a"}}}
    stub.add_response("query", first)
    found = dynamo.query(METRIC_VALUES, "metricId = :metric", metric="a")
    assert next(found) == {"n": 1}
    stub.assert_no_pending_responses()
    stub.add_response("query", {"Items": [{"n": {"N": "2"}}]})
    assert list(found) == [{"n": 2}]
