"""The arms' difference day by day, with a band that covers all days at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from rallyuxr.models.diagnostics import EventStudy
from rallyuxr.stats.regular_grid import RegularGrid
from rallyuxr.stats.series import ROUNDING, absent_for_nan
from rallyuxr.stats.student import t_quantile

Array = NDArray[np.float64]

MAX_DAILY_MEMORY = 0.9
RANKS = 200
"""Values of the days' scatter over which a band's critical value is averaged; it is within 1e-4 of its limit."""
MAX_STEPS = 50
MIN_DAYS = 4
"""Days with data below which their scatter cannot be told."""


@dataclass(frozen=True, eq=False)
class DailyDifferences:
    """M metrics over N days of 24 hours, counted from the experiment's start in both directions.

    Attributes
    ----------
    difference
        (M, N) treatment minus control of the day's means Σ n·y / Σ n; NaN for a day with less than half its data.
    start
        Number of baseline days.
    level
        (M,) largest absolute daily mean: differences far below it are rounding.
    """

    difference: Array
    start: int
    level: Array

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """(M, N) days that have data."""
        return np.isfinite(self.difference)

    @cached_property
    def filled(self) -> Array:
        """(M, N) the differences, 0 on days without data."""
        return np.where(self.present, self.difference, 0.0)

    @property
    def windows(self) -> tuple[slice, ...]:
        """The baseline's days, where there are any, and the experiment's."""
        post = slice(self.start, None)
        return (slice(0, self.start), post) if self.start else (post,)


def daily_differences(grid: RegularGrid) -> DailyDifferences:
    """Aggregate to days: hourly day dummies under hourly standard errors shrink them (see docs/diagnostics.md)."""
    per_day = grid.periods_per_day
    front, back = -grid.start % per_day, -(grid.times.size - grid.start) % per_day
    used, complete = grid.used, grid.complete
    periods = np.ones(per_day)

    def by_day(values: Array) -> Array:
        padded = np.pad(values, ((0, 0), (front, back))) if front or back else values
        sums: Array = padded.reshape(len(values), -1, per_day) @ periods
        return sums

    def mean(values: Array, weights: Array) -> Array:
        if not complete:
            values, weights = np.where(used, values, 0.0), np.where(used, weights, 0.0)
        return by_day(weights * values) / by_day(weights)

    with np.errstate(all="ignore"):
        arms = mean(grid.treatment, grid.treatment_weight), mean(grid.control, grid.control_weight)
        difference = arms[0] - arms[1]
        if not complete or front or back:
            difference = np.where(by_day(used.astype(float)) >= per_day / 2, difference, np.nan)
        level = np.fmax.reduce(np.fmax(*map(np.abs, arms)), axis=1, initial=0.0)
    return DailyDifferences(difference, (grid.start + front) // per_day, level)


def event_studies(
    daily: DailyDifferences, days: Sequence[datetime], *, confidence_level: float = 0.95
) -> tuple[EventStudy, ...]:
    """How did the effect evolve, and was there any before the start?

    Each day's difference minus the baseline days' mean difference. Days are correlated as in a
    first-order autoregression whose memory and variance come from the days' deviations from their
    window's mean, corrected for the bias that these means cause. The band is simultaneous: its
    critical value is the studentized maximum modulus, exact for independent days and conservative
    for any correlation (Šidák 1967).

    Parameters
    ----------
    daily
        M metrics over N days.
    days
        The N days' beginnings.

    References
    ----------
    Kendall (1954), Biometrika 41:403-404 (bias of the memory). Šidák (1967), Journal of the American
    Statistical Association 62:626-633. Montiel Olea and Plagborg-Møller (2019), Journal of Applied
    Econometrics 34:1-17 (why a simultaneous band).
    """
    with np.errstate(all="ignore"):
        scatter = _scatter(daily)
    critical = np.array(
        [
            studentized_maximum_modulus(count, int(dof), confidence_level) if dof >= 1 else np.nan
            for count, dof in zip(scatter.days, np.minimum(scatter.dof, 1e4).tolist(), strict=True)
        ]
    )
    columns = np.empty((4, *daily.difference.shape))
    std_error = columns[1]
    with np.errstate(all="ignore"):
        np.subtract(daily.difference, scatter.means[:, :1] if daily.start else 0.0, out=columns[0])
        np.sqrt(_contrast_variance(daily, scatter), out=std_error)
        std_error[~daily.present] = np.nan
        margin = critical[:, None] * std_error
        np.subtract(columns[0], margin, out=columns[2])
        np.add(columns[0], margin, out=columns[3])
    known = [[tuple(row) for row in rows] for rows in absent_for_nan(columns).tolist()]
    rows = zip(*known, critical.tolist(), strict=True)
    baseline, moments = _reference(daily), tuple(days)
    return tuple(
        EventStudy(
            days=moments,
            estimate=estimates,
            std_error=errors,
            band_lower=lowest,
            band_upper=highest,
            reference=baseline,
            critical_value=value if reason is None else None,
            confidence_level=confidence_level,
            reason=reason,
        )
        for (estimates, errors, lowest, highest, value), reason in zip(rows, scatter.lacks, strict=True)
    )


@lru_cache(maxsize=512)
def studentized_maximum_modulus(count: int, dof: int, confidence_level: float) -> float:
    """The value that `count` independent t variables sharing one variance estimate all stay below.

    Solves E[(2Φ(c·s) - 1)^count] = confidence_level over s² ~ χ²/dof by Newton's method from Šidák's bound. The
    expectation is a sum over ranks of s, which lie close together where s is near its ends.

    References
    ----------
    Stoline and Ury (1979), Technometrics 21:87-93 (tables).

    Examples
    --------
    >>> round(studentized_maximum_modulus(1, 10, 0.95), 2), round(studentized_maximum_modulus(10, 20, 0.95), 2)
    (2.23, 3.11)
    """
    angles = np.pi * (np.arange(RANKS) + 0.5) / RANKS
    weights = np.sin(angles) * np.pi / (2 * RANKS)
    scale = np.sqrt(scipy.special.chdtri(dof, np.cos(angles / 2) ** 2) / dof)
    value = t_quantile(0.5 + 0.5 * confidence_level ** (1.0 / count), dof)
    for _ in range(MAX_STEPS):
        inside = 2.0 * scipy.special.ndtr(value * scale) - 1.0
        others = inside ** (count - 1)
        density = math.sqrt(2.0 / math.pi) * np.exp(-0.5 * np.square(value * scale))
        step = (weights @ (others * inside) - confidence_level) / (count * weights @ (others * scale * density))
        value = max(float(value - step), value / 2)
        if abs(step) <= 1e-10 * value:
            break
    return value


class _Scatter(NamedTuple):
    """How M metrics' days scatter around the means of their W windows."""

    days: list[int]
    """Days with data, by metric."""
    means: Array
    """(M, W), 0 where there is no day."""
    mean_variances: Array
    """(M, W) variance of a window's mean over that of a day."""
    variance: Array
    """(M,) of a day."""
    memory: Array
    """(M,) correlation of neighbouring days."""
    dof: Array
    """(M,) degrees of freedom."""
    lacks: tuple[str | None, ...]
    """Why there is no scatter, by metric."""


