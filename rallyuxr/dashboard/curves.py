"""Arrays as charts need them: thinned without losing an extreme, gaps shown, days made of hours. Pure."""

from datetime import datetime, tzinfo
from math import exp, lgamma, log, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from rallyuxr.models import MetricSeries
from rallyuxr.models.columns import Floats, Hours, utc64

POINTS = 1200


def extremes(values: Floats, points: int = POINTS) -> NDArray[np.intp]:
    """Positions of about `points` values that draw them all: each bucket's lowest and highest, first and last.

    A spike of one hour survives any thinning, which a mean or every n-th point would lose.

    >>> extremes(np.array([0.0, 1, 0, 0, -5, 0, 0, 9, 0, 0]), points=4)
    array([0, 1, 4, 5, 7, 9])
    """
    if values.size <= points:
        return np.arange(values.size)
    edges = np.linspace(0, values.size, max(points // 2, 1) + 1).astype(np.intp)
    bucket = np.repeat(np.arange(edges.size - 1), np.diff(edges))
    order = np.lexsort((values, bucket))
    filled = np.searchsorted(bucket[order], np.arange(edges.size))
    return np.unique(np.r_[0, order[filled[:-1]], order[filled[1:] - 1], values.size - 1])


def with_gaps(times: Hours, values: Floats) -> tuple[Hours, Floats]:
    """Insert a NaN where a period is missing, so that a line breaks there instead of bridging it.

    >>> hours = np.array(["2025-01-01T00", "2025-01-01T01", "2025-01-01T04"], dtype="datetime64[s]")
    >>> with_gaps(hours, np.array([1.0, 2.0, 3.0]))[1]
    array([ 1.,  2., nan,  3.])
    """
    if times.size < 3:
        return times, values
    steps = np.diff(times)
    after = np.flatnonzero(steps > steps.min() * 1.5) + 1
    return np.insert(times, after, times[after - 1] + steps.min()), np.insert(values, after, np.nan)


def local_times(times: Hours, zone: tzinfo) -> list[datetime]:
    """Wall times of a zone, as charts draw them."""
    return [datetime.fromtimestamp(second, zone).replace(tzinfo=None) for second in times.astype(np.int64).tolist()]


def by_day(series: MetricSeries) -> MetricSeries:
    """The same metric in UTC days: means weighted as a window's mean is, Σ n·y / Σ n."""
    days, code = np.unique(series.timestamps.astype("datetime64[D]"), return_inverse=True)

    def total(column: Floats) -> Floats:
        return np.bincount(code, weights=np.nan_to_num(column), minlength=days.size).astype(np.float64)

    def mean(values: Floats, weight: Floats) -> Floats:
        seen = np.where(np.isnan(values), 0.0, weight)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(total(values * seen) / total(seen))

    return MetricSeries(
        days.astype("datetime64[s]"),
        mean(series.treatment, series.treatment_weight),
        mean(series.control, series.control_weight),
        total(series.treatment_n),
        total(series.control_n),
        None if series.treatment_denominator is None else total(series.treatment_denominator),
        None if series.control_denominator is None else total(series.control_denominator),
    )


def student_density(points: Floats, centre: float, scale: float, dof: float | None) -> Floats:
    """The density of `centre + scale · t(dof)`; the normal one where `dof` is absent.

    >>> student_density(np.array([0.0]), 0.0, 1.0, None).round(4)
    array([0.3989])
    """
    z = (points - centre) / scale
    if dof is None:
        return np.asarray(np.exp(-z * z / 2) / (scale * sqrt(2 * pi)))
    constant = exp(lgamma((dof + 1) / 2) - lgamma(dof / 2) - log(dof * pi) / 2)
    return np.asarray(constant * (1 + z * z / dof) ** (-(dof + 1) / 2) / scale)


def window_mask(times: Hours, start: datetime, end: datetime) -> NDArray[np.bool_]:
    """Which times fall in the half-open window."""
    return np.asarray((times >= utc64(start)) & (times < utc64(end)))
