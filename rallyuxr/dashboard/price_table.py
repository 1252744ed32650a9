"""Every price in a line: to read, or as a row of fields to type another one into."""

from collections.abc import Sequence
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard import price_draft, session
from rallyuxr.dashboard.price_form import PRICE_HELP
from rallyuxr.dashboard.price_history import MORE, sentence
from rallyuxr.dashboard.tables import html_table
from rallyuxr.models import MetricValue
from rallyuxr.models.metric_value import CATEGORIES

PAGE = 25
FEW = 10
"""So many need no search."""
SEARCH, CATEGORY, PAGE_NUMBER = "find a price", "categories of prices", "page of prices"
HEADS = ("Metric", "Price", "Worth", "In totals", "Version")
WIDTHS = (21, 14, 30, 14, 21)


def chosen(prices: Sequence[MetricValue]) -> Sequence[MetricValue]:
    """A page of those that the search and the categories leave; first the one with the address's metric."""
    if len(prices) <= FEW:
        return prices
    left, middle, right = st.columns([5, 11, 3])
    text = left.text_input(
        "Find", key=SEARCH, placeholder="name, id or unit", persist_state="session", on_change=_first_page
    )
    kept = middle.pills(
        "Category",
        CATEGORIES,
        selection_mode="multi",
        format_func=f.words,
        key=CATEGORY,
        persist_state="session",
        on_change=_first_page,
    )
    found = [price for price in prices if _matches(price, text or "", kept)]
    pages = max(1, -(-len(found) // PAGE))
    st.session_state[PAGE_NUMBER] = min(st.session_state.get(PAGE_NUMBER) or _linked_page(found), pages)
    number = 1
    if pages > 1:
        number = right.number_input(f"Page of {pages}", 1, pages, key=PAGE_NUMBER, persist_state="session")
    if not found:
        st.caption("No metric matches. Other words or categories may.")
    return found[(number - 1) * PAGE : number * PAGE]


def _matches(price: MetricValue, text: str, categories: Sequence[str]) -> bool:
    where = f"{price.name} {price.metric_id} {price.unit}".casefold()
    return (not categories or price.category in categories) and all(
        word in where for word in text.casefold().split()
    )


def _linked_page(found: Sequence[MetricValue]) -> int:
    """The page with the metric that the address names."""
    places = {price.metric_id: place for place, price in enumerate(found)}
    return 1 + places.get(st.query_params.get("metric", ""), 0) // PAGE


def _first_page() -> None:
    st.session_state[PAGE_NUMBER] = 1


def overview(prices: Sequence[MetricValue]) -> None:
    """The prices for those who only read them."""
    if not prices:
        return
    zone = session.time_zone()
    rows = [
        {
            "Metric": price.name,
            "Worth": sentence(price),
            "Category": f.words(price.category),
            "In totals": _counts(price),
            "Version": str(price.version),
            "Changed": f.moment(price.last_updated, zone),
        }
        for price in prices
    ]
    st.html(html_table(rows))


def fields(prices: Sequence[MetricValue]) -> None:
    """The same with a field for each price; what is typed waits below until it is saved.

    Each field is labelled in full for those who hear it; the eye has the heads of the columns.
    """
    if not prices:
        return
    st.caption("Money for one more unit. Nothing changes before you save it.", help=PRICE_HELP)
    with st.container(key="prices", gap=None):
        for column, head in zip(_columns(), HEADS, strict=True):
            column.html(f'<div class="price-head">{head}</div>')
        for price in prices:
            _row(price)


def _row(price: MetricValue) -> None:
    name, amount, worth, totals, version = _columns()
    draft = price_draft.draft(price)
    changed = f.moment(price.last_updated, session.time_zone())
    name.html(_cell("", price.name, f.words(price.category), strong=True))
    amount.number_input(
        f.plain(f"{price.name}: one {f.one(price.unit)} {MORE[price.direction]} is worth, in {price.currency}"),
        min_value=0.0,
        value=None,
        format="%g",
        label_visibility="collapsed",
        placeholder=f"{price.dollars_per_unit:f}",
        key=price_draft.field(price),
        persist_state="session",
    )
    worth.html(_cell("", sentence(price), *rules(price)) + (_mark(draft) if draft else ""))
    totals.html(_cell("In totals", _counts(price)))
    version.html(_cell("Version", str(price.version), changed))


def _columns() -> tuple[DeltaGenerator, ...]:
    return st.columns(WIDTHS, vertical_alignment="center", gap="small")


def _cell(label: str, text: str, *small: str, strong: bool = False) -> str:
    """Words with smaller ones below; the label is shown where the row is stacked."""
    kind = "b" if strong else "span"
    below = "".join(f"<small>{escape(one)}</small>" for one in small)
    return f'<div class="price-cell" data-label="{label}"><{kind}>{escape(text)}</{kind}>{below}</div>'


def _mark(draft: price_draft.Draft) -> str:
    """How it stands with what was typed into the row."""
    if draft.overtaken:
        return '<div class="price-mark stopped">Changed by someone else meanwhile: decide below</div>'
    if draft.problem:
        return f'<div class="price-mark stopped">{escape(draft.problem)}</div>'
    return '<div class="price-mark">Not saved yet</div>'


def rules(price: MetricValue) -> list[str]:
    """The limits of the price in words; nothing where there are none."""
    limits = price.validation_rules
    if limits is None:
        return []
    stated = [
        *([f"at least {f.price(limits.min_value, price.currency)}"] if limits.min_value is not None else []),
        *([f"at most {f.price(limits.max_value, price.currency)}"] if limits.max_value is not None else []),
        *([f.count(limits.decimal_places, "decimal place")] if limits.decimal_places is not None else []),
    ]
    return [f"Rules: {', '.join(stated)}."] if stated else []


def _counts(price: MetricValue) -> str:
    return "counts" if price.counts_toward_total else "does not count"
