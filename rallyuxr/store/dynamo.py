"""DynamoDB as the repositories use it: plain values in and out, every page followed, intent in conditions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rallyuxr.errors import Unavailable
from rallyuxr.store.attributes import Item, from_attributes, to_attribute, to_attributes
from rallyuxr.store.cloud import Cloud
from rallyuxr.store.faults import ATTEMPTS, ConditionFailed, pause
from rallyuxr.store.tables import Table

WRITES_PER_BATCH = 25
READS_PER_BATCH = 100
WRITES_PER_TRANSACTION = 100
BATCH_BYTES = 8_000_000
LARGEST_PAGE = 200
Parameters = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Write:
    """One intended change, alone or in a transaction.

    `values` fill the placeholders of `condition` and `update` (`:name`), `names` those of reserved words (`#name`).
    """

    kind: Literal["Put", "Update", "Delete"]
    table: Table
    content: Mapping[str, Any]
    update: str | None = None
    condition: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def put(table: Table, item: Mapping[str, Any], condition: str | None = None, **values: Any) -> Write:
    """Store a whole item where `condition` holds."""
    return Write("Put", table, item, condition=condition, values=values)


def create(table: Table, item: Mapping[str, Any]) -> Write:
    """Store an item where there is none yet."""
    return Write("Put", table, item, condition="attribute_not_exists(#key)", names={"#key": table.partition_key})


def replace(table: Table, item: Mapping[str, Any], *, expected_version: int) -> Write:
    """Store an item over the version that was read."""
    return Write(
        "Put",
        table,
        item,
        condition="#version = :expected",
        values={"expected": expected_version},
        names={"#version": "version"},
    )


def update(
    table: Table,
    key: Mapping[str, Any],
    expression: str,
    *,
    condition: str | None = None,
    names: Mapping[str, str] | None = None,
    **values: Any,
) -> Write:
    """Change attributes of an item where `condition` holds."""
    return Write("Update", table, key, update=expression, condition=condition, values=values, names=names or {})


def delete(table: Table, key: Mapping[str, Any]) -> Write:
    """Remove an item."""
    return Write("Delete", table, key)


class Dynamo:
    """The tables of one deployment."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def get(self, table: Table, key: Mapping[str, Any], *, consistent: bool = True) -> Item | None:
        """The item under `key`, or None."""
        answer = self._call(
            "get_item", TableName=self._name(table), Key=to_attributes(key), ConsistentRead=consistent
        )
        return from_attributes(answer["Item"]) if "Item" in answer else None

    def get_many(self, table: Table, keys: Sequence[Mapping[str, Any]]) -> list[Item]:
        """Those items of `keys` that exist, in no particular order."""
        found: list[Item] = []
        name = self._name(table)
        for start in range(0, len(keys), READS_PER_BATCH):
            wanted = {
                name: {
                    "Keys": [to_attributes(key) for key in keys[start : start + READS_PER_BATCH]],
                    "ConsistentRead": True,
                }
            }
            for answer in self._until_done("batch_get_item", wanted, "UnprocessedKeys"):
                found += [from_attributes(item) for item in answer["Responses"].get(name, [])]
        return found

    def query(
        self,
        table: Table,
        condition: str,
        *,
        index: str | None = None,
        newest_first: bool = False,
        page_size: int | None = None,
        consistent: bool = False,
        projection: Sequence[str] = (),
        names: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Iterator[Item]:
        """The items of one partition in key order; a page is read when its first item is asked for.

        The first page has `page_size` items, each further one twice as many up to `LARGEST_PAGE`.
        """
        parameters = self._partition(table, condition, values, index=index, newest_first=newest_first)
        parameters["ConsistentRead"] = consistent
        aliases = {f"#p{place}": name for place, name in enumerate(projection)}
        if projection:
            parameters["ProjectionExpression"] = ", ".join(aliases)
        if names or aliases:
            parameters["ExpressionAttributeNames"] = {**(names or {}), **aliases}
        if page_size:
            parameters["Limit"] = page_size
        return self._pages(parameters)

    def key_at(
        self, table: Table, condition: str, number: int, *, index: str, newest_first: bool = False, **values: Any
    ) -> tuple[Item | None, int]:
        """The key of a partition's `number`-th item, or None and how many there are.

        The items are counted where they lie: they cost read units, and neither traffic nor memory.
        """
        parameters = self._partition(table, condition, values, index=index, newest_first=newest_first)
        counted = 0
        while True:
            answer = self._call("query", **parameters, Select="COUNT", Limit=number - counted)
            counted += answer["Count"]
            if "LastEvaluatedKey" not in answer:
                return None, counted
            if counted == number:
                return from_attributes(answer["LastEvaluatedKey"]), counted
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def describe(self, table: Table) -> Mapping[str, Any]:
        """What the cloud says about a table; its count of items and bytes may be hours old."""
        answer: Mapping[str, Any] = self._call("describe_table", TableName=self._name(table))["Table"]
        return answer

    def write(self, change: Write) -> None:
        """Make one change; raises `ConditionFailed`."""
        operation = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[change.kind]
        self._call(operation, **self._parameters(change))

    def transact(self, changes: Sequence[Write]) -> None:
        """Make all changes or none; raises `ConditionFailed` with the places of those that did not hold."""
        if len(changes) == 1:
            return self.write(changes[0])
        items = [{change.kind: self._parameters(change)} for change in changes]
        self._call("transact_write_items", TransactItems=items)
        return None

    def write_each(self, groups: Sequence[Sequence[Write]]) -> set[int]:
        """Make the changes of each group, of one size, whole or not at all; return the places of those that failed.

        A group fails where a condition of it does not hold, and holds up none of the others. As many as fit share a
        transaction, which costs two units for one and saves as many requests.
        """
        failed: set[int] = set()
        for places in _transactions(groups):
            pending = places
            while pending:
                try:
                    self.transact([write for place in pending for write in groups[place]])
                    break
                except ConditionFailed as refusal:
                    failed |= {pending[number // len(groups[0])] for number in refusal.failed}
                    pending = [place for place in pending if place not in failed]
        return failed

    def write_many(self, table: Table, changes: Iterable[Write]) -> None:
        """Put or delete many items, in batches, unconditionally; each is all or nothing, the whole is not."""
        for batch in _batches(changes):
            requests = [
                {"PutRequest": {"Item": to_attributes(change.content)}}
                if change.kind == "Put"
                else {"DeleteRequest": {"Key": to_attributes(change.content)}}
                for change in batch
            ]
            for _ in self._until_done("batch_write_item", {self._name(table): requests}, "UnprocessedItems"):
                pass

    def _partition(
        self, table: Table, condition: str, values: Mapping[str, Any], *, index: str | None, newest_first: bool
    ) -> Parameters:
        parameters: Parameters = {
            "TableName": self._name(table),
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": _placeholders(values),
            "ScanIndexForward": not newest_first,
        }
        return parameters | ({"IndexName": index} if index else {})

    def _pages(self, parameters: Parameters) -> Iterator[Item]:
        while True:
            answer = self._call("query", **parameters)
            yield from map(from_attributes, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
            if "Limit" in parameters:
                parameters["Limit"] = min(2 * parameters["Limit"], LARGEST_PAGE)

    def _until_done(self, operation: str, wanted: Any, leftover: str) -> Iterator[Any]:
        """Ask again for what a batch left undone, with a growing pause."""
        for attempt in range(ATTEMPTS):
            answer = self._call(operation, RequestItems=wanted)
            yield answer
            wanted = answer.get(leftover)
            if not wanted:
                return
            pause(attempt)
        raise Unavailable(f"The cloud left a part of a batch undone {ATTEMPTS} times; try again in a moment.")

    def _parameters(self, change: Write) -> Parameters:
        parameters: Parameters = {
            "TableName": self._name(change.table),
            "Item" if change.kind == "Put" else "Key": to_attributes(change.content),
        }
        if change.update:
            parameters["UpdateExpression"] = change.update
        if change.condition:
            parameters["ConditionExpression"] = change.condition
        if change.values:
            parameters["ExpressionAttributeValues"] = _placeholders(change.values)
        if change.names:
            parameters["ExpressionAttributeNames"] = dict(change.names)
        return parameters

    def _call(self, operation: str, **parameters: Any) -> Any:
        return self._cloud.call("dynamodb", operation, **parameters)

    def _name(self, table: Table) -> str:
        return self._cloud.settings.resource(table.name)


def _placeholders(values: Mapping[str, Any]) -> Parameters:
    return {f":{name}": to_attribute(value) for name, value in values.items()}


def _transactions(groups: Sequence[Sequence[Write]]) -> Iterator[list[int]]:
    """The places of the groups that share a transaction."""
    together = WRITES_PER_TRANSACTION // max(map(len, groups), default=1)
    for start in range(0, len(groups), together):
        yield list(range(start, min(start + together, len(groups))))


def _batches(changes: Iterable[Write]) -> Iterator[list[Write]]:
    """Batches within the cloud's limits on items and bytes."""
    batch: list[Write] = []
    size = 0
    for change in changes:
        weight = sum(len(value) for value in change.content.values() if isinstance(value, bytes))
        if batch and (len(batch) == WRITES_PER_BATCH or size + weight > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(change)
        size += weight
    if batch:
        yield batch
