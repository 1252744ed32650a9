"""Variance of a sum of serially correlated hours: the estimators that an effect's error can rest on.

Each estimator takes the same thing: what every hour contributes to the errors of K estimates, and the
windows (baseline and post, or post alone) that hold the hours. The errors are the sums of the contributions
over all hours; the estimators answer with their covariance. Degrees of freedom are those of estimate 0.

Notation: Ω is the long-run variance, the sum of all autocovariances, so that Var(Σ x) ≈ L Ω.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rallyuxr.stats.autoregression import MAX_ORDER, fit_autoregression

Array = NDArray[np.float64]

# Chosen by measurement: docs/method.md, benchmarks/size_grid.py.
COSINE_RATE = 0.375  # cosines = rate · L^(2/3)
MIN_COSINES = 4
MIN_HOURS = 2 * MIN_COSINES  # of which a window's cosines can be taken
BORROWING_SHARE = 4  # a window this many times shorter than the other takes its Ω
UNIT_ROOT_DISTANCE = 5.0  # 1 - Σφ is taken to be at least this over the number of hours
MIN_DOF = 2.0
CYCLE_DAYS = 6  # a window needs as many to have its daily cycle taken out


class Contributions(NamedTuple):
    """T hours of M metrics in windows that follow each other without a gap."""

    errors: Array
    """(M, K, T): what each hour adds to the errors of K estimates."""
    memory: Array
    """(M, T): the series that autoregressions are fitted to."""
    windows: tuple[slice, ...]
    """One window after the other; together they span the T hours."""
    cycle: int = 1
    """Periods of the daily cycle that is still in the errors and that no cosine may see; 1 where there is none."""
    line: bool = False
    """Whether the errors still have a line that no cosine may see."""

    @property
    def lengths(self) -> tuple[int, ...]:
        """Hours in each window."""
        return tuple(window.stop - window.start for window in self.windows)

    @property
    def parts(self) -> list[Array]:
        """Each window's errors."""
        return [self.errors[..., window] for window in self.windows]


class SumVariance(NamedTuple):
    """How uncertain the sums of M metrics' contributions are."""

    covariance: Array
    """(M, K, K): covariance of the K sums of each metric."""
    dof: Array
    """(M,): degrees of freedom of the t distribution for series 0."""
    persistence: Array
    """(M,): sum of the fitted autoregressive coefficients, 0 where the method fits none."""
    memory_dof: Array
    """(M,): what `dof` would be if only that sum were uncertain, infinite where the method fits none."""


