"""What a function may do, as data: statements that become one least-privilege IAM policy.

A statement names what the code does (read a table, write objects under a prefix), never a wildcard of
actions, never a resource of another stage.
"""

from dataclasses import dataclass
from typing import Any

from infra.cloud import Cloud
from rallyuxr.store.tables import Table

READ = ("GetItem", "BatchGetItem", "Query")
WRITE = ("PutItem", "UpdateItem", "BatchWriteItem", "ConditionCheckItem")
REMOVE = ("DeleteItem",)
DESCRIBE = ("DescribeTable",)


@dataclass(frozen=True, slots=True)
class Statement:
    """Actions of one service on resources, each named as the service's ARN names it.

    `{bucket}` and `{prefix}` in a resource stand for the stage's bucket and name prefix.
    """

    service: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def document(self, cloud: Cloud) -> dict[str, Any]:
        """This statement as IAM writes it."""
        prefix = cloud.name("")
        names = [r.format(bucket=cloud.bucket, prefix=prefix) for r in self.resources]
        arns = [f"arn:aws:s3:::{n}" if self.service == "s3" else cloud.arn(self.service, n) for n in names]
        return {
            "Effect": "Allow",
            "Action": [f"{self.service}:{action}" for action in self.actions],
            "Resource": arns,
        }


def tables(actions: tuple[str, ...], *which: Table) -> Statement:
    """Items of tables and of their indexes."""
    names = [f"table/{{prefix}}{table.name}" for table in which]
    indexes = [f"table/{{prefix}}{table.name}/index/*" for table in which if table.indexes]
    return Statement("dynamodb", actions, (*names, *indexes))


def stream(table: Table) -> Statement:
    """The change stream of a table."""
    actions = ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")
    return Statement("dynamodb", actions, (f"table/{{prefix}}{table.name}/stream/*",))


def objects(actions: tuple[str, ...], *prefixes: str) -> Statement:
    """Objects of the bucket under the prefixes."""
    return Statement("s3", actions, tuple(f"{{bucket}}/{prefix}*" for prefix in prefixes))


def listing() -> Statement:
    """The bucket's list of objects; without it a missing object reads as 403 instead of 404."""
    return Statement("s3", ("ListBucket",), ("{bucket}",))


def queue(name: str, *actions: str) -> Statement:
    """A queue of the stage."""
    return Statement("sqs", actions, (f"{{prefix}}{name}",))


def functions(actions: tuple[str, ...], *names: str) -> Statement:
    """Other functions of the stage."""
    return Statement("lambda", actions, tuple(f"function:{{prefix}}{name}" for name in names))


def logs(function: str) -> Statement:
    """The function's own log group, which `infra` creates."""
    return Statement(
        "logs", ("CreateLogStream", "PutLogEvents"), (f"log-group:/aws/lambda/{{prefix}}{function}:*",)
    )


def policy(statements: tuple[Statement, ...], cloud: Cloud) -> dict[str, Any]:
    """The IAM policy of the statements."""
    return {"Version": "2012-10-17", "Statement": [s.document(cloud) for s in statements]}
