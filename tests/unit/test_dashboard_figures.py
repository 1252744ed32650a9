"""Figures say what their data say."""

from datetime import UTC, datetime

from rallyuxr.dashboard import figures

MONDAY, TUESDAY, FRIDAY = (datetime(2025, 6, day, tzinfo=UTC) for day in (2, 3, 6))


def test_a_value_holds_from_its_change_until_now_and_each_change_is_a_dot():
    line, dots = figures.steps([MONDAY, TUESDAY], [10.0, 12.5], until=FRIDAY, axis="USD per dollar").data
    assert list(zip(line.x, line.y, strict=True)) == [(MONDAY, 10.0), (TUESDAY, 12.5), (FRIDAY, 12.5)]
    assert line.line.shape == "hv"
    assert list(zip(dots.x, dots.y, strict=True)) == [(MONDAY, 10.0), (TUESDAY, 12.5)]


def test_a_clock_that_is_behind_turns_no_line_back():
    line, _ = figures.steps([TUESDAY], [10.0], until=MONDAY, axis="USD per dollar").data
    assert line.x[-1] == TUESDAY