def _scatter(daily: DailyDifferences) -> _Scatter:
    inside = _membership(daily.difference.shape[1], daily.start)
    counts = daily.present @ inside
    means = daily.filled @ inside / np.maximum(counts, 1.0)
    deviation = np.where(daily.present, daily.filled - means @ inside.T, 0.0)
    squares = np.vecdot(deviation, deviation)
    products = np.vecdot(deviation[:, 1:], deviation[:, :-1])
    if 0 < daily.start < deviation.shape[1]:
        products -= deviation[:, daily.start] * deviation[:, daily.start - 1]  # neighbours of different windows
    total = np.add.reduce(counts, axis=1)
    raw = products / squares
    memory = np.minimum(np.maximum(raw + (1.0 + 3.0 * raw) * inside.shape[1] / total, 0.0), MAX_DAILY_MEMORY)
    mean_variances = _mean_variance(memory[:, None], counts)
    free = total - np.vecdot(counts, mean_variances)
    variance = squares / free
    dof = np.maximum(free * (1.0 - memory**2) / (1.0 + memory**2), 2.0)
    varies = np.sqrt(squares) > ROUNDING * daily.level
    days = total.astype(int).tolist()
    lacks = tuple(map(_no_scatter, days, varies.tolist()))
    usable = varies & (total >= MIN_DAYS)
    if not usable.all():
        variance, dof = np.where(usable, variance, np.nan), np.where(usable, dof, np.nan)
    return _Scatter(days, means, mean_variances, variance, memory, dof, lacks)


@lru_cache(maxsize=32)
def _membership(days: int, start: int) -> Array:
    """(N, W) 1 where a day lies in a window."""
    post = np.arange(days) >= start
    inside: Array = np.stack([~post, post] if start else [post], axis=1).astype(float)
    inside.setflags(write=False)
    return inside


def _no_scatter(days: int, varies: bool) -> str | None:
    if days < MIN_DAYS:
        return f"{days} days with data; {MIN_DAYS} are needed to see how days scatter"
    return None if varies else "the days do not vary, so their scatter cannot be estimated"


def _mean_variance(memory: Array, count: Array) -> Array:
    """Variance of the mean of `count` days over the variance of one day: (1 + 2 Σ (1 - k/n) ρ^k) / n."""
    left = (1.0 - memory) * np.maximum(count, 1.0)
    variance = ((1.0 + memory) - 2.0 * memory * (1.0 - memory**count) / left) / left
    return np.where(count > 0, variance, 0.0)


def _contrast_variance(daily: DailyDifferences, scatter: _Scatter) -> Array:
    """(M, N) variance of a day's difference minus the baseline's mean, under memory ρ."""
    variance, memory = scatter.variance[:, None], scatter.memory[:, None]
    days, baseline = daily.difference.shape[1], daily.start
    if not baseline:
        return np.broadcast_to(variance, daily.difference.shape)
    powers = memory ** np.arange(max(baseline, days - baseline) + 1)
    shared = np.empty(daily.difference.shape)
    np.subtract(1.0 + memory - powers[:, 1 : baseline + 1], powers[:, baseline:0:-1], out=shared[:, :baseline])
    np.multiply(powers[:, 1 : days - baseline + 1], 1.0 - powers[:, [baseline]], out=shared[:, baseline:])
    shared *= 2.0 / ((1.0 - memory) * baseline)
    return variance * (1.0 + scatter.mean_variances[:, :1] - shared)


def _reference(daily: DailyDifferences) -> str:
    if daily.start:
        return f"mean of the {daily.start} days before the start"
    return "none: without a baseline these are the arms' plain differences"
