"""Plan, apply, status and destroy, against the embedded cloud."""

import json
import os
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from infra import bundle, specs
from infra.__main__ import main
from infra.cloud import Cloud
from infra.plan import apply, plan, stack
from infra.resources.base import Resource
from rallyuxr.local import Deployment
from rallyuxr.settings import Settings
from rallyuxr.store.tables import TABLES

IDENTITY = bundle.layer_identity(specs.COMPUTING)


def resources_of(deployment: Deployment) -> list[Resource]:
    settings = Settings(stage=deployment.stage, endpoint_url=deployment.endpoint.url)
    return stack(Cloud(settings, deployment.endpoint.keys()))


@pytest.mark.slow
def test_plan_says_what_apply_does_and_a_second_apply_does_nothing(own_account: Deployment) -> None:
    settings = Settings(stage="twice", endpoint_url=own_account.endpoint.url)
    resources = stack(Cloud(settings))
    planned = plan(resources)
    assert {change.action for change in planned} == {"create"}
    assert len(planned) == len(resources)
    assert apply(resources) == planned
    assert plan(resources) == []
    assert apply(resources) == []


@pytest.mark.slow
def test_drift_is_named_and_mended(own_account: Deployment) -> None:
    resources = resources_of(own_account)
    apply(resources)
    function = "rallyuxr-local-analysisProcessor"
    boto3.client("lambda").update_function_configuration(FunctionName=function, Timeout=7)
    everything = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    boto3.client("iam").put_role_policy(
        RoleName=function, PolicyName="access", PolicyDocument=json.dumps(everything)
    )
    boto3.client("dynamodb").update_table(TableName="rallyuxr-local-orders", DeletionProtectionEnabled=False)
    drift = {change.title: change for change in plan(resources)}
    assert drift[f"function {function}"].differences == {"Timeout": (7, 300)}
    assert set(drift) == {f"function {function}", f"role {function}", "table rallyuxr-local-orders"}
    apply(resources)
    assert plan(resources) == []


@pytest.mark.slow
def test_what_nobody_asked_for_is_taken_away_again(own_account: Deployment) -> None:
    """Settings that the specification does not have, and rules that say something else."""
    resources = resources_of(own_account)
    apply(resources)
    dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
    prices, audit = "rallyuxr-local-metricValues", "rallyuxr-local-audit"
    dynamodb.update_time_to_live(
        TableName=audit, TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone"}
    )
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    dynamodb.update_table(TableName=prices, StreamSpecification=stream)
    dynamodb.update_table(
        TableName=prices,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("metricId", "unit")],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "byUnit",
                    "KeySchema": [
                        {"AttributeName": "unit", "KeyType": "HASH"},
                        {"AttributeName": "metricId", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    )
    (bucket,) = (resource for resource in resources if resource.kind == "bucket")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    rules[0]["Expiration"] = {"Days": 90}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration={"Rules": rules})
    drift = {change.title: str(change) for change in plan(resources)}
    assert drift.keys() == {f"table {prices}", f"table {audit}", bucket.title}
    assert "expiresBy: 'gone' -> None" in drift[f"table {audit}"]
    assert "indexes.byUnit: ['unit', 'metricId'] -> None" in drift[f"table {prices}"]
    assert "lifecycle.exports-are-short-lived.days: 90 -> 1" in drift[bucket.title]
    apply(resources)
    assert plan(resources) == []


@pytest.mark.slow
def test_what_apply_prints_is_what_plan_printed(
    own_account: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new layer is published before the functions that use it are compared by eye, and not before by us."""
    archives = {layer: bundle.build_layer(layer) for layer in specs.LAYERS}
    identities = {layer: bundle.layer_identity(layer) for layer in specs.LAYERS} | {specs.COMPUTING: "another-lock"}
    monkeypatch.setattr(bundle, "layer_identity", identities.__getitem__)
    monkeypatch.setattr(bundle, "build_layer", archives.__getitem__)
    boto3.client("lambda").delete_function(FunctionName="rallyuxr-local-api")
    printed = []
    for command in ("plan", "apply"):
        assert main([command, "--stage", "local"]) == 0
        printed.append(capsys.readouterr().out.splitlines())
    planned, applied = printed
    assert planned[:-2] == applied[:-2]
    assert "create function rallyuxr-local-api" in planned
    assert planned.count(f"    layers: ['{IDENTITY}'] -> ['another-lock']") == 4
    assert planned[-2].replace("to make", "made") == applied[-2]
    assert planned[-1] == applied[-1]
    assert main(["apply", "--stage", "local"]) == 0
    assert "Nothing to do." in capsys.readouterr().out


@pytest.mark.slow
def test_destroy_asks_first_and_keeps_the_data(own_account: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    dynamodb = boto3.client("dynamodb")
    table = "rallyuxr-local-metricValues"
    dynamodb.put_item(TableName=table, Item={"metricId": {"S": "kept"}})

    assert main(["destroy", "--stage", "local"]) == 2
    said = capsys.readouterr()
    assert "delete function rallyuxr-local-api" in said.out
    assert "table" not in said.out
    assert "--yes" in said.err

    assert main(["destroy", "--stage", "local", "--yes"]) == 0
    assert boto3.client("lambda").list_functions()["Functions"] == []
    assert dynamodb.get_item(TableName=table, Key={"metricId": {"S": "kept"}})["Item"]

    assert main(["apply", "--stage", "local"]) == 0
    assert main(["destroy", "--stage", "local", "--yes", "--delete-data"]) == 0
    assert dynamodb.list_tables()["TableNames"] == []
    assert main(["status", "--stage", "local"]) == 1


@pytest.mark.parametrize(
    ("endpoint", "options", "reason"),
    [
        (None, ["--target", "local"], "AWS_ENDPOINT_URL"),
        (None, [], "AWS_ENDPOINT_URL"),
        ("http://127.0.0.1:1", ["--target", "aws"], "Unset it"),
        (None, ["--target", "aws"], "--allow-open-api prod"),
        (None, ["--target", "aws", "--allow-open-api", "staging"], "--allow-open-api prod"),
        (None, ["--target", "aws", "--jwt-issuer", "https://id.example"], "belong together"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_aws_is_touched_only_when_told_and_never_left_open(
    command: str,
    endpoint: str | None,
    options: list[str],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert main([command, "--stage", "prod", *options]) == 2
    assert reason in capsys.readouterr().err


def test_every_table_of_the_specification_is_there_and_protected(deployed: Deployment) -> None:
    dynamodb = boto3.client("dynamodb")
    for table in TABLES:
        there = dynamodb.describe_table(TableName=f"rallyuxr-local-{table.name}")["Table"]
        assert there["DeletionProtectionEnabled"]
        assert there["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        assert bool(there.get("LatestStreamArn")) == table.stream


def test_nothing_here_can_reach_real_aws(deployed: Deployment) -> None:
    assert os.environ["AWS_ENDPOINT_URL"] == deployed.endpoint.url
    assert boto3.client("s3").meta.endpoint_url == deployed.endpoint.url
    assert replace(deployed.endpoint).account == boto3.client("sts").get_caller_identity()["Account"]
    assert not Path(os.environ["AWS_CONFIG_FILE"]).is_file()
