"""What each function may do, and where it logs."""

import json
from typing import Any

from botocore.exceptions import ClientError

from infra import access, specs
from infra.cloud import Cloud
from infra.resources.base import Properties, Resource, is_absent

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


class Role(Resource):
    """What one function may do, and nothing else."""

    kind = "role"

    def __init__(self, cloud: Cloud, function: specs.Function) -> None:
        super().__init__(cloud, cloud.name(function.name))
        self.function = function

    def wanted(self) -> Properties:
        statements = (*self.function.may, access.logs(self.function.name))
        return {"trust": _TRUST, "policy": access.policy(statements, self.cloud)}

    def read(self) -> Properties | None:
        iam = self.cloud.iam
        try:
            trust: Any = iam.get_role(RoleName=self.name)["Role"]["AssumeRolePolicyDocument"]
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        return {"trust": trust, "policy": self._policy()}

    def create(self) -> None:
        self.cloud.iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=json.dumps(_TRUST))

    def update(self, changed: Properties) -> None:
        iam = self.cloud.iam
        if "trust" in changed:
            iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=json.dumps(_TRUST))
        if "policy" in changed:
            policy = json.dumps(changed["policy"])
            iam.put_role_policy(RoleName=self.name, PolicyName="access", PolicyDocument=policy)

    def delete(self) -> None:
        if self._policy() is not None:
            self.cloud.iam.delete_role_policy(RoleName=self.name, PolicyName="access")
        self.cloud.iam.delete_role(RoleName=self.name)

    def _policy(self) -> Any:
        try:
            return self.cloud.iam.get_role_policy(RoleName=self.name, PolicyName="access")["PolicyDocument"]
        except ClientError as error:
            if is_absent(error):
                return None
            raise


class LogGroup(Resource):
    """A function's log, kept a limited time."""

    kind = "log group"

    def __init__(self, cloud: Cloud, function: specs.Function) -> None:
        super().__init__(cloud, f"/aws/lambda/{cloud.name(function.name)}")

    def wanted(self) -> Properties:
        return {"retentionDays": specs.LOG_RETENTION_DAYS}

    def read(self) -> Properties | None:
        groups = self.cloud.logs.describe_log_groups(logGroupNamePrefix=self.name)["logGroups"]
        mine = next((group for group in groups if group["logGroupName"] == self.name), None)
        return None if mine is None else {"retentionDays": mine.get("retentionInDays")}

    def create(self) -> None:
        self.cloud.logs.create_log_group(logGroupName=self.name)

    def update(self, changed: Properties) -> None:
        self.cloud.logs.put_retention_policy(logGroupName=self.name, retentionInDays=changed["retentionDays"])

    def delete(self) -> None:
        self.cloud.logs.delete_log_group(logGroupName=self.name)
