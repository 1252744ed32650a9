"""A number to play with: a slider around what it is now, and beside it a field for the exact number, in step."""

from dataclasses import dataclass
from math import ceil, floor, log10

import streamlit as st

SPAN = 3
"""A slider reaches to so many times the value it starts from."""


@dataclass(frozen=True, slots=True)
class Dial:
    """What may be set: `slider` is the range of its handle, `exact` the wider one of its field; `step` of both."""

    label: str
    slider: tuple[float, float]
    exact: tuple[float, float | None]
    step: float
    format: str = "%.10g"
    help: str | None = None


def around(value: float) -> tuple[tuple[float, float], float]:
    """A slider's range from zero to some times a value, and its step, both in round numbers.

    >>> around(1200.0), around(0.35), around(15.5)
    (((0.0, 3600.0), 10.0), ((0.0, 1.1), 0.001), ((0.0, 47.0), 0.1))
    """
    mark = _place(SPAN * value, digits=2)
    return (0.0, round(ceil(round(SPAN * value / mark, 9)) * mark, 12)), _place(value, digits=3)


def dial(setting: Dial, *, key: str, disabled: bool = False) -> float:
    """Draw both and return the exact number, which is in the session under `key`; the least where there is none.

    The field holds the number. The handle follows it, as far as it reaches; moving the handle sets the field.
    """
    handle = f"{key}, handle"
    lowest, highest = setting.slider
    st.session_state[handle] = min(max(st.session_state[key] or lowest, lowest), highest)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.slider(
            setting.label,
            lowest,
            highest,
            step=setting.step,
            format=setting.format,
            disabled=disabled,
            help=setting.help,
            on_change=_follow,
            args=(handle, key, setting.step),
            key=handle,
        )
        st.number_input(
            f"{setting.label}, exactly",
            *setting.exact,
            step=setting.step,
            format=setting.format if isinstance(setting.step, float) else None,
            disabled=disabled,
            placeholder="none",
            label_visibility="collapsed",
            width=130,
            key=key,
        )
    entered = st.session_state[key]
    return setting.exact[0] if entered is None else entered


def _follow(handle: str, key: str, step: float) -> None:
    """Take the handle's number over into the field, without the dust of binary fractions."""
    moved = st.session_state[handle]
    st.session_state[key] = moved if isinstance(moved, int) else round(moved, max(0, -floor(log10(step))))


def _place(value: float, *, digits: int) -> float:
    """What the last of so many significant digits counts."""
    return float(10.0 ** (floor(log10(value)) - digits + 1))
