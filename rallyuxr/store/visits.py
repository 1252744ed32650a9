"""Counts of visits: `visits` holds one partition per merchant and day, one item for each hour and arm."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from rallyuxr.models.order import Merchant, Outcome
from rallyuxr.models.visits import VisitCount
from rallyuxr.store.attributes import Item, from_attributes
from rallyuxr.store.dynamo import Dynamo, Write, put
from rallyuxr.store.merchant_keys import DayIndex, partition, sortable
from rallyuxr.store.tables import VISITS

STANDS_BACK = "attribute_not_exists(countedAt) OR countedAt < :at OR (countedAt = :at AND visits < :visits)"
"""When the stored count gives way: the later one stands, of two of one time the larger."""


@dataclass(frozen=True, slots=True)
class CountedHour:
    """An hour of a merchant whose visits were counted."""

    merchant_id: str
    time: datetime


def counted_hour_from_image(image: Mapping[str, Any]) -> CountedHour:
    """The hour of an item in the table's change stream."""
    item = from_attributes(image)
    return CountedHour(item["merchantDay"].rsplit("#", 1)[0], datetime.fromisoformat(item["hour"]))


class VisitRepository:
    """One deployment's counts of visits; every method names a merchant."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo
        self._days = DayIndex(dynamo, "visit-day")

    def replace_counts(self, merchant: Merchant, counts: Sequence[VisitCount]) -> tuple[Outcome, ...]:
        """Let each count, of another hour or arm, stand in place of an earlier one; say what that changed.

        Each must say when it was counted.
        """
        self._days.note(merchant, (count.hour for count in counts))
        items = [_item(merchant, count) for count in counts]
        known = self._known(items)
        outcomes = [_outcome(item, known.get(_key(item))) for item in items]
        newer = [place for place, item in enumerate(items) if _gives_way(known.get(_key(item)), item)]
        for beaten in self._dynamo.write_each([[_write(items[place])] for place in newer]):
            outcomes[newer[beaten]] = "unchanged"
        return tuple(outcomes)

    def counts_of_day(self, merchant: Merchant, day: date) -> tuple[VisitCount, ...]:
        """One day's counts by hour, read consistently."""
        items = self._dynamo.query(
            VISITS, "merchantDay = :day", consistent=True, day=partition(merchant.merchant_id, day)
        )
        return tuple(map(_count, items))

    def days(self, merchant_id: str, first: date = date.min, last: date = date.max) -> Iterator[date]:
        """The days from `first` to `last` on which the merchant may have counts of visits."""
        return self._days.days(merchant_id, first, last)

    def _known(self, items: Sequence[Item]) -> dict[tuple[str, str], Item]:
        keys = [{name: item[name] for name in ("merchantDay", "visitKey")} for item in items]
        return {_key(item): item for item in self._dynamo.get_many(VISITS, keys)}


def _item(merchant: Merchant, count: VisitCount) -> Item:
    assert count.counted_at is not None, "the service fills in when it was received"
    content = {
        "merchantDay": partition(merchant.merchant_id, merchant.day_of(count.hour)),
        "visitKey": "#".join([sortable(count.hour), count.experiment_id or "", count.arm or ""]),
        "hour": count.hour,
        "visits": count.visits,
        "experimentId": count.experiment_id,
        "arm": count.arm,
        "countedAt": sortable(count.counted_at),
    }
    return {name: value for name, value in content.items() if value is not None}


def _count(item: Item) -> VisitCount:
    return VisitCount.model_validate(
        {name: value for name, value in item.items() if name not in ("merchantDay", "visitKey")}
    )


def _key(item: Item) -> tuple[str, str]:
    return item["merchantDay"], item["visitKey"]


def _gives_way(stored: Item | None, item: Item) -> bool:
    """As `STANDS_BACK` says it."""
    return stored is None or (stored["countedAt"], stored["visits"]) < (item["countedAt"], item["visits"])


def _outcome(item: Item, stored: Item | None) -> Outcome:
    if stored is None:
        return "created"
    return "updated" if _gives_way(stored, item) and stored["visits"] != item["visits"] else "unchanged"


def _write(item: Item) -> Write:
    return put(VISITS, item, STANDS_BACK, at=item["countedAt"], visits=item["visits"])
