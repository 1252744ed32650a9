"""The arms' difference day by day, with a band that covers all days at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

from rallyuxr.models.diagnostics import EventStudy
from rallyuxr.stats.regular_grid import RegularGrid
from rallyuxr.stats.series import ROUNDING

Array = NDArray[np.float64]

MAX_DAILY_MEMORY = 0.9
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

    @property
    def windows(self) -> tuple[slice, ...]:
        """The baseline's days, where there are any, and the experiment's."""
        post = slice(self.start, None)
        return (slice(0, self.start), post) if self.start else (post,)


def daily_differences(grid: RegularGrid) -> DailyDifferences:
    """Aggregate to days: hourly day dummies under hourly standard errors shrink them (see docs/diagnostics.md)."""
    per_day = grid.periods_per_day
    front, back = -grid.start % per_day, -(grid.times.size - grid.start) % per_day
    used = grid.used

    def by_day(values: Array) -> Array:
        padded = np.pad(values, ((0, 0), (front, back))) if front or back else values
        sums: Array = padded.reshape(len(values), -1, per_day).sum(axis=2)
        return sums

    with np.errstate(all="ignore"):
        means = []
        for values, weights in ((grid.treatment, grid.treatment_weight), (grid.control, grid.control_weight)):
            weight = np.where(used, weights, 0.0)
            means.append(by_day(weight * np.where(used, values, 0.0)) / by_day(weight))
        enough = by_day(used.astype(float)) >= per_day / 2
        difference = np.where(enough, means[0] - means[1], np.nan)
        level = np.nanmax(np.abs(means), axis=(0, 2), initial=0.0)
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
    scatter = _scatter(daily)
    counts = daily.present.sum(axis=1).tolist()
    with np.errstate(all="ignore"):
        reference = np.nan_to_num(_mean(daily.difference[:, : daily.start]))
        estimate = daily.difference - reference[:, None]
        std_error = np.where(daily.present, np.sqrt(_contrast_variance(daily, scatter)), np.nan)
        critical = np.array(
            [
                studentized_maximum_modulus(count, int(dof), confidence_level) if dof >= 1 else np.nan
                for count, dof in zip(counts, np.minimum(scatter.dof, 1e4).tolist(), strict=True)
            ]
        )
        margin = critical[:, None] * std_error
        columns = [estimate, std_error, estimate - margin, estimate + margin]
    rows = zip(*(_absent_for_nan(column) for column in columns), critical.tolist(), strict=True)
    baseline, moments = _reference(daily), tuple(days)
    return tuple(
        EventStudy(
            days=moments,
            estimate=estimates,
            std_error=errors,
            band_lower=lower,
            band_upper=upper,
            reference=baseline,
            critical_value=value if reason is None else None,
            confidence_level=confidence_level,
            reason=reason,
        )
        for (estimates, errors, lower, upper, value), reason in zip(rows, scatter.lacks, strict=True)
    )


@lru_cache(maxsize=512)
def studentized_maximum_modulus(count: int, dof: int, confidence_level: float) -> float:
    """The value that `count` independent t variables sharing one variance estimate all stay below.

    Solves E[(2Φ(c·s) - 1)^count] = confidence_level over s² ~ χ²/dof by bisection on a fixed grid.

    References
    ----------
    Stoline and Ury (1979), Technometrics 21:87-93 (tables).

    Examples
    --------
    >>> round(studentized_maximum_modulus(1, 10, 0.95), 2), round(studentized_maximum_modulus(10, 20, 0.95), 2)
    (2.23, 3.11)
    """
    ranks = (np.arange(2000) + 0.5) / 2000
    scale = np.sqrt(scipy.special.chdtri(dof, 1.0 - ranks) / dof)
    low, high = 0.0, 1e3
    for _ in range(60):
        middle = (low + high) / 2
        if np.mean((2.0 * scipy.special.ndtr(middle * scale) - 1.0) ** count) < confidence_level:
            low = middle
        else:
            high = middle
    return high


@dataclass(frozen=True, eq=False)
class _Scatter:
    """How M metrics' days scatter: variance of a day, correlation of neighbours, degrees of freedom, each (M,)."""

    variance: Array
    memory: Array
    dof: Array
    lacks: tuple[str | None, ...]


