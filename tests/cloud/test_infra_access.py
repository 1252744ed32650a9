"""Each function may do what its policy says, and no more."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra import access, specs
from infra.cloud import Cloud
from rallyuxr.local import Deployment
from rallyuxr.settings import Settings

FUNCTIONS = {function.name: function for function in specs.FUNCTIONS}


@pytest.fixture
def keys_of(deployed: Deployment) -> Iterator[Any]:
    """Gives a session with keys that may do exactly what a deployed function may."""
    iam = boto3.client("iam")
    made: list[tuple[str, str]] = []

    def session(function: str) -> boto3.Session:
        name = f"as-{function}"
        role = iam.get_role_policy(RoleName=f"rallyuxr-local-{function}", PolicyName="access")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="access", PolicyDocument=json.dumps(role["PolicyDocument"]))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        made.append((name, key["AccessKeyId"]))
        return boto3.Session(
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            region_name="us-east-1",
        )

    yield session
    for name, key in made:
        iam.delete_access_key(UserName=name, AccessKeyId=key)
        iam.delete_user_policy(UserName=name, PolicyName="access")
        iam.delete_user(UserName=name)


def refused(call: Any, **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}
    return False


def test_no_policy_holds_a_wildcard_of_actions_or_leaves_its_stage() -> None:
    cloud = Cloud(Settings(stage="mine", endpoint_url="http://127.0.0.1:1"))
    cloud.__dict__["account"] = "123456789012"
    for function in specs.FUNCTIONS:
        for statement in access.policy(function.may, cloud)["Statement"]:
            assert not [action for action in statement["Action"] if "*" in action]
            assert all("rallyuxr-mine-" in resource for resource in statement["Resource"])


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_no_function_may_scan_drop_or_administer(function: str) -> None:
    actions = {action for statement in FUNCTIONS[function].may for action in statement.actions}
    assert not {action for action in actions if action.startswith(("Scan", "DeleteTable", "Update", "Create"))} - {
        "UpdateItem"
    }


def test_the_analysis_reads_results_and_cannot_touch_orders_or_prices(keys_of: Any) -> None:
    dynamodb = keys_of("analysisProcessor").client("dynamodb")
    results = {"experimentId": {"S": "x"}, "metricTimepoint": {"S": "y"}}
    assert not refused(dynamodb.get_item, TableName="rallyuxr-local-experimentResults", Key=results)
    assert refused(
        dynamodb.get_item,
        TableName="rallyuxr-local-orders",
        Key={"merchantDay": {"S": "x"}, "orderKey": {"S": "y"}},
    )
    price = {"metricId": {"S": "x"}}
    assert not refused(dynamodb.get_item, TableName="rallyuxr-local-metricValues", Key=price)
    assert refused(dynamodb.put_item, TableName="rallyuxr-local-metricValues", Item=price)
    assert refused(dynamodb.scan, TableName="rallyuxr-local-experimentResults")


def test_the_aggregator_writes_aggregates_and_nothing_else_of_the_bucket(keys_of: Any) -> None:
    session = keys_of("orderAggregator")
    s3, bucket = session.client("s3"), "rallyuxr-local-000000000000-us-east-1"
    assert not refused(s3.put_object, Bucket=bucket, Key="aggregates/test", Body=b"")
    assert refused(s3.put_object, Bucket=bucket, Key="exports/test", Body=b"")
    assert refused(s3.delete_object, Bucket=bucket, Key="aggregates/test")
    assert refused(session.client("sqs").purge_queue, QueueUrl=_failures())


def test_the_api_starts_functions_and_cannot_change_them(keys_of: Any) -> None:
    functions = keys_of("api").client("lambda")
    name = "rallyuxr-local-resultsGenerator"
    assert not refused(functions.get_function_configuration, FunctionName=name)
    assert refused(functions.update_function_configuration, FunctionName=name, Timeout=1)
    assert refused(functions.invoke, FunctionName="rallyuxr-local-api", Payload=b"{}")


def _failures() -> str:
    return str(boto3.client("sqs").get_queue_url(QueueName="rallyuxr-local-failures")["QueueUrl"])
