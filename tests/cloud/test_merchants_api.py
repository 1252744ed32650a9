"""Merchants and orders over HTTP, as the gateway hands requests to the function: answers, ETags, and whose data."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pyarrow.parquet as pq
import pytest

from rallyuxr.local import Deployment
from rallyuxr.models.order import Order
from rallyuxr.services.aggregate_files import publish_parquet
from rallyuxr.services.context import connect
from rallyuxr.services.order_aggregates import aggregate_changes
from rallyuxr.store import CountedHour

STAFF = {"sub": "ada", "rallyuxr_role": "analyst"}
ORDER: dict[str, Any] = {
    "orderId": "o-1",
    "time": "2025-03-31T10:15:00Z",
    "customerId": "ann",
    "currency": "USD",
    "items": [{"sku": "tea", "quantity": 2, "unitPrice": 4.5}],
}
RANGE = {"granularity": "daily", "from": "2025-03-30", "to": "2025-04-02"}


class Gateway:
    """Calls the API's function with the events an HTTP API with a JWT authorizer makes."""

    def send(
        self,
        method: str,
        path: str,
        *,
        claims: Mapping[str, str] = STAFF,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any, dict[str, str]]:
        from rallyuxr.handlers.api import handler

        http = {
            "method": method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "test",
        }
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": urlencode(query or {}),
            "headers": {"host": "api", "content-type": "application/json", **(headers or {})},
            "requestContext": {
                "http": http,
                "requestId": str(uuid4()),
                "stage": "$default",
                "authorizer": {"jwt": {"claims": dict(claims)}},
            },
            "body": json.dumps(body) if body is not None else None,
            "isBase64Encoded": False,
        }
        answer = handler(event, None)  # type: ignore[arg-type]
        text = answer["body"]
        return answer["statusCode"], json.loads(text) if text else None, answer["headers"]