def _scatter(daily: DailyDifferences) -> _Scatter:
    squares = products = 0.0
    for window in daily.windows:
        days = daily.difference[:, window]
        deviation = np.where(daily.present[:, window], days - _mean(days)[:, None], 0.0)
        squares = squares + np.square(deviation).sum(axis=1)
        products = products + (deviation[:, 1:] * deviation[:, :-1]).sum(axis=1)
    counts = [daily.present[:, window].sum(axis=1) for window in daily.windows]
    total = np.sum(counts, axis=0)
    with np.errstate(all="ignore"):
        raw = products / squares
        memory = np.clip(raw + (1.0 + 3.0 * raw) * len(counts) / total, 0.0, MAX_DAILY_MEMORY)
        free = total - np.sum([count * _mean_variance(memory, count) for count in counts], axis=0)
        variance = squares / free
        dof = np.maximum(free * (1.0 - memory**2) / (1.0 + memory**2), 2.0)
    known = np.sqrt(np.asarray(squares)) > ROUNDING * daily.level
    lacks = tuple(
        f"{count} days with data; {MIN_DAYS} are needed to see how days scatter"
        if count < MIN_DAYS
        else (None if varies else "the days do not vary, so their scatter cannot be estimated")
        for count, varies in zip(total.tolist(), known.tolist(), strict=True)
    )
    usable = np.array([reason is None for reason in lacks])
    return _Scatter(np.where(usable, variance, np.nan), memory, np.where(usable, dof, np.nan), lacks)


def _mean_variance(memory: Array, count: NDArray[np.int64]) -> Array:
    """Variance of the mean of `count` days over the variance of one day: (1 + 2 Σ (1 - k/n) ρ^k) / n."""
    inner = (1.0 + memory) / (1.0 - memory)
    inner = inner - 2.0 * memory * (1.0 - memory**count) / (count * (1.0 - memory) ** 2)
    return np.where(count > 0, inner / np.maximum(count, 1), 0.0)


def _contrast_variance(daily: DailyDifferences, scatter: _Scatter) -> Array:
    """(M, N) variance of a day's difference minus the baseline's mean, under memory ρ."""
    variance, memory = scatter.variance[:, None], scatter.memory[:, None]
    days = daily.difference.shape[1]
    if not daily.start:
        return np.broadcast_to(variance, daily.difference.shape)
    position, baseline = np.arange(days), daily.start
    inside = 1.0 + memory - memory ** (position + 1.0) - memory ** np.maximum(baseline - position, 0.0)
    after = memory ** np.maximum(position - baseline + 1.0, 0.0) * (1.0 - memory**baseline)
    shared = np.where(position < baseline, inside, after) / ((1.0 - memory) * baseline)
    count = daily.present[:, :baseline].sum(axis=1)
    return variance * (1.0 - 2.0 * shared + _mean_variance(scatter.memory, count)[:, None])


def _mean(rows: Array) -> Array:
    """(M,) means over the days with data; NaN where there is none."""
    present = np.isfinite(rows)
    with np.errstate(all="ignore"):
        mean: Array = np.where(present, rows, 0.0).sum(axis=1) / present.sum(axis=1)
    return mean


def _reference(daily: DailyDifferences) -> str:
    if daily.start:
        return f"mean of the {daily.start} days before the start"
    return "none: without a baseline these are the arms' plain differences"


def _absent_for_nan(rows: Array) -> list[tuple[float | None, ...]]:
    finite = np.isfinite(rows)
    if finite.all():
        return [tuple(row) for row in rows.tolist()]
    columns = zip(rows.tolist(), finite.tolist(), strict=True)
    return [tuple(value if known else None for value, known in zip(*row, strict=True)) for row in columns]
