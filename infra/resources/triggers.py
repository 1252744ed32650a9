"""What starts a function: change records of a table, and the clock."""

import json
from typing import Any

from botocore.exceptions import ClientError

from infra import specs
from infra.cloud import Cloud
from infra.resources.base import Properties, Resource, is_absent
from infra.resources.patience import once_possible, role_unsettled
from infra.resources.tables import DynamoTable


class Mapping(Resource):
    """Change records of a table that start a function, from the oldest one still kept."""

    kind = "mapping"

    def __init__(self, cloud: Cloud, mapping: specs.StreamMapping) -> None:
        super().__init__(cloud, f"{cloud.name(mapping.table.name)} -> {mapping.function}")
        self.mapping = mapping
        self.function = cloud.name(mapping.function)

    def wanted(self) -> Properties:
        mapping = self.mapping
        patterns = [json.dumps(mapping.pattern, sort_keys=True)] if mapping.pattern else []
        return {
            "BatchSize": mapping.batch_size,
            "FilterCriteria": {"Filters": [{"Pattern": pattern} for pattern in patterns]},
            "MaximumRetryAttempts": mapping.retries,
            "MaximumRecordAgeInSeconds": mapping.record_age_seconds,
            "BisectBatchOnFunctionError": True,
            "ParallelizationFactor": 1,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "DestinationConfig": {"OnFailure": {"Destination": self.cloud.queue_arn(specs.FAILURES)}},
        }

    def read(self) -> Properties | None:
        there = self._find()
        if there is None:
            return None
        read = {key: there.get(key) for key in self.wanted()}
        return read | {"FilterCriteria": there.get("FilterCriteria") or {"Filters": []}}

    def create(self) -> None:
        stream = DynamoTable(self.cloud, self.mapping.table).stream_arn()
        arguments: dict[str, Any] = {"EventSourceArn": stream, "StartingPosition": "TRIM_HORIZON"}
        arguments |= self.wanted()
        create = self.cloud.functions.create_event_source_mapping
        once_possible(lambda: create(FunctionName=self.function, **arguments), role_unsettled)

    def update(self, changed: Properties) -> None:
        there = self._find() or {}
        self.cloud.functions.update_event_source_mapping(UUID=there["UUID"], **changed)

    def delete(self) -> None:
        there = self._find() or {}
        self.cloud.functions.delete_event_source_mapping(UUID=there["UUID"])

    def _find(self) -> dict[str, Any] | None:
        stream = DynamoTable(self.cloud, self.mapping.table).stream_arn()
        if stream is None:
            return None
        try:
            found = self.cloud.functions.list_event_source_mappings(
                FunctionName=self.function, EventSourceArn=stream
            )["EventSourceMappings"]
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        return dict(found[0]) if found else None


class Schedule(Resource):
    """A rule of the clock that starts a function."""

    kind = "schedule"

    def __init__(self, cloud: Cloud, schedule: specs.Schedule) -> None:
        super().__init__(cloud, cloud.name(f"{schedule.function}-schedule"))
        self.schedule = schedule

    def wanted(self) -> Properties:
        return {
            "expression": self.schedule.expression,
            "state": "ENABLED",
            "target": [self.cloud.function_arn(self.schedule.function)],
            "permission": True,
        }

    def read(self) -> Properties | None:
        events = self.cloud.events
        try:
            rule = events.describe_rule(Name=self.name)
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        targets = events.list_targets_by_rule(Rule=self.name)["Targets"]
        return {
            "expression": rule.get("ScheduleExpression"),
            "state": rule.get("State"),
            "target": [target["Arn"] for target in targets],
            "permission": allowed(self.cloud, self.schedule.function, self.name) == self._rule_arn(),
        }

    def create(self) -> None:
        self.cloud.events.put_rule(Name=self.name, ScheduleExpression=self.schedule.expression)

    def update(self, changed: Properties) -> None:
        if {"expression", "state"} & changed.keys():
            self.create()
        if "target" in changed:
            target = {"Id": "function", "Arn": self.cloud.function_arn(self.schedule.function)}
            self.cloud.events.put_targets(Rule=self.name, Targets=[target])
        if "permission" in changed:
            allow(self.cloud, self.schedule.function, self.name, "events.amazonaws.com", self._rule_arn())

    def delete(self) -> None:
        targets = self.cloud.events.list_targets_by_rule(Rule=self.name)["Targets"]
        if targets:
            self.cloud.events.remove_targets(Rule=self.name, Ids=[target["Id"] for target in targets])
        self.cloud.events.delete_rule(Name=self.name)

    def _rule_arn(self) -> str:
        return self.cloud.arn("events", f"rule/{self.name}")


def allowed(cloud: Cloud, function: str, statement_id: str) -> str | None:
    """The source that the named statement lets start the function; None if there is no such statement."""
    try:
        policy = json.loads(cloud.functions.get_policy(FunctionName=cloud.name(function))["Policy"])
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    for statement in policy["Statement"]:
        if statement["Sid"] == statement_id:
            return str(statement["Condition"]["ArnLike"]["AWS:SourceArn"])
    return None


def allow(cloud: Cloud, function: str, statement_id: str, service: str, source: str) -> None:
    """Let a service start the function on behalf of one source, in place of what the statement said."""
    name = cloud.name(function)
    if allowed(cloud, function, statement_id) is not None:
        cloud.functions.remove_permission(FunctionName=name, StatementId=statement_id)
    cloud.functions.add_permission(
        FunctionName=name,
        StatementId=statement_id,
        Action="lambda:InvokeFunction",
        Principal=service,
        SourceArn=source,
    )
