"""Merchants and their orders.

An order's content never changes; what happens to it later (paid, refunded, cancelled) only moves it
forward, so events of one order may arrive twice or in any order and still end in the same state.
"""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from rallyuxr.errors import Conflict, InvalidInput
from rallyuxr.models.base import Money, Record, Timestamp, Title, iso_z
from rallyuxr.models.currency import to_minor
from rallyuxr.models.experiment import TimeZoneName
from rallyuxr.models.metric_value import Currency

MerchantId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
OrderId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=128)]
"""A customer, article or channel: any printable text."""
ExperimentId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Amount = Annotated[Money, Field(ge=0, max_digits=15)]
OrderStatus = Literal["placed", "paid", "refunded", "cancelled"]
ORDER_STATUSES: tuple[OrderStatus, ...] = ("placed", "paid", "refunded", "cancelled")
Arm = Literal["treatment", "control"]
Outcome = Literal["created", "updated", "unchanged", "refused"]
MAX_LINE_ITEMS = 200
FIRST_YEAR, LAST_YEAR = 1900, 9990
_HOUR_SECONDS = 3600


def in_calendar(moment: date) -> bool:
    """Whether the time or day has a place in every time zone's calendar, with years to spare."""
    return FIRST_YEAR <= moment.year <= LAST_YEAR


class Merchant(Record):
    """Who sells. The time zone decides which day an order belongs to, so neither it nor the currency changes.

    >>> shop = Merchant(merchant_id="berlin-books", name="Books", time_zone="Europe/Berlin", currency="EUR")
    >>> shop.day_of(datetime(2025, 1, 14, 23, 30, tzinfo=UTC))
    datetime.date(2025, 1, 15)
    """

    merchant_id: MerchantId
    name: Title
    time_zone: TimeZoneName = "UTC"
    currency: Currency = "USD"

    def day_of(self, moment: datetime) -> date:
        """The merchant's calendar day at that moment."""
        return moment.astimezone(ZoneInfo(self.time_zone)).date()

    def hour_of(self, moment: datetime) -> datetime:
        """The start, in UTC, of the hour on the merchant's clock that holds the moment."""
        offset = int((moment.astimezone(ZoneInfo(self.time_zone)).utcoffset() or timedelta()).total_seconds())
        local = int(moment.timestamp()) + offset
        return datetime.fromtimestamp(local - local % _HOUR_SECONDS - offset, UTC)

    def midnight(self, day: date) -> datetime:
        """The first moment, in UTC, of the merchant's day; days of 23 or 25 hours lie between two of them."""
        return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.time_zone)).astimezone(UTC)


class LineItem(Record):
    """One article of an order."""

    sku: Name
    quantity: int = Field(ge=1, le=1_000_000)
    unit_price: Amount

    @property
    def amount(self) -> Decimal:
        """What the line costs before discounts."""
        return self.quantity * self.unit_price


class Order(Record):
    """A customer bought something.

    `refunded` is how much of the goods' price has been given back so far, in total; a refunded order that
    does not say is refunded in full. An order belongs for ever to the hour of `time`: a refund corrects that hour.

    >>> order = Order(
    ...     merchant_id="m", order_id="1", time="2025-01-15T14:05:00Z", customer_id="ann", currency="USD",
    ...     items=[{"sku": "tea", "quantity": 2, "unit_price": "4.50"}], discount="1.00", status="refunded",
    ... )
    >>> order.gross, order.refunds, order.net
    (Decimal('9.00'), Decimal('8.00'), Decimal('0.00'))
    """

    merchant_id: MerchantId
    order_id: OrderId
    time: Timestamp
    customer_id: Name
    items: tuple[LineItem, ...] = Field(min_length=1, max_length=MAX_LINE_ITEMS)
    currency: Currency
    discount: Amount = Decimal(0)
    shipping: Amount = Decimal(0)
    tax: Amount = Decimal(0)
    status: OrderStatus = "placed"
    refunded: Amount | None = None
    channel: Name = "web"
    experiment_id: ExperimentId | None = None
    arm: Arm | None = None

    @model_validator(mode="after")
    def _payable(self) -> Self:
        for amount in (
            *(item.unit_price for item in self.items),
            self.discount,
            self.shipping,
            self.tax,
            self.refunds,
        ):
            try:
                to_minor(amount, self.currency)
            except InvalidInput as problem:
                raise ValueError(problem.message) from None
        if self.discount > self.gross:
            raise ValueError(f"discount {self.discount} is above the goods' price {self.gross}")
        if self.refunds > self.gross - self.discount:
            raise ValueError(
                f"refunded {self.refunds} is above what was paid for the goods, {self.gross - self.discount}"
            )
        if self.refunded and self.status not in ("refunded", "cancelled"):
            raise ValueError(f"an order with a refund has the status refunded, not {self.status}")
        if (self.experiment_id is None) != (self.arm is None):
            raise ValueError("experimentId and arm go together: give both or neither")
        return self

    @property
    def gross(self) -> Decimal:
        """The goods' price before discounts."""
        return sum((item.amount for item in self.items), Decimal(0))

    @property
    def refunds(self) -> Decimal:
        """What was given back of the goods' price."""
        if self.refunded is not None:
            return self.refunded
        return self.gross - self.discount if self.status == "refunded" else Decimal(0)

    @property
    def net(self) -> Decimal:
        """The goods' price after discounts and refunds; without shipping and tax."""
        return self.gross - self.discount - self.refunds

    @property
    def total(self) -> Decimal:
        """What the customer was asked to pay."""
        return self.gross - self.discount + self.shipping + self.tax

    @property
    def state(self) -> tuple[OrderStatus, Decimal]:
        """All that can change: the status and what was given back."""
        return self.status, self.refunds

    def fingerprint(self) -> str:
        """A hash of what never changes: equal for two events of the same order, whatever their status."""

        def canonical(amount: Decimal) -> int:
            return to_minor(amount, self.currency)

        content = [
            self.merchant_id, self.order_id, iso_z(self.time), self.customer_id, self.currency, self.channel,
            self.experiment_id, self.arm, canonical(self.discount), canonical(self.shipping), canonical(self.tax),
            [[item.sku, item.quantity, canonical(item.unit_price)] for item in self.items],
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def joined(self, event: "Order") -> "Order":
        """This order after another event of it: the further status, the larger refund.

        The operation commutes, associates and ignores repetition, so the order of arrival does not matter.

        Raises:
            Conflict: the event tells of another order under the same id.
        """
        if self.fingerprint() != event.fingerprint():
            raise Conflict(
                f"Order {event.order_id} of merchant {event.merchant_id} exists with different content. "
                "An order's content never changes: send corrections as a refund and a new order."
            )
        status = max(self.status, event.status, key=ORDER_STATUSES.index)
        refunds = max(self.refunds, event.refunds)
        known = refunds > 0 or status == "refunded"
        return self.model_copy(update={"status": status, "refunded": refunds if known else None})


class OrderReceipt(Record):
    """What became of one order that was sent.

    `unchanged` means that it was already there; `refused` that nothing was stored, for the `reason` given.
    """

    merchant_id: str | None = None
    order_id: str | None = None
    outcome: Outcome
    reason: str | None = None
