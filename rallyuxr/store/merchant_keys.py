"""How a merchant's things are keyed: by merchant and day, sorted by time; and the index of its days."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from rallyuxr.models.base import iso_z
from rallyuxr.models.order import Merchant
from rallyuxr.store.attributes import Item
from rallyuxr.store.dynamo import Dynamo, put
from rallyuxr.store.tables import ORDER_INDEX


def partition(merchant_id: str, day: date) -> str:
    """The partition of a merchant's day."""
    return f"{merchant_id}#{day}"


def sortable(moment: datetime) -> str:
    """Of equal width whatever the fraction, so that text sorts as time."""
    return iso_z(moment.replace(microsecond=0)).removesuffix("Z") + f".{moment.microsecond:06d}Z"


def index_entry(merchant_id: str, entry: str, **content: Any) -> Item:
    """An item of `orderIndex`, or its key."""
    return {"merchantId": merchant_id, "entry": entry, **content}


def lone_entry(merchant_id: str, kind: str, name: str, **content: Any) -> Item:
    """An item of `orderIndex`, or its key, in a partition of its own: for what is many and only looked up by name.

    No merchant's id holds a `#`, so a name may hold anything.
    """
    return index_entry(f"{merchant_id}#{kind}#{name}", kind, **content)


class DayIndex:
    """The days on which merchants may have something, under entries of one prefix."""

    def __init__(self, dynamo: Dynamo, prefix: str) -> None:
        self._dynamo, self._prefix = dynamo, f"{prefix}#"
        self._known: set[tuple[str, date]] = set()

    def note(self, merchant: Merchant, times: Iterable[datetime]) -> None:
        """Note the days of these times; to be done before anything is stored in them."""
        days = {(merchant.merchant_id, merchant.day_of(time)) for time in times} - self._known
        entries = (index_entry(name, f"{self._prefix}{day}") for name, day in sorted(days))
        self._dynamo.write_many(ORDER_INDEX, (put(ORDER_INDEX, entry) for entry in entries))
        self._known |= days

    def days(
        self, merchant_id: str, first: date = date.min, last: date = date.max, *, newest_first: bool = False
    ) -> Iterator[date]:
        """The merchant's noted days from `first` to `last`."""
        items = self._dynamo.query(
            ORDER_INDEX,
            "merchantId = :merchant AND entry BETWEEN :first AND :last",
            consistent=True,
            newest_first=newest_first,
            merchant=merchant_id,
            first=f"{self._prefix}{first}",
            last=f"{self._prefix}{last}",
        )
        return (date.fromisoformat(item["entry"].removeprefix(self._prefix)) for item in items)
