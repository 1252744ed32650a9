"""The bucket and the queue of failures."""

from typing import Any

from botocore.exceptions import ClientError

from infra.cloud import Cloud
from infra.resources.base import Properties, Resource, is_absent
from infra.specs import FAILURE_RETENTION_DAYS

_LIFECYCLE: Any = [
    {
        "ID": "exports-are-short-lived",
        "Status": "Enabled",
        "Filter": {"Prefix": "exports/"},
        "Expiration": {"Days": 1},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    },
    {
        "ID": "old-versions-are-kept-a-month",
        "Status": "Enabled",
        "Filter": {"Prefix": "aggregates/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
    },
    {  # written anew every minute; whatever they held follows from the rows
        "ID": "old-parquet-is-kept-a-day",
        "Status": "Enabled",
        "Filter": {"Prefix": "aggregates/v1/parquet/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    },
]
_BLOCKED: Any = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_ENCRYPTION: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}


class Bucket(Resource):
    """Aggregates, exports and code: versioned, encrypted, closed to the public."""

    kind = "bucket"
    keeps_data = True

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud, cloud.bucket)

    def wanted(self) -> Properties:
        return {
            "versioning": "Enabled",
            "encryption": "AES256",
            "public": "blocked",
            "lifecycle": _comparable(_LIFECYCLE),
        }

    def read(self) -> Properties | None:
        s3, name = self.cloud.s3, self.name
        try:
            s3.head_bucket(Bucket=name)
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        encryption = self._ask(s3.get_bucket_encryption).get("ServerSideEncryptionConfiguration", {})
        blocked = self._ask(s3.get_public_access_block).get("PublicAccessBlockConfiguration")
        rules = self._ask(s3.get_bucket_lifecycle_configuration).get("Rules", [])
        return {
            "versioning": s3.get_bucket_versioning(Bucket=name).get("Status"),
            "encryption": next(
                (
                    rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
                    for rule in encryption.get("Rules", [])
                ),
                None,
            ),
            "public": "blocked" if blocked == _BLOCKED else "open",
            "lifecycle": _comparable(rules),
        }

    def create(self) -> None:
        arguments: dict[str, Any] = {"Bucket": self.name}
        if self.cloud.region != "us-east-1":
            arguments["CreateBucketConfiguration"] = {"LocationConstraint": self.cloud.region}
        self.cloud.s3.create_bucket(**arguments)

    def update(self, changed: Properties) -> None:
        s3, name = self.cloud.s3, self.name
        if "versioning" in changed:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        if "encryption" in changed:
            s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=_ENCRYPTION)
        if "public" in changed:
            s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=_BLOCKED)
        if "lifecycle" in changed:
            s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": _LIFECYCLE})

    def delete(self) -> None:
        for page in self.cloud.s3.get_paginator("list_object_versions").paginate(Bucket=self.name):
            versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            for version in versions:
                self.cloud.s3.delete_object(Bucket=self.name, Key=version["Key"], VersionId=version["VersionId"])
        self.cloud.s3.delete_bucket(Bucket=self.name)

    def _ask(self, question: Any) -> dict[str, Any]:
        """The answer of one of S3's configuration calls; empty where it was never configured."""
        try:
            return dict(question(Bucket=self.name))
        except ClientError as error:
            if is_absent(error):
                return {}
            raise


class Queue(Resource):
    """Records that no function could process, kept until a person looked."""

    kind = "queue"
    keeps_data = True

    def __init__(self, cloud: Cloud, name: str) -> None:
        super().__init__(cloud, cloud.name(name))

    def wanted(self) -> Properties:
        return {
            "MessageRetentionPeriod": str(FAILURE_RETENTION_DAYS * 86_400),
            "SqsManagedSseEnabled": "true",
        }

    def read(self) -> Properties | None:
        try:
            there = self.cloud.sqs.get_queue_attributes(QueueUrl=self._url(), AttributeNames=["All"])
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        attributes: dict[str, str] = {str(key): value for key, value in there["Attributes"].items()}
        return {key: attributes.get(key) for key in self.wanted()}

    def create(self) -> None:
        attributes: Any = self.wanted()
        self.cloud.sqs.create_queue(QueueName=self.name, Attributes=attributes)

    def update(self, changed: Properties) -> None:
        attributes: Any = changed
        self.cloud.sqs.set_queue_attributes(QueueUrl=self._url(), Attributes=attributes)

    def delete(self) -> None:
        self.cloud.sqs.delete_queue(QueueUrl=self._url())

    def _url(self) -> str:
        return self.cloud.sqs.get_queue_url(QueueName=self.name)["QueueUrl"]


def _comparable(rules: Any) -> dict[str, dict[str, Any]]:
    """What the rules say, by their names, without what the cloud adds to them."""
    return {
        rule["ID"]: {
            "status": rule.get("Status"),
            "prefix": rule.get("Filter", {}).get("Prefix"),
            "days": rule.get("Expiration", {}).get("Days"),
            "noncurrentDays": rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays"),
        }
        for rule in rules
    }
