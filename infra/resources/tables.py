"""DynamoDB tables."""

from typing import Any

from botocore.exceptions import ClientError

from infra.cloud import Cloud
from infra.resources.base import Properties, Resource, is_absent
from infra.resources.patience import backups_unsettled, once_possible
from rallyuxr.errors import Conflict
from rallyuxr.store.tables import Index, Table

_PATIENCE: Any = {"Delay": 0.5, "MaxAttempts": 1200}


class DynamoTable(Resource):
    """A table as `rallyuxr.store.tables` specifies it, protected from deletion."""

    kind = "table"
    keeps_data = True

    def __init__(self, cloud: Cloud, table: Table) -> None:
        super().__init__(cloud, cloud.name(table.name))
        self.table = table

    def wanted(self) -> Properties:
        table = self.table
        keys = [table.partition_key] if table.sort_key is None else [table.partition_key, table.sort_key]
        types = {table.partition_key: "S"} | ({table.sort_key: table.sort_key_type} if table.sort_key else {})
        return {
            "keys": keys,
            "keyTypes": types,
            "indexes": {index.name: [index.partition_key, index.sort_key] for index in table.indexes},
            "stream": "NEW_AND_OLD_IMAGES" if table.stream else None,
            "expiresBy": table.ttl_attribute,
            "pointInTimeRecovery": True,
            "deletionProtection": True,
        }

    def read(self) -> Properties | None:
        dynamodb = self.cloud.dynamodb
        try:
            there = dynamodb.describe_table(TableName=self.name)["Table"]
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        ttl = dynamodb.describe_time_to_live(TableName=self.name)["TimeToLiveDescription"]
        backups = dynamodb.describe_continuous_backups(TableName=self.name)["ContinuousBackupsDescription"]
        recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
        types = {a["AttributeName"]: a["AttributeType"] for a in there["AttributeDefinitions"]}
        keys = _key_names(there["KeySchema"])
        return {
            "keys": keys,
            "keyTypes": {key: types[key] for key in keys},
            "indexes": {
                index["IndexName"]: _key_names(index["KeySchema"])
                for index in there.get("GlobalSecondaryIndexes", [])
            },
            "stream": there.get("StreamSpecification", {}).get("StreamViewType"),
            "expiresBy": ttl.get("AttributeName") if ttl.get("TimeToLiveStatus") in _EXPIRING else None,
            "pointInTimeRecovery": recovery == "ENABLED",
            "deletionProtection": there.get("DeletionProtectionEnabled", False),
        }

    def create(self) -> None:
        table = self.table
        arguments: dict[str, Any] = {
            "TableName": self.name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": _key_schema(table.partition_key, table.sort_key),
            "AttributeDefinitions": self._attributes(),
            "DeletionProtectionEnabled": True,
        }
        if table.indexes:
            arguments["GlobalSecondaryIndexes"] = [_index(index) for index in table.indexes]
        if table.stream:
            arguments["StreamSpecification"] = _STREAM
        self.cloud.dynamodb.create_table(**arguments)
        self._wait()

    def update(self, changed: Properties) -> None:
        if "keys" in changed or "keyTypes" in changed:
            raise Conflict(
                f"{self.title} exists with other keys ({self.read()}), and keys cannot change. "
                "Export its items, delete the table, apply again and import them."
            )
        dynamodb, name = self.cloud.dynamodb, self.name
        if "indexes" in changed:
            self._put_indexes()
        if "stream" in changed:
            dynamodb.update_table(TableName=name, StreamSpecification=_STREAM if changed["stream"] else _NO_STREAM)
            self._wait()
        if "expiresBy" in changed:
            self._put_expiry(changed["expiresBy"])
        if "pointInTimeRecovery" in changed:
            once_possible(
                lambda: dynamodb.update_continuous_backups(
                    TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
                ),
                backups_unsettled,
            )
        if "deletionProtection" in changed:
            dynamodb.update_table(TableName=name, DeletionProtectionEnabled=True)
            self._wait()

    def delete(self) -> None:
        self.cloud.dynamodb.update_table(TableName=self.name, DeletionProtectionEnabled=False)
        self._wait()
        self.cloud.dynamodb.delete_table(TableName=self.name)
        self.cloud.dynamodb.get_waiter("table_not_exists").wait(TableName=self.name, WaiterConfig=_PATIENCE)

    def stream_arn(self) -> str | None:
        """The ARN of the table's stream; None while there is no table."""
        try:
            return self.cloud.dynamodb.describe_table(TableName=self.name)["Table"].get("LatestStreamArn")
        except ClientError as error:
            if is_absent(error):
                return None
            raise

    def _put_indexes(self) -> None:
        """Drop what is not wanted and add what is missing, one at a time as the cloud demands."""
        there, wanted = (self.read() or {})["indexes"], self.wanted()["indexes"]
        for name in (name for name, keys in there.items() if wanted.get(name) != keys):
            self._change_index({"Delete": {"IndexName": name}})
        for index in self.table.indexes:
            if there.get(index.name) != wanted[index.name]:
                self._change_index({"Create": _index(index)})

    def _change_index(self, change: Any) -> None:
        self.cloud.dynamodb.update_table(
            TableName=self.name, AttributeDefinitions=self._attributes(), GlobalSecondaryIndexUpdates=[change]
        )
        self._wait()

    def _put_expiry(self, attribute: str | None) -> None:
        """Let items expire by an attribute; the one that they expired by so far is let go first."""
        before = (self.read() or {})["expiresBy"]
        for enabled, named in ((False, before), (True, attribute)):
            if named:
                self.cloud.dynamodb.update_time_to_live(
                    TableName=self.name,
                    TimeToLiveSpecification={"Enabled": enabled, "AttributeName": named},
                )

    def _attributes(self) -> Any:
        table = self.table
        names = {table.partition_key: "S"}
        if table.sort_key is not None:
            names[table.sort_key] = table.sort_key_type
        for index in table.indexes:
            names |= {index.partition_key: "S", index.sort_key: "S"}
        return [{"AttributeName": name, "AttributeType": kind} for name, kind in names.items()]

    def _wait(self) -> None:
        self.cloud.dynamodb.get_waiter("table_exists").wait(TableName=self.name, WaiterConfig=_PATIENCE)


_STREAM: Any = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
_EXPIRING = ("ENABLED", "ENABLING")
_NO_STREAM: Any = {"StreamEnabled": False}


def _key_schema(partition_key: str, sort_key: str | None) -> Any:
    schema = [{"AttributeName": partition_key, "KeyType": "HASH"}]
    return schema + ([{"AttributeName": sort_key, "KeyType": "RANGE"}] if sort_key else [])


def _key_names(schema: Any) -> list[str]:
    return [key["AttributeName"] for key in sorted(schema, key=lambda key: key["KeyType"])]


def _index(index: Index) -> Any:
    return {
        "IndexName": index.name,
        "KeySchema": _key_schema(index.partition_key, index.sort_key),
        "Projection": {"ProjectionType": index.projection},
    }
