"""When each customer first ordered from a merchant; it only moves back."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from rallyuxr.errors import Unavailable
from rallyuxr.store.attributes import Item
from rallyuxr.store.dynamo import Dynamo, Write, update
from rallyuxr.store.faults import ATTEMPTS, pause
from rallyuxr.store.merchant_keys import lone_entry
from rallyuxr.store.tables import ORDER_INDEX


class FirstOrders:
    """Customers' first orders."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    def of(self, merchant_id: str, customers: Iterable[str]) -> dict[str, datetime]:
        """When each customer first ordered, as far as noted."""
        items = self._noted(merchant_id, customers)
        return {customer: datetime.fromisoformat(item["firstAt"]) for customer, item in items.items()}

    def note(self, merchant_id: str, orders: Mapping[str, datetime]) -> set[datetime]:
        """Move customers' first orders back to these times where they are earlier; return superseded times.

        Superseded times are remembered and returned to every caller that brings the customer's first
        order, so a caller that crashed before correcting those hours learns of them again.
        """
        superseded: set[datetime] = set()
        pending = dict(orders)
        for attempt in range(ATTEMPTS):
            noted = self._noted(merchant_id, pending)
            earlier = {each: time for each, time in pending.items() if not _is_noted(noted.get(each), time)}
            for customer in pending.keys() - earlier.keys():
                superseded |= _superseded(noted[customer], pending[customer])
            moves = [[_move(merchant_id, each, time, noted.get(each))] for each, time in earlier.items()]
            if not self._dynamo.write_each(moves):
                remembered = (noted[each] for each in earlier if each in noted)
                return superseded.union(*(_times([*item["superseded"], item["firstAt"]]) for item in remembered))
            pending = earlier
            pause(attempt)
        raise Unavailable(f"{len(pending)} customers are being changed by others; try again in a moment.")

    def _noted(self, merchant_id: str, customers: Iterable[str]) -> dict[str, Item]:
        keys = {_key(merchant_id, customer)["merchantId"]: customer for customer in customers}
        items = self._dynamo.get_many(ORDER_INDEX, [_key(merchant_id, customer) for customer in keys.values()])
        return {keys[item["merchantId"]]: item for item in items}


def _is_noted(noted: Item | None, moment: datetime) -> bool:
    return noted is not None and datetime.fromisoformat(noted["firstAt"]) <= moment


def _superseded(noted: Item, moment: datetime) -> set[datetime]:
    """What the order of this moment superseded, where it is the customer's first."""
    return _times(noted["superseded"]) if datetime.fromisoformat(noted["firstAt"]) == moment else set()


def _key(merchant_id: str, customer: str) -> Item:
    return lone_entry(merchant_id, "customer", customer)


def _times(stored: Iterable[str]) -> set[datetime]:
    return set(map(datetime.fromisoformat, stored))


def _move(merchant_id: str, customer: str, moment: datetime, noted: Item | None) -> Write:
    condition = "firstAt = :noted" if noted else "attribute_not_exists(firstAt)"
    values = {"noted": noted["firstAt"]} if noted else {}
    return update(
        ORDER_INDEX,
        _key(merchant_id, customer),
        "SET firstAt = :moment, superseded = :superseded",
        condition=condition,
        moment=moment,
        superseded=[*noted["superseded"], noted["firstAt"]] if noted else [],
        **values,
    )
