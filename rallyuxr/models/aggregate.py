"""Aggregates of a merchant's orders: tallies that add up exactly, and the rows people read.

Schema version 1. Tallies count money in the currency's smallest unit, so sums and sums of squares are whole numbers
of any size; rows carry the same amounts as decimals, written as strings.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer

from rallyuxr.models.base import Money, Record, Timestamp
from rallyuxr.models.metric_value import Currency
from rallyuxr.models.order import Arm, Merchant, MerchantId

SCHEMA_VERSION: Literal[1] = 1
AnalyticsGranularity = Literal["hourly", "daily"]
Comparison = Literal["previous", "last_year"]
Exact = Annotated[Decimal, PlainSerializer(str, return_type=str, when_used="json")]
"""A decimal that stays exact in JSON."""
Pair = tuple[int, int]
"""A count and an amount: orders and net sales, or quantity and gross sales."""


class Visited(Record):
    """Visits, in how many hours they were counted, and the orders of those hours alone.

    All three add up, and `visit_orders` / `visits` is a conversion whatever part of the time was counted.
    """

    visits: int = 0
    visit_hours: int = 0
    visit_orders: int = 0


class ArmTally(Visited):
    """One experiment arm's orders: counts, sums, and each customer's orders and net sales."""

    orders: int = 0
    items: int = 0
    net: int = 0
    net_squares: int = 0
    customers: dict[str, Pair] = Field(default_factory=dict)


class Tally(Visited):
    """Orders counted and summed; tallies of disjoint sets of orders add up to the tally of their union.

    Cancelled orders appear in `statuses` and `newcomers` alone. `newcomers` are the customers whose first order
    with the merchant is among these, whatever became of it. `products` hold quantity and gross sales, the
    other pairs orders and net sales.
    """

    orders: int = 0
    items: int = 0
    gross: int = 0
    discounts: int = 0
    refunds: int = 0
    shipping: int = 0
    tax: int = 0
    statuses: dict[str, int] = Field(default_factory=dict)
    channels: dict[str, Pair] = Field(default_factory=dict)
    products: dict[str, Pair] = Field(default_factory=dict)
    customers: dict[str, Pair] = Field(default_factory=dict)
    newcomers: tuple[str, ...] = ()
    arms: dict[str, dict[Arm, ArmTally]] = Field(default_factory=dict)


class ChannelTotal(Record):
    """One channel's part."""

    orders: int
    net: Exact


class ProductTotal(Record):
    """One article's part."""

    sku: str
    quantity: int
    gross: Exact


class ArmMoments(Visited):
    """What inference on one arm needs, by order and by customer.

    Per order: `orders`, `net` and `net_squares` give the mean and variance of an order's value. Per customer:
    `customers`, the sums of squares of their orders and net sales, and the sum of the products of the two, give
    the variance of revenue per customer and the delta-method variance of average order value.
    """

    orders: int
    items: int
    customers: int
    net: Exact
    net_squares: Exact
    customer_orders_squares: int
    customer_net_squares: Exact
    customer_orders_net: Exact


class Aggregate(Visited):
    """One hour or one day of a merchant.

    `net` = gross − discounts − refunds, without shipping and tax. Ratios are kept as their two parts: average order
    value is net / orders, items per order items / orders, revenue per customer net / customers. `customers` and
    `returning_customers` are distinct within the row, so rows do not add up in them. `new_customers` placed their
    first order here, whatever became of it, and add up. Products are the fifty best sold by gross sales.
    Conversion is visit_orders / visits, known where `visit_hours` is not 0.
    """

    start: Timestamp
    end: Timestamp
    orders: int
    items: int
    gross: Exact
    discounts: Exact
    refunds: Exact
    net: Exact
    shipping: Exact
    tax: Exact
    customers: int
    new_customers: int
    returning_customers: int
    statuses: dict[str, int]
    channels: dict[str, ChannelTotal]
    products: tuple[ProductTotal, ...]
    arms: dict[str, dict[Arm, ArmMoments]]


class Book(Record):
    """What every stored object of aggregates says about itself.

    `revision` grows with each replacement, so no two versions of an object ever have the same bytes.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    merchant_id: MerchantId
    currency: Currency
    time_zone: str
    revision: int = 0


class DayTallies(Book):
    """One merchant-day: the tally of each hour with orders or visits, by the hour's start in UTC."""

    day: str
    hours: dict[Timestamp, Tally] = Field(default_factory=dict)


class AggregateBook(Book):
    """Rows to read: the hours of one day, or the days of one month, oldest first."""

    period: str
    granularity: AnalyticsGranularity
    rows: tuple[Aggregate, ...] = ()


class Freshness(Record):
    """How current a merchant's aggregates are."""

    last_order_at: Timestamp | None = None
    aggregated_at: Timestamp | None = None


class Ratio(Record):
    """An amount or a count over a count; without a value where there is nothing to divide by."""

    numerator: Money
    denominator: int
    value: float | None = None


class AnalyticsRow(Record):
    """One hour, day or whole range, with the measures that were asked for.

    Distinct customers of a range are absent: those of its rows do not add up. `visits` and `conversion` are absent
    where none were counted; `conversion` divides the orders of the counted hours by their visits.
    """

    start: Timestamp
    end: Timestamp
    orders: int | None = None
    items: int | None = None
    gross: Money | None = None
    discounts: Money | None = None
    refunds: Money | None = None
    net: Money | None = None
    shipping: Money | None = None
    tax: Money | None = None
    average_order_value: Ratio | None = None
    items_per_order: Ratio | None = None
    customers: int | None = None
    new_customers: int | None = None
    returning_customers: int | None = None
    visits: int | None = None
    visit_hours: int | None = None
    visit_orders: int | None = None
    conversion: Ratio | None = None
    statuses: dict[str, int] | None = None
    channels: dict[str, ChannelTotal] | None = None
    products: tuple[ProductTotal, ...] | None = None
    arms: dict[str, dict[Arm, ArmMoments]] | None = None


class AnalyticsRange(Record):
    """The rows of `[first, last)`, days of the merchant's calendar, and their totals."""

    first: date
    last: date
    totals: AnalyticsRow
    rows: tuple[AnalyticsRow, ...]


class Analytics(Record):
    """A merchant's aggregates over a range, one page of them; `next_token` leads to the next.

    Hours and days without any order or visit have no row. `comparison` holds the rows of the earlier range that
    stand where this page's rows stand in theirs; totals are always those of the whole range.
    """

    merchant: Merchant
    granularity: AnalyticsGranularity
    range: AnalyticsRange
    comparison: AnalyticsRange | None = None
    freshness: Freshness
    next_token: str | None = None
