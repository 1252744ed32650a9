"""Merchants, and which experiments measure their orders.

`orderIndex` holds the list of merchants under `#merchants`, which no merchant can be called, and per merchant
`experiment#…` (experiments that measure it), `day#…` (days with orders) and `visit-day#…` (with visits). Under
`#experiments` and `#files` it holds the experiments whose data is behind, and the months whose files are.
"""

from collections.abc import Iterator
from datetime import datetime

from rallyuxr.errors import Conflict
from rallyuxr.models.order import Merchant
from rallyuxr.store.dynamo import Dynamo, put
from rallyuxr.store.faults import ConditionFailed
from rallyuxr.store.merchant_keys import index_entry
from rallyuxr.store.tables import ORDER_INDEX

MERCHANTS = "#merchants"


class MerchantRepository:
    """Access to one deployment's merchants."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    def add(self, merchant: Merchant) -> None:
        """Store a new merchant.

        Raises:
            Conflict: the id is taken.
        """
        item = index_entry(MERCHANTS, merchant.merchant_id, body=merchant.model_dump_json())
        try:
            self._dynamo.write(put(ORDER_INDEX, item, "attribute_not_exists(entry)"))
        except ConditionFailed:
            raise Conflict(f"Merchant {merchant.merchant_id} exists: choose another id.") from None

    def get(self, merchant_id: str) -> Merchant | None:
        """The merchant, or None."""
        item = self._dynamo.get(ORDER_INDEX, index_entry(MERCHANTS, merchant_id))
        return Merchant.model_validate_json(item["body"]) if item else None

    def all(self) -> tuple[Merchant, ...]:
        """Every merchant, by id."""
        items = self._dynamo.query(ORDER_INDEX, "merchantId = :list", consistent=True, list=MERCHANTS)
        return tuple(Merchant.model_validate_json(item["body"]) for item in items)

    def watch(self, merchant_id: str, experiment_id: str, first: datetime, last: datetime) -> None:
        """Note that the experiment measures this merchant's orders from `first` until `last`."""
        item = index_entry(merchant_id, f"experiment#{experiment_id}", first=first, last=last)
        self._dynamo.write(put(ORDER_INDEX, item))

    def watching(self, merchant_id: str) -> Iterator[tuple[str, datetime, datetime]]:
        """The experiments that measure this merchant, each with its window."""
        items = self._dynamo.query(
            ORDER_INDEX,
            "merchantId = :merchant AND begins_with(entry, :prefix)",
            consistent=True,
            merchant=merchant_id,
            prefix="experiment#",
        )
        for item in items:
            first, last = datetime.fromisoformat(item["first"]), datetime.fromisoformat(item["last"])
            yield item["entry"].removeprefix("experiment#"), first, last
