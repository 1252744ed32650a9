"""Routes of merchants: place orders, read them, count visits, read one merchant's analytics."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

from rallyuxr.aggregation.measures import MEASURES
from rallyuxr.api.answers import Answer
from rallyuxr.api.delivery import deliver
from rallyuxr.api.dependencies import Deployment
from rallyuxr.api.failures import documented
from rallyuxr.api.security import Analyst, AnyCaller
from rallyuxr.models import Record
from rallyuxr.models.aggregate import Analytics, AnalyticsGranularity, Comparison
from rallyuxr.models.order import Merchant, Order, OrderReceipt
from rallyuxr.models.visits import VisitCount, VisitReceipt
from rallyuxr.services import analytics, merchants, orders, visits

router = APIRouter(tags=["merchants"])
MerchantId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", examples=["berlin-books"])]
OrderId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]
METRICS = {to_camel(name): name for name in MEASURES}


class OrderBatch(Record):
    """Orders to place, each for itself: one that is not valid is refused alone."""

    orders: tuple[Order | dict[str, Any], ...] = Field(max_length=orders.MAX_BATCH)


class OrderReceipts(Record):
    """What became of each order, in the order they were sent."""

    receipts: tuple[OrderReceipt, ...]


class VisitBatch(Record):
    """Counts of visits, each for itself: one that is not valid is refused alone."""

    visits: tuple[VisitCount | dict[str, Any], ...] = Field(max_length=visits.MAX_COUNTS)


class VisitReceipts(Record):
    """What became of each count, in the order they were sent."""

    receipts: tuple[VisitReceipt, ...]


class OrderList(Record):
    """One page of a merchant's orders, newest first."""

    orders: tuple[Order, ...]
    next_token: str | None = None


class MerchantList(Record):
    """The merchants that the caller may read."""

    merchants: tuple[Merchant, ...]


@router.post("/orders", status_code=201, responses=documented(404, 409))
def place_order(body: Order, context: Deployment, caller: Analyst) -> Answer[OrderReceipt]:
    """Place an order, or tell what became of it later; the same order twice changes nothing."""
    return Answer(data=orders.place_order(context, body))


@router.post("/orders/batch", responses=documented(413))
def place_orders(body: OrderBatch, context: Deployment, caller: Analyst) -> Answer[OrderReceipts]:
    """Place up to 1,000 orders; the answer says for each what became of it."""
    return Answer(data=OrderReceipts(receipts=orders.place_orders(context, body.orders)))


@router.get("/merchants/{merchant_id}/orders", responses=documented(404))
def list_orders(
    merchant_id: MerchantId,
    context: Deployment,
    caller: AnyCaller,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    next_token: Annotated[str | SkipJsonSchema[None], Query(alias="nextToken", max_length=200)] = None,
) -> Answer[OrderList]:
    """List one merchant's orders, newest first."""
    caller.require_merchant(merchant_id)
    page = orders.recent_orders(context, merchant_id, limit=limit, next_token=next_token)
    return Answer(data=OrderList(orders=page.orders, next_token=page.next_token))


@router.get("/merchants/{merchant_id}/orders/{order_id}", responses=documented(404))
def get_order(merchant_id: MerchantId, order_id: OrderId, context: Deployment, caller: AnyCaller) -> Answer[Order]:
    """Read one order as its events have left it."""
    caller.require_merchant(merchant_id)
    return Answer(data=orders.get_order(context, merchant_id, order_id))


@router.get("/merchants", responses=documented())
def list_merchants(context: Deployment, caller: AnyCaller) -> Answer[MerchantList]:
    """List the merchants that the caller may read."""
    known = merchants.list_merchants(context)
    own = known if caller.merchants is None else [each for each in known if each.merchant_id in caller.merchants]
    return Answer(data=MerchantList(merchants=tuple(own)))


@router.post("/merchants", status_code=201, responses=documented(409))
def add_merchant(body: Merchant, context: Deployment, caller: Analyst) -> Answer[Merchant]:
    """Register a merchant; its time zone and currency stay as they are."""
    return Answer(data=merchants.add_merchant(context, body))


@router.post("/merchants/{merchant_id}/visits", responses=documented(404, 413))
def record_visits(
    merchant_id: MerchantId, body: VisitBatch, context: Deployment, caller: Analyst
) -> Answer[VisitReceipts]:
    """Say how many visits a merchant had, by hour and, if wanted, by an experiment's arm; up to 1,000 counts.

    A count stands in place of the hour's count before and is never added to it: the one counted later stands.
    """
    caller.require_merchant(merchant_id)
    return Answer(data=VisitReceipts(receipts=visits.record_visits(context, merchant_id, body.visits)))


@router.get(
    "/merchants/{merchant_id}/analytics",
    responses={**documented(404), 304: {"description": "Nothing changed since the version in If-None-Match."}},
    response_model=Answer[Analytics],
)
def get_analytics(
    merchant_id: MerchantId,
    context: Deployment,
    caller: AnyCaller,
    request: Request,
    granularity: AnalyticsGranularity,
    first: Annotated[date, Query(alias="from", description="the first day, on the merchant's calendar")],
    last: Annotated[date, Query(alias="to", description="the day after the last one")],
    metrics: Annotated[str, Query(max_length=500, examples=["orders,net,averageOrderValue"])] = "",
    compare: Annotated[Comparison | SkipJsonSchema[None], Query()] = None,
    limit: Annotated[int, Query(ge=1, le=analytics.MOST_ROWS)] = analytics.MOST_ROWS,
    next_token: Annotated[str | SkipJsonSchema[None], Query(alias="nextToken", max_length=40)] = None,
    if_none_match: Annotated[str | SkipJsonSchema[None], Header()] = None,
) -> Response:
    """Read one merchant's hours or days, compared with the range before or 52 weeks earlier.

    The answer carries an ETag; sent back in If-None-Match it costs a listing, and a 304 if nothing changed.
    """
    caller.require_merchant(merchant_id)
    measures = tuple(METRICS.get(name, name) for name in metrics.split(",") if name)
    query = analytics.AnalyticsQuery(granularity, first, last, measures, compare, limit, next_token)
    known = (if_none_match or "").removeprefix("W/").strip('"')
    found = analytics.read_analytics(context, merchant_id, query, known_version=known)
    headers = {"ETag": f'W/"{found.version}"', "Cache-Control": "private, no-cache"}
    if found.analytics is None:
        return Response(status_code=304, headers=headers)
    answer = deliver(request, context, Answer(data=found.analytics), f"{merchant_id}-{granularity}.json")
    answer.headers.update(headers)
    return answer
