"""Regular grids from plain rows of numbers."""

from datetime import UTC, datetime, timedelta

import numpy as np

from rallyuxr.models import MetricSeries
from rallyuxr.stats.regular_grid import RegularGrid, Span, regular_grid

START = datetime(2025, 1, 15, tzinfo=UTC)


def grid_of(treatment, control, *, pre_days, weights=None, periods_per_day=24) -> RegularGrid:
    """A grid of rows (M, T) whose window starts `pre_days` after the first period."""
    treatment, control = np.atleast_2d(treatment), np.atleast_2d(control)
    step = np.timedelta64(86_400 // periods_per_day, "s")
    first = np.datetime64("2025-01-15T00:00:00") - np.timedelta64(pre_days, "D")
    times = first + np.arange(treatment.shape[1]) * step
    n = np.ones_like(treatment) if weights is None else np.atleast_2d(weights)
    series = {
        f"m{row}": MetricSeries(times, treatment[row], control[row], n[row], n[row])
        for row in range(len(treatment))
    }
    days = treatment.shape[1] // periods_per_day - pre_days
    span = Span(START - timedelta(days=pre_days), START, START + timedelta(days=days))
    return regular_grid(series, span, periods_per_day=periods_per_day)


def days_of(daily) -> tuple[datetime, ...]:
    """The beginnings of the days."""
    return tuple(START + timedelta(days=day - daily.start) for day in range(daily.difference.shape[1]))
