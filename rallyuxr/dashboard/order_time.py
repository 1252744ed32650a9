"""When the order being typed was placed: when it is sent, unless someone chooses another time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from rallyuxr.errors import InvalidInput

Reading = tuple[date, time]
FOLLOWS = "Follows the clock until you choose another day or time."


def choose(time_zone: str, now: datetime, order_id: str) -> datetime:
    """The fields of day and time on the merchant's clock, and the moment they stand for.

    As long as nobody touches them they follow the clock; a choice in either keeps both as they are seen then.
    """
    zone, day_key, clock_key = ZoneInfo(time_zone), *_field_keys(time_zone, order_id)
    following: datetime = st.session_state.get(_held_key(order_id), now).astimezone(zone)
    chosen = st.session_state.get(_chosen_key(time_zone, order_id), False)
    if not chosen:
        _show(following, time_zone, order_id)
    touched: dict[str, Any] = {"on_change": _touch, "args": (time_zone, order_id), "persist_state": "session"}
    day: date = st.date_input("Day", max_value=now.astimezone(zone).date(), key=day_key, **touched)
    clock: time = st.time_input(f"Time ({time_zone})", key=clock_key, help=FOLLOWS, **touched)
    return datetime.combine(day, clock, tzinfo=zone) if chosen else following.replace(microsecond=0)


@contextmanager
def held(order_id: str, placed_at: datetime) -> Iterator[None]:
    """Keep the time an order is first sent with, so that sending it again sends the same order.

    What was refused for its content is not stored, and follows the clock as before.
    """
    key = _held_key(order_id)
    first = key not in st.session_state
    st.session_state.setdefault(key, placed_at)
    try:
        yield
    except InvalidInput:
        if first:
            del st.session_state[key]
        raise


def _show(moment: datetime, time_zone: str, order_id: str) -> None:
    """Put the moment into the fields, to the minute, which is what they show; remember the last two put there."""
    day_key, clock_key = _field_keys(time_zone, order_id)
    reading = (moment.date(), moment.time().replace(second=0, microsecond=0))
    st.session_state[day_key], st.session_state[clock_key] = reading
    shown: list[Reading] = st.session_state.get(_shown_key(time_zone, order_id), [])
    if reading not in shown[-1:]:
        st.session_state[_shown_key(time_zone, order_id)] = [*shown[-1:], reading]


def _touch(time_zone: str, order_id: str) -> None:
    """A field changed: by hand, unless the browser sends what it had before the clock went on."""
    reading = tuple(st.session_state[key] for key in _field_keys(time_zone, order_id))
    if reading not in st.session_state[_shown_key(time_zone, order_id)]:
        st.session_state[_chosen_key(time_zone, order_id)] = True


def _field_keys(time_zone: str, order_id: str) -> tuple[str, str]:
    return f"day {time_zone} of {order_id}", f"clock {time_zone} of {order_id}"


def _chosen_key(time_zone: str, order_id: str) -> str:
    return f"time chosen {time_zone} of {order_id}"


def _shown_key(time_zone: str, order_id: str) -> str:
    return f"times shown {time_zone} of {order_id}"


def _held_key(order_id: str) -> str:
    return f"time sent of {order_id}"
