"""Series on a regular grid: half-open windows, gaps as NaN, nothing after the end."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from rallyuxr.errors import InvalidInput
from rallyuxr.models import MetricSeries
from rallyuxr.stats.regular_grid import Span, regular_grid

DAY = timedelta(days=1)
START = datetime(2025, 3, 10, tzinfo=UTC)
SPAN = Span(START - DAY, START, START + DAY, START + 5 * DAY)


def hourly(first, count, *, skip=(), value=None):
    hours = np.datetime64(first, "h") + np.arange(count)
    kept = np.array([index for index in range(count) if index not in skip])
    values = np.arange(count, dtype=float)[kept] if value is None else np.full(kept.size, value)
    n = np.ones(kept.size)
    return MetricSeries(hours[kept].astype("datetime64[s]"), values, values, n, n)


def test_windows_are_half_open_and_nothing_outside_counts():
    grid = regular_grid({"m": hourly("2025-03-08T00", 24 * 5)}, SPAN)
    assert (grid.times[0], grid.times[-1]) == (np.datetime64("2025-03-09T00"), np.datetime64("2025-03-10T23"))
    assert (grid.start, grid.times.size, grid.observed_days) == (24, 48, 1.0)
    assert grid.end == START + DAY


def test_a_missing_hour_is_nan_and_weighs_nothing():
    grid = regular_grid({"m": hourly("2025-03-09T00", 48, skip=(30,))}, SPAN)
    assert np.isnan(grid.treatment[0, 30])
    assert grid.treatment_n[0, 30] == 0
    assert not grid.used[0, 30]
    assert grid.used.sum() == 47


def test_hours_not_yet_seen_are_not_missing_but_hours_seen_without_data_are():
    series = {"m": hourly("2025-03-09T00", 30)}
    running = Span(START - DAY, START, START + DAY, START + timedelta(hours=8, minutes=20))
    assert regular_grid(series, running).times.size == 32
    unknown = Span(START - DAY, START, START + DAY)
    assert regular_grid(series, unknown).times.size == 30
    assert regular_grid(series, SPAN).times.size == 48


def test_data_of_the_whole_window_count_as_seen_whenever_they_were_published():
    early = Span(START - DAY, START, START + DAY, START - 3 * DAY)
    assert regular_grid({"m": hourly("2025-03-09T00", 48)}, early).times.size == 48


def test_days_that_begin_at_another_hour_keep_their_phase():
    days = np.datetime64("2025-03-01T23:00:00") + np.arange(20) * np.timedelta64(1, "D")
    one = np.ones(20)
    start = datetime(2025, 3, 10, 23, tzinfo=UTC)
    grid = regular_grid(
        {"m": MetricSeries(days, one, one, one, one)},
        Span(start - 7 * DAY, start, start + 7 * DAY),
        periods_per_day=1,
    )
    assert (grid.start, grid.times.size, grid.used.all()) == (7, 14, True)


def test_two_rows_in_one_period_and_no_data_are_refused():
    times = np.array(["2025-03-10T00:00", "2025-03-10T00:30"], dtype="datetime64[s]")
    one = np.ones(2)
    with pytest.raises(InvalidInput, match="two rows in one period"):
        regular_grid({"m": MetricSeries(times, one, one, one, one)}, SPAN)
    with pytest.raises(InvalidInput, match="no data lies in the experiment window"):
        regular_grid({"m": hourly("2025-03-09T00", 24)}, Span(START - DAY, START, START + DAY))
