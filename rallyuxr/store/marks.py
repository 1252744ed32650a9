"""Marks of what is behind; whoever brings it up to date removes the mark that was seen, and no newer one."""

from uuid import uuid4

from rallyuxr.store.dynamo import Dynamo, Write, put
from rallyuxr.store.faults import ConditionFailed
from rallyuxr.store.merchant_keys import index_entry
from rallyuxr.store.tables import ORDER_INDEX


class Marks:
    """The marks of one kind, under a name in `orderIndex` that no merchant can have."""

    def __init__(self, dynamo: Dynamo, kind: str) -> None:
        self._dynamo, self._kind = dynamo, kind

    def put(self, name: str) -> None:
        """Mark it; to be done after what makes it behind was stored."""
        self._dynamo.write(self.marking(name))

    def marking(self, name: str) -> Write:
        """The write that marks it, for a transaction that makes it behind."""
        return put(ORDER_INDEX, index_entry(self._kind, name, mark=uuid4().hex))

    def pending(self) -> dict[str, str]:
        """What is marked, and by which mark; to be read before what it is computed from."""
        items = self._dynamo.query(ORDER_INDEX, "merchantId = :kind", consistent=True, kind=self._kind)
        return {item["entry"]: item["mark"] for item in items}

    def clear(self, name: str, mark: str) -> None:
        """Remove this mark; one put since stays."""
        try:
            key = index_entry(self._kind, name)
            self._dynamo.write(Write("Delete", ORDER_INDEX, key, condition="mark = :mark", values={"mark": mark}))
        except ConditionFailed:
            return
