"""What AWS does and the embedded cloud does not: settling roles and backups, other regions, tokens."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from infra.__main__ import main
from infra.cloud import Cloud
from infra.plan import apply, plan, stack
from infra.resources import patience
from infra.resources.api import Tokens
from infra.resources.tables import DynamoTable
from infra.resources.triggers import Mapping
from infra.specs import MAPPINGS
from rallyuxr.local import Deployment, deploy
from rallyuxr.settings import Settings
from rallyuxr.store.tables import ORDERS

TOKENS = Tokens("https://id.example.com", "rallyuxr")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def aws() -> Cloud:
    cloud = Cloud(Settings(stage="prod", region="eu-west-1", endpoint_url="http://127.0.0.1:1"))
    cloud.__dict__["account"] = "123456789012"
    return cloud


@pytest.fixture
def table_stub(aws: Cloud) -> Iterator[Stubber]:
    with Stubber(aws.dynamodb) as stub:
        yield stub
        stub.assert_no_pending_responses()


def test_backups_that_are_not_ready_yet_are_asked_for_again(aws: Cloud, table_stub: Stubber) -> None:
    code = "ContinuousBackupsUnavailableException"
    table_stub.add_client_error("update_continuous_backups", code, "Backups are being enabled for the table")
    table_stub.add_response("update_continuous_backups", {})
    DynamoTable(aws, ORDERS).update({"pointInTimeRecovery": True})


def test_a_role_that_lambda_does_not_know_yet_is_tried_again(aws: Cloud, table_stub: Stubber) -> None:
    stream = {"Table": {"LatestStreamArn": aws.arn("dynamodb", "table/rallyuxr-prod-orders/stream/1")}}
    table_stub.add_response("describe_table", stream)
    with Stubber(aws.functions) as functions:
        unsettled = "Cannot access stream. Please ensure the role can perform the GetRecords action."
        functions.add_client_error("create_event_source_mapping", "InvalidParameterValueException", unsettled)
        functions.add_response("create_event_source_mapping", {})
        Mapping(aws, MAPPINGS[1]).create()
        functions.assert_no_pending_responses()


def test_another_refusal_is_not_repeated() -> None:
    calls = []

    def refuse() -> Any:
        calls.append(1)
        answer: Any = {"Error": {"Code": "InvalidParameterValueException", "Message": "Memory is too small"}}
        raise ClientError(answer, "CreateFunction")

    with pytest.raises(ClientError, match="Memory is too small"):
        patience.once_possible(refuse, patience.role_unsettled)
    assert len(calls) == 1


@pytest.mark.slow
def test_a_stage_in_another_region_is_the_same(deployed: Deployment) -> None:
    settings = Settings(stage="far", region="eu-west-1", endpoint_url=deployed.endpoint.url)
    resources = stack(Cloud(settings, deployed.endpoint.keys()))
    apply(resources)
    assert plan(resources) == []


def test_with_an_issuer_the_api_answers_nobody_without_its_token(deployed: Deployment) -> None:
    assert _status(deployed.api_url) != 401
    guarded = deploy(deployed.endpoint, stage="guarded", tokens=TOKENS)
    assert _status(guarded.api_url) == 401
    environment = _environment_of("rallyuxr-guarded-api")
    assert environment["RALLYUXR_API_AUTH"] == "jwt"


@pytest.mark.slow
def test_the_command_line_gives_issuer_and_audience_to_the_api(
    own_account: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--stage", "local", "--jwt-issuer", TOKENS.issuer, "--jwt-audience", TOKENS.audience]
    assert main(["plan", *options]) == 0
    said = capsys.readouterr().out
    assert "authorizer: None -> ['https://id.example.com', 'rallyuxr']" in said
    assert "Environment.Variables.RALLYUXR_API_AUTH: 'open' -> 'jwt'" in said


def _status(api_url: str) -> int:
    try:
        with urllib.request.urlopen(f"{api_url}/health") as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def _environment_of(function: str) -> dict[str, str]:
    there = boto3.client("lambda").get_function_configuration(FunctionName=function)
    return dict(there["Environment"]["Variables"])
