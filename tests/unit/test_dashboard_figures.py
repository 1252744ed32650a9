"""Figures say what their data say."""

from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import plotly.graph_objects as go

from rallyuxr.dashboard import figures

MONDAY, TUESDAY, FRIDAY = (datetime(2025, 6, day, tzinfo=UTC) for day in (2, 3, 6))


def price_chart(times: list[datetime], values: list[float], *, until: datetime, zone: tzinfo = UTC) -> go.Figure:
    return figures.steps(times, values, until=until, axis="USD per dollar", zone=zone)


def points(trace: Any) -> list[tuple[str, float]]:
    """As they are drawn: wall times, for Plotly draws times with a zone in UTC."""
    assert all(at.tzinfo is None for at in trace.x)
    return [(f"{at:%a %H:%M}", value) for at, value in zip(trace.x, trace.y, strict=True)]


def test_a_value_holds_from_its_change_until_now_and_each_change_is_a_dot():
    line, dots = price_chart([MONDAY, TUESDAY], [10.0, 12.5], until=FRIDAY).data
    assert points(line) == [("Mon 00:00", 10.0), ("Tue 00:00", 12.5), ("Fri 00:00", 12.5)]
    assert line.line.shape == "hv"
    assert points(dots) == [("Mon 00:00", 10.0), ("Tue 00:00", 12.5)]


def test_a_clock_that_is_behind_turns_no_line_back():
    line, _ = price_chart([TUESDAY], [10.0], until=MONDAY).data
    assert points(line)[-1] == ("Tue 00:00", 10.0)


def test_prices_change_on_the_readers_clock_which_the_axis_names_once():
    figure = price_chart([MONDAY, TUESDAY], [10.0, 12.5], until=FRIDAY, zone=ZoneInfo("America/New_York"))
    line, dots = figure.data
    assert points(line) == [("Sun 20:00", 10.0), ("Mon 20:00", 12.5), ("Thu 20:00", 12.5)]  # four hours behind UTC
    assert points(dots) == [("Sun 20:00", 10.0), ("Mon 20:00", 12.5)]
    assert figure.layout.xaxis.title.text == "Time (America/New_York)"
