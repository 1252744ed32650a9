"""The order form: what is typed becomes an order, and placing it twice places it once."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import streamlit as st

from rallyuxr.dashboard import order_time, session
from rallyuxr.dashboard.formatting import moment, plain, price, words
from rallyuxr.errors import RallyError
from rallyuxr.models.currency import minor_digits
from rallyuxr.models.order import ORDER_STATUSES, Merchant, Order
from rallyuxr.services.orders import place_order

LINES = "order lines"
ORDER_ID = "order id"
_OUTCOMES = {
    "created": "Order {} is placed.",
    "updated": "Order {} is brought up to date.",
    "unchanged": "Order {} was there already; nothing changed.",
}


def order_id() -> str:
    """The id of the order being typed; kept until it is placed, so that sending it again places it once."""
    if ORDER_ID not in st.session_state:
        st.session_state[ORDER_ID] = f"form-{uuid4().hex[:12]}"
    return str(st.session_state[ORDER_ID])


def details(merchant: Merchant, now: datetime) -> dict[str, Any]:
    """The fields beside the lines, under the contract's names; empty ones are left out."""
    step = 10 ** -minor_digits(merchant.currency)
    left, middle, right = st.columns(3)
    with left:
        customer = st.text_input(
            "Customer", placeholder="customer id or address", key=_field_key("customer"), persist_state="session"
        )
        channel = st.text_input("Channel", value="web", key=_field_key("channel"), persist_state="session")
    with middle:
        placed_at = order_time.choose(merchant.time_zone, now, order_id())
    with right:
        status = st.selectbox(
            "Status", ORDER_STATUSES, format_func=words, key=_field_key("status"), persist_state="session"
        )
        experiment_id = st.text_input(
            "Experiment id (optional)", key=_field_key("experiment"), persist_state="session"
        )
        arm = (
            st.radio(
                "Arm", ["treatment", "control"], horizontal=True, key=_field_key("arm"), persist_state="session"
            )
            if experiment_id
            else None
        )
    amounts = {}
    for column, name in zip(st.columns(3), ("discount", "shipping", "tax"), strict=True):
        label = f"{name.capitalize()} ({merchant.currency})"
        amounts[name] = column.number_input(
            label, min_value=0.0, step=step, format=_format(merchant), key=_field_key(name), persist_state="session"
        )
    given = {
        "customerId": customer,
        "channel": channel,
        "experimentId": experiment_id,
        "arm": arm,
        "status": status,
    }
    return {
        **{name: value for name, value in given.items() if value},
        **{name: _decimal(amount, merchant) for name, amount in amounts.items()},
        "time": placed_at.isoformat(),
        "merchantId": merchant.merchant_id,
        "currency": merchant.currency,
        "orderId": order_id(),
    }


def lines(merchant: Merchant) -> list[dict[str, Any]]:
    """The articles, as typed so far: a row of fields each, which keep what a quick hand types."""
    rows: list[int] = st.session_state.setdefault(LINES, [0])
    typed = [_line(merchant, row, removable=len(rows) > 1) for row in rows]
    st.button("Add an article", icon=":material/add:", on_click=_add_line)
    return [line for line in typed if line["sku"]]


def _line(merchant: Merchant, row: int, *, removable: bool) -> dict[str, Any]:
    """One row's article, quantity and unit price; the price is None until there is one."""
    step = 10 ** -minor_digits(merchant.currency)
    article, quantity, unit_price, remove = st.columns([4, 2, 3, 1], vertical_alignment="bottom")
    sku = article.text_input(
        "Article", placeholder="what it is called", key=_field_key("article", row), persist_state="session"
    )
    count = quantity.number_input(
        "Quantity", min_value=1, step=1, key=_field_key("quantity", row), persist_state="session"
    )
    amount = unit_price.number_input(
        f"Unit price ({merchant.currency})",
        min_value=0.0,
        value=None,
        step=step,
        format=_format(merchant),
        placeholder="of one",
        key=_field_key("price", row),
        persist_state="session",
    )
    if removable:
        remove.button(
            ":material/delete:",
            on_click=_remove_line,
            args=(row,),
            key=_field_key("remove", row),
            help=f"Remove {sku.strip() or 'this article'}",
        )
    return {
        "sku": sku.strip(),
        "quantity": int(count),
        "unitPrice": None if amount is None else _decimal(amount, merchant),
    }


def _field_key(field: str, *place: object) -> str:
    """The session's key of a field of this order: kept on other pages too, and empty again for the next order."""
    return " ".join(map(str, (field, *place, "of", order_id())))


def _add_line() -> None:
    rows = st.session_state[LINES]
    st.session_state[LINES] = [*rows, max(rows) + 1]


def _remove_line(row: int) -> None:
    st.session_state[LINES] = [one for one in st.session_state[LINES] if one != row]


def place(sent: dict[str, Any]) -> None:
    """Place the order, say what became of it, and begin the next."""
    unpriced = [line["sku"] for line in sent["items"] if line["unitPrice"] is None]
    if unpriced:
        st.error(plain(f"Not placed: enter the unit price of {', '.join(unpriced)}."), icon=":material/error:")
        return
    try:
        with order_time.held(sent["orderId"], datetime.fromisoformat(sent["time"])):
            receipt = place_order(session.context(), sent)
    except RallyError as problem:
        st.error(plain(problem.message), icon=":material/error:")
        return
    del st.session_state[ORDER_ID], st.session_state[LINES]
    st.toast(_OUTCOMES[receipt.outcome].format(receipt.order_id), icon=":material/check:")
    st.rerun()


def recent(orders: tuple[Order, ...]) -> None:
    """The newest orders as a table."""
    zone = session.time_zone()
    st.dataframe(
        [
            {
                "Order": order.order_id,
                "Time": moment(order.time, zone),
                "Customer": order.customer_id,
                "Items": sum(item.quantity for item in order.items),
                "Total": price(order.total, order.currency),
                "Status": order.status,
                "Channel": order.channel,
            }
            for order in orders
        ],
        hide_index=True,
    )


def running_total(merchant: Merchant, sent: dict[str, Any]) -> str:
    """What the customer pays for the lines so far."""
    goods = sum(line["quantity"] * Decimal(line["unitPrice"] or 0) for line in sent["items"])
    return price(
        goods - Decimal(sent["discount"]) + Decimal(sent["shipping"]) + Decimal(sent["tax"]), merchant.currency
    )


def _format(merchant: Merchant) -> str:
    return f"%.{minor_digits(merchant.currency)}f"


def _decimal(amount: float, merchant: Merchant) -> str:
    """As typed, in the currency's decimals."""
    return f"{amount:.{minor_digits(merchant.currency)}f}"
