"""The account, region and stage that `infra` works on, and its clients."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from rallyuxr.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


class Cloud:
    """One stage in one account and region.

    `keys` are arguments of `boto3.Session`; without them the standard AWS environment decides.
    """

    def __init__(self, settings: Settings, keys: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self._session = boto3.Session(region_name=settings.region, **(keys or {}))  # type: ignore[arg-type]

    def client(self, service: str) -> Any:
        """A client that follows `AWS_ENDPOINT_URL` as the settings read it."""
        return self._session.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.settings.endpoint_url,
            config=Config(retries={"mode": "standard", "max_attempts": 8}),
        )

    @cached_property
    def account(self) -> str:
        return str(self.client("sts").get_caller_identity()["Account"])

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        return self.client("dynamodb")  # type: ignore[no-any-return]

    @cached_property
    def functions(self) -> "LambdaClient":
        return self.client("lambda")  # type: ignore[no-any-return]

    @cached_property
    def s3(self) -> "S3Client":
        return self.client("s3")  # type: ignore[no-any-return]

    @cached_property
    def sqs(self) -> "SQSClient":
        return self.client("sqs")  # type: ignore[no-any-return]

    @cached_property
    def iam(self) -> "IAMClient":
        return self.client("iam")  # type: ignore[no-any-return]

    @cached_property
    def api(self) -> "ApiGatewayV2Client":
        return self.client("apigatewayv2")  # type: ignore[no-any-return]

    @cached_property
    def logs(self) -> "CloudWatchLogsClient":
        return self.client("logs")  # type: ignore[no-any-return]

    @cached_property
    def events(self) -> Any:
        return self.client("events")

    @cached_property
    def alarms(self) -> Any:
        return self.client("cloudwatch")

    @property
    def region(self) -> str:
        return self.settings.region

    @property
    def bucket(self) -> str:
        return self.settings.bucket(self.account)

    def name(self, resource: str) -> str:
        return self.settings.resource(resource)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a regional resource of this account."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def function_arn(self, function: str) -> str:
        return self.arn("lambda", f"function:{self.name(function)}")

    def queue_arn(self, queue: str) -> str:
        return self.arn("sqs", self.name(queue))

    def role_arn(self, function: str) -> str:
        return f"arn:aws:iam::{self.account}:role/{self.name(function)}"