@pytest.fixture
def gateway(deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    monkeypatch.setenv("RALLYUXR_API_AUTH", "jwt")
    return Gateway()


@pytest.fixture
def merchant(gateway: Gateway) -> str:
    merchant_id = f"m-{uuid4()}"
    status, _, _ = gateway.send("POST", "/merchants", body={"merchantId": merchant_id, "name": "Shop"})
    assert status == 201
    return merchant_id


def bound_to(*merchants: str) -> dict[str, str]:
    return {"sub": "shopkeeper", "rallyuxr_role": "viewer", "merchant_id": " ".join(merchants)}


def test_an_order_is_placed_read_back_and_counted(gateway: Gateway, merchant: str) -> None:
    sent = {**ORDER, "merchantId": merchant}
    status, answer, _ = gateway.send("POST", "/orders", body=sent)
    assert (status, answer["data"]["outcome"]) == (201, "created")
    _, answer, _ = gateway.send("POST", "/orders", body={**sent, "status": "paid"})
    assert answer["data"]["outcome"] == "updated"
    status, answer, _ = gateway.send("POST", "/orders", body={**sent, "customerId": "bob"})
    assert (status, answer["error"]["code"]) == (409, "CONFLICT")
    _, answer, _ = gateway.send("GET", f"/merchants/{merchant}/orders/o-1")
    assert (answer["data"]["status"], answer["data"]["items"][0]["unitPrice"]) == ("paid", 4.5)
    _, answer, _ = gateway.send("GET", f"/merchants/{merchant}/orders", query={"limit": "5"})
    assert [order["orderId"] for order in answer["data"]["orders"]] == ["o-1"]

    aggregate_changes(connect(), [Order.from_json(sent)])
    asked = {**RANGE, "metrics": "orders,net,averageOrderValue", "compare": "previous"}
    status, answer, headers = gateway.send("GET", f"/merchants/{merchant}/analytics", query=asked)
    assert status == 200
    row = answer["data"]["range"]["rows"][0]
    assert row == {
        "start": "2025-03-31T00:00:00Z",
        "end": "2025-04-01T00:00:00Z",
        "orders": 1,
        "net": 9.0,
        "averageOrderValue": {"numerator": 9.0, "denominator": 1, "value": 9.0},
    }
    assert answer["data"]["comparison"]["totals"]["orders"] == 0
    status, answer, again = gateway.send(
        "GET", f"/merchants/{merchant}/analytics", query=asked, headers={"if-none-match": headers["etag"]}
    )
    assert (status, answer, again["etag"]) == (304, None, headers["etag"])


def test_a_batch_answers_for_each_order(gateway: Gateway, merchant: str) -> None:
    good = {**ORDER, "merchantId": merchant}
    status, answer, _ = gateway.send("POST", "/orders/batch", body={"orders": [good, {"orderId": "x"}, good]})
    assert status == 200
    assert [receipt["outcome"] for receipt in answer["data"]["receipts"]] == ["created", "refused", "unchanged"]
    status, _, _ = gateway.send("POST", "/orders/batch", body={"orders": [good] * 1001})
    assert status == 400


def test_visits_are_counted_and_read_as_conversion(gateway: Gateway, merchant: str) -> None:
    gateway.send("POST", "/orders", body={**ORDER, "merchantId": merchant})
    sent = {
        "visits": [{"hour": "2025-03-31T10:00:00Z", "visits": 40}, {"hour": "2025-03-31T10:15:00Z", "visits": 1}]
    }
    status, answer, _ = gateway.send("POST", f"/merchants/{merchant}/visits", body=sent)
    assert status == 200
    assert [receipt["outcome"] for receipt in answer["data"]["receipts"]] == ["created", "refused"]
    hour = CountedHour(merchant, datetime(2025, 3, 31, 10, tzinfo=UTC))
    aggregate_changes(connect(), [hour, Order.from_json({**ORDER, "merchantId": merchant})])
    asked = {**RANGE, "metrics": "visits,conversion"}
    _, answer, _ = gateway.send("GET", f"/merchants/{merchant}/analytics", query=asked)
    row = answer["data"]["range"]["rows"][0]
    assert (row["visits"], row["conversion"]) == (40, {"numerator": 1.0, "denominator": 40, "value": 0.025})
    many = {"visits": [sent["visits"][0]] * 1001}
    assert gateway.send("POST", f"/merchants/{merchant}/visits", body=many)[0] == 400
    assert gateway.send("POST", "/merchants/nobody/visits", body=sent)[0] == 404
    for claims in (bound_to(merchant), {**STAFF, "merchant_id": f"{merchant}2"}):
        status, _, _ = gateway.send("POST", f"/merchants/{merchant}/visits", body=sent, claims=claims)
        assert status == 403


@pytest.mark.parametrize(
    "path", ["/merchants/{other}/analytics", "/merchants/{other}/orders", "/merchants/{other}/orders/o-1"]
)
def test_a_merchants_token_reads_that_merchant_only(gateway: Gateway, merchant: str, path: str) -> None:
    gateway.send("POST", "/orders", body={**ORDER, "merchantId": merchant})
    mine, theirs, nobody = (path.replace("{other}", name) for name in (merchant, f"{merchant}2", "nobody"))
    claims = bound_to(merchant)
    assert gateway.send("GET", mine, claims=claims, query=RANGE)[0] == 200
    for address in (theirs, nobody):
        status, answer, _ = gateway.send("GET", address, claims=claims, query=RANGE)
        assert (status, answer["error"]["code"]) == (403, "FORBIDDEN")


def test_a_merchants_token_lists_itself_and_writes_nothing(gateway: Gateway, merchant: str) -> None:
    other = f"m-{uuid4()}"
    gateway.send("POST", "/merchants", body={"merchantId": other, "name": "Other"})
    _, answer, _ = gateway.send("GET", "/merchants", claims=bound_to(merchant))
    assert [each["merchantId"] for each in answer["data"]["merchants"]] == [merchant]
    writes = [
        ("/orders", {**ORDER, "merchantId": merchant}),
        ("/merchants", {"merchantId": "mine", "name": "Mine"}),
    ]
    for path, body in writes:
        status, _, _ = gateway.send("POST", path, body=body, claims=bound_to(merchant))
        assert status == 403


def shop_of(gateway: Gateway, mark: str, orders: int) -> str:
    """A merchant whose every order, customer, article and channel bears its mark."""
    merchant = f"m-{uuid4()}"
    gateway.send("POST", "/merchants", body={"merchantId": merchant, "name": f"Shop {mark}"})
    batch = [
        {
            **ORDER,
            "merchantId": merchant,
            "orderId": f"o-{number}",
            "time": f"2025-03-{30 + number % 2}T{number:02}:00:00Z",
            "customerId": mark,
            "channel": mark,
            "items": [{"sku": mark, "quantity": 1, "unitPrice": 1}],
        }
        for number in range(orders)
    ]
    gateway.send("POST", "/orders/batch", body={"orders": batch})
    aggregate_changes(connect(), [Order.from_json(order) for order in batch])
    return merchant


def test_no_version_token_page_or_file_of_one_merchant_opens_another(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = shop_of(gateway, "ours", 5), shop_of(gateway, "theirs", 9)
    claims = bound_to(ours)

    def asked(path: str, *, by: Mapping[str, str] = claims, etag: str = "", **query: str) -> tuple[int, str, str]:
        given = {"if-none-match": etag} if etag else {}
        status, answer, headers = gateway.send("GET", path, claims=by, query=query, headers=given)
        return status, json.dumps(answer), headers.get("etag", "")

    for granularity in ("daily", "hourly"):
        span = {**RANGE, "granularity": granularity}
        mine, other = f"/merchants/{ours}/analytics", f"/merchants/{theirs}/analytics"
        _, _, their_version = asked(other, by=STAFF, **span)
        status, shown, version = asked(mine, etag=their_version, **span)
        assert (status, "theirs" in shown, "ours" in shown) == (200, False, True)
        assert version != their_version
        assert asked(other, etag=their_version, **span)[0] == 403, "not even whether anything changed"
        _, page, _ = asked(other, by=STAFF, limit="1", **span)
        token = json.loads(page)["data"]["nextToken"]
        status, shown, _ = asked(mine, nextToken=token, **span)
        assert (status, "theirs" in shown) == (200, False)
        assert asked(other, nextToken=token, **span)[0] == 403

    _, page, _ = asked(f"/merchants/{theirs}/orders", by=STAFF, limit="2")
    token = json.loads(page)["data"]["nextToken"]
    status, shown, _ = asked(f"/merchants/{ours}/orders", nextToken=token)
    assert (status, "theirs" in shown) == (200, False)
    assert asked(f"/merchants/{theirs}/orders", nextToken=token)[0] == 403

    monkeypatch.setattr("rallyuxr.api.delivery.LARGEST_TEXT", 100)
    links = [json.loads(asked(f"/merchants/{ours}/analytics", **RANGE)[1])["data"]["link"] for _ in range(2)]
    assert links[0].split("?")[0] != links[1].split("?")[0], (
        "a file's key is new each time and tells no merchant's other"
    )
    content = httpx.get(links[0]).text
    assert ("theirs" in content, "ours" in content) == (False, True)
    assert httpx.get(links[0].split("?")[0]).status_code == 403, "without its signature the file is closed"

    files = publish_parquet(connect(), ours, date(2025, 3, 1), date(2025, 3, 31))
    assert files
    for key in files:
        assert f"/merchant={ours}/" in key
        file = connect().store.cloud.call("s3", "get_object", Bucket=connect().store.cloud.bucket, Key=key)
        rows = repr(pq.read_table(BytesIO(file["Body"].read())).to_pylist())
        assert ("theirs" in rows, "ours" in rows) == (False, True)


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ({**RANGE, "to": "2025-03-30"}, "has 0 days"),
        ({**RANGE, "metrics": "profit"}, "No such metrics: profit"),
        ({**RANGE, "granularity": "weekly"}, "hourly"),
        ({**RANGE, "nextToken": "x"}, "nextToken"),
        ({"granularity": "daily"}, "from"),
    ],
)
def test_questions_that_cannot_be_answered_say_why(
    gateway: Gateway, merchant: str, query: dict[str, str], complaint: str
) -> None:
    status, answer, _ = gateway.send("GET", f"/merchants/{merchant}/analytics", query=query)
    assert status == 400
    assert complaint in json.dumps(answer["error"])


def test_an_unknown_merchant_is_not_found(gateway: Gateway) -> None:
    status, answer, _ = gateway.send("GET", "/merchants/nobody/analytics", query=RANGE)
    assert (status, answer["error"]["code"]) == (404, "NOT_FOUND")