def prewhitened_ewc(hours: Contributions, *, max_order: int = MAX_ORDER) -> SumVariance:
    """Prewhitened equal-weighted-cosine variance, one Ω per window: the default.

    An autoregression explains most of the serial correlation: at frequency ω the spectrum it leaves is
    |A(ω)|² times that of the contributions, A(ω) = 1 - Σ φ_j e^(-ijω). The mean of the lowest cosine
    coefficients' squares, each times |A|² at its own frequency, estimates what is left at frequency
    zero, and Ω is that over A(0)² = (1 - Σφ)². The degrees of freedom are Satterthwaite's and count both
    sources of error: the cosines' and, by the delta method, 4·Var(Σφ)/(1 - Σφ)² for the recolouring. A
    window shorter than a quarter of the other takes Ω from it.

    References
    ----------
    Andrews and Monahan (1992), Econometrica 60:953-966. Lazarus, Lewis, Stock and Watson (2018),
    Journal of Business & Economic Statistics 36:541-559.
    """
    lengths = hours.lengths
    model = fit_autoregression(hours.memory, hours.windows, min(max_order, max(lengths) // 14))
    measured = _measured(lengths)
    left = {length: _left(model.whitener, length) for length in {lengths[index] for index, _ in measured}}
    parts = []
    for index, weight in measured:
        errors, length = hours.errors[..., hours.windows[index]], lengths[index]
        cosines = _cosines(length, number_of_cosines(length), hours.cycle, hours.line)
        parts.append((weight * _cosine_variance(errors, cosines, left[length]), cosines.shape[1]))
    recolour = 1.0 / np.maximum(model.remainder, UNIT_ROOT_DISTANCE / sum(lengths))
    squared = recolour * recolour
    memory_error = 4.0 * model.variance * squared
    covariance, error = _sum(parts)
    dof = np.maximum(2.0 / (error + memory_error), MIN_DOF)
    return SumVariance(covariance * squared[:, None, None], dof, model.persistence, 2.0 / memory_error)


@lru_cache(maxsize=32)
def _measured(lengths: tuple[int, ...]) -> tuple[tuple[int, float], ...]:
    """The windows whose Ω is measured, and what it is multiplied by; too short a window borrows the first one's."""
    least = max(MIN_HOURS, max(lengths) / BORROWING_SHARE)
    weights = {index: float(length) for index, length in enumerate(lengths) if length >= least}
    lender = min(weights)
    for index, length in enumerate(lengths):
        if index not in weights:
            weights[lender] += lengths[lender] ** 2 / length
    return tuple(weights.items())


def ewc(hours: Contributions) -> SumVariance:
    """Equal-weighted-cosine variance per window without prewhitening (Lazarus et al. 2018)."""
    parts = []
    for errors, length in zip(hours.parts, hours.lengths, strict=True):
        cosines = _cosines(length, number_of_cosines(length, 0.4))
        count = cosines.shape[1]
        parts.append((_cosine_variance(errors, cosines, length / count), count))
    return _satterthwaite(parts)


def newey_west(hours: Contributions) -> SumVariance:
    """Newey and West (1987) with the textbook lag 4(T/100)^(2/9) and the normal distribution.

    The same number as a regression of the arms' difference on a post dummy gives. Rejects true nulls
    far too often under strong serial correlation; kept for comparison.
    """
    lag = int(4.0 * (hours.errors.shape[-1] / 100.0) ** (2.0 / 9.0))
    return _without_memory(_bartlett_sum(hours.errors, lag), np.full(len(hours.errors), np.inf))


def newey_west_fixed_b(hours: Contributions) -> SumVariance:
    """Newey-West per window with lag 1.3·√L and a t distribution that knows the lag's share b of L.

    Fixed-b theory for the Bartlett kernel: the mean costs the estimate the share b, and its noise is
    that of 3/(2b) degrees of freedom (Sun 2014, Journal of Econometrics 178:659-677).
    """
    parts = []
    for errors in hours.parts:
        length = errors.shape[-1]
        lag = min(math.ceil(1.3 * math.sqrt(length)), length - 1)
        share = min((lag + 1) / length, 0.75)
        parts.append((_bartlett_sum(errors, lag) / (1.0 - share), 1.5 / share))
    return _satterthwaite(parts)


def block_means(hours: Contributions, size: int) -> SumVariance:
    """Welch's test on the means of blocks of `size` hours, taken as independent; 1 is hour by hour.

    Hours after the last full block are left out of the variance, not of the estimate.
    """
    parts = []
    for errors in hours.parts:
        blocks = _block_sums(errors, size)
        count = blocks.shape[-1]
        blocks = blocks - blocks.mean(axis=-1, keepdims=True)
        scale = errors.shape[-1] / size / (count - 1)
        parts.append((blocks @ blocks.swapaxes(-1, -2) * scale, count - 1))
    return _satterthwaite(parts)


def blocked_prewhitened_ewc(hours: Contributions, size: int = 4) -> SumVariance:
    """The default's estimator on sums of `size` hours with an autoregression of order one."""
    parts = [without_daily_cycle(errors, hours.cycle) for errors in hours.parts]
    errors = np.concatenate([_block_sums(part, size) for part in parts], axis=-1)
    memory = np.concatenate([_block_sums(hours.memory[:, window], size) for window in hours.windows], axis=-1)
    ends = np.cumsum([0, *(length // size for length in hours.lengths)]).tolist()
    return prewhitened_ewc(Contributions(errors, memory, tuple(map(slice, ends[:-1], ends[1:]))), max_order=1)


def adjusted_contributions(
    errors: Array,
    memory: Array,
    windows: tuple[slice, ...],
    *,
    used: NDArray[np.bool_] | None,
    periods_per_day: int,
    line: bool = False,
) -> Contributions:
    """Contributions without what is no noise: the daily cycle of each window and, if asked for, its line.

    From errors (M, K, T), memory (M, T) and the hours that count. Where none is missing, and `used` is None, the
    errors keep cycle and line, and the cosines that they meet have neither: that gives the same coefficients, at no
    cost.
    """
    if used is None:
        length = windows[0].stop
        if length * len(windows) == memory.shape[1]:  # windows of one length, side by side
            side_by_side = memory.reshape(len(memory), -1, length)
            memory = _without_pattern(side_by_side, periods_per_day, None, line).reshape(memory.shape)
        else:
            parts = [_without_pattern(memory[:, window], periods_per_day, None, line) for window in windows]
            memory = np.concatenate(parts, axis=1)
        return Contributions(errors, memory, windows, periods_per_day, line)
    everything = np.concatenate([errors, memory[:, None]], axis=1)
    parts = [
        _without_pattern(everything[..., window], periods_per_day, used[:, None, window], line)
        for window in windows
    ]
    adjusted = np.concatenate(parts, axis=-1)
    return Contributions(adjusted[:, :-1], adjusted[:, -1], windows)


def _without_pattern(
    series: Array, periods_per_day: int, used: NDArray[np.bool_] | None = None, line: bool = False
) -> Array:
    return without_daily_cycle(_without_line(series, used) if line else series, periods_per_day, used)


def _without_line(series: Array, used: NDArray[np.bool_] | None = None) -> Array:
    """One window's series (..., L) less their least-squares slopes; hours that do not count stay 0."""
    position = _position(series.shape[-1])
    slope = series @ position
    around: Array = series - slope[..., None] * position
    return around if used is None else np.where(used, around, 0.0)


@lru_cache(maxsize=32)
def _position(length: int) -> Array:
    """(L,) the hours' numbers around their mean, of length 1."""
    position = np.arange(length, dtype=np.float64) - (length - 1) / 2
    position /= math.sqrt(np.vecdot(position, position)) or 1.0
    position.setflags(write=False)
    return position


def without_daily_cycle(series: Array, periods_per_day: int, used: NDArray[np.bool_] | None = None) -> Array:
    """Take each hour of day's own mean out of one window's series (..., L).

    A daily cycle that differs between the arms is not noise. `used`, which broadcasts to the series, says
    which hours count where not all do; the others stay 0. Windows of fewer than six days are returned as they
    are: their hourly means would hold more noise than cycle.
    """
    length = series.shape[-1]
    if periods_per_day < 2 or length < CYCLE_DAYS * periods_per_day:
        return series
    in_days = _by_day(series, periods_per_day)
    days = in_days.shape[-2]
    if used is None and days * periods_per_day == length:
        share: Array | float = 1.0 / days
    else:
        counted = _by_day(np.ones(length) if used is None else used, periods_per_day)
        share = 1.0 / np.maximum(np.add.reduce(counted, axis=-2), 1)
    cycle = np.vecmat(np.ones(days), in_days) * share
    adjusted: Array = (in_days - cycle[..., None, :]).reshape(*series.shape[:-1], -1)[..., :length]
    return adjusted if used is None else np.where(used, adjusted, 0.0)


def _by_day(values: NDArray[Any], periods_per_day: int) -> NDArray[Any]:
    """(..., L) as (..., days, periods), the last day filled up with zeros."""
    missing = -values.shape[-1] % periods_per_day
    if missing:
        values = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)])
    return values.reshape(*values.shape[:-1], -1, periods_per_day)


def _cosine_variance(window: Array, cosines: Array, weights: Array | float) -> Array:
    """Ω (M, K, K) of (M, K, L): the sum of its coefficients' squares on (L, B) cosines, weighted by (M, 1, B)."""
    rows = window.reshape(-1, window.shape[-1]) @ cosines
    coefficients = rows.reshape(*window.shape[:-1], -1)
    variance: Array = coefficients * weights @ coefficients.swapaxes(-1, -2)
    return variance


@lru_cache(maxsize=256)
def number_of_cosines(length: float, rate: float = COSINE_RATE) -> int:
    """How many cosine coefficients of a window of so many hours count as low frequencies."""
    return max(MIN_COSINES, round(rate * math.pow(length, 2.0 / 3.0)))


def _left(whitener: Array, length: int) -> Array:
    """(M, 1, B) |A(ω)|² / B of a filter (M, P+1) at the frequencies of a window's B cosines."""
    count = number_of_cosines(length)
    response = whitener @ _harmonics(length, count, whitener.shape[1])
    real, imaginary = response[:, None, :count], response[:, None, count:]
    return real * real + imaginary * imaginary


@lru_cache(maxsize=64)
def _cosines(length: int, count: int, cycle: int = 1, line: bool = False) -> Array:
    """(L, B) orthonormal cosines of frequencies πk/L, k = 1, ..., B, less their daily cycle and their line."""
    hours = np.arange(length) + 0.5
    cosines = np.sqrt(2.0 / length) * np.cos(np.pi / length * np.outer(np.arange(1, count + 1), hours))
    basis = without_daily_cycle(cosines, cycle)
    basis = np.ascontiguousarray((_without_line(basis) if line else basis).T)
    basis.setflags(write=False)
    return basis


@lru_cache(maxsize=64)
def _harmonics(length: int, count: int, terms: int) -> Array:
    """(terms, 2B) real and imaginary parts of e^(ijω) / √B, j = 0, 1, ..., at the frequencies of B cosines."""
    angles = np.pi / length * np.outer(np.arange(terms), np.arange(1, count + 1))
    harmonics: Array = np.concatenate([np.cos(angles), np.sin(angles)], axis=1) / math.sqrt(count)
    harmonics.setflags(write=False)
    return harmonics


def _bartlett_sum(hours: Array, lag: int) -> Array:
    """Σ_h (1 - |h|/(lag+1)) Σ_t x_t x'_{t-h} for (M, K, T): covariance (M, K, K) of the sums."""
    total: Array = hours @ hours.swapaxes(-1, -2)
    length = hours.shape[-1]
    for h in range(1, min(lag, length - 1) + 1):
        product = hours[..., h:] @ hours[..., : length - h].swapaxes(-1, -2)
        total += (1.0 - h / (lag + 1.0)) * (product + product.swapaxes(-1, -2))
    return total


def _block_sums(window: Array, size: int) -> Array:
    blocks = window.shape[-1] // size
    sums: Array = window[..., : blocks * size].reshape(*window.shape[:-1], blocks, size).sum(axis=-1)
    return sums


def _sum(parts: Sequence[tuple[Array, float]]) -> tuple[Array, Array]:
    """The sum of variances v (M, K, K) with ν degrees of freedom each, and its squared relative error.

    That of estimate 0 is meant: Σ 2 v²/ν / (Σ v)².
    """
    total, error = np.zeros(()), np.zeros(())
    for part, dof in parts:
        variance = part[:, 0, 0]
        total, error = total + part, error + variance * variance * (2.0 / dof)
    variance = total[:, 0, 0]
    return total, error / (variance * variance)


def _satterthwaite(parts: Sequence[tuple[Array, float]]) -> SumVariance:
    covariance, error = _sum(parts)
    return _without_memory(covariance, 2.0 / error)


def _without_memory(covariance: Array, dof: Array) -> SumVariance:
    return SumVariance(covariance, dof, np.zeros(len(dof)), np.full(len(dof), np.inf))
