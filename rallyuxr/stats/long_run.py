"""Variance of a sum of serially correlated hours: the estimators that an effect's error can rest on.

Each estimator takes the same thing: windows (baseline and post, or post alone) that hold what every
hour contributes to the errors of K estimates. The errors are the sums of the contributions over all
hours; the estimators answer with their covariance. Degrees of freedom are those of estimate 0.

Notation: Ω is the long-run variance, the sum of all autocovariances, so that Var(Σ x) ≈ L Ω.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Chosen by measurement: docs/method.md, benchmarks/size_grid.py.
MAX_ORDER = 12  # hours an autoregression may look back
ORDER_PENALTY = 0.5  # of each further order; Akaike's is 2
COSINE_RATE = 0.375  # cosines = rate · L^(2/3)
MIN_COSINES = 4
MIN_HOURS = 2 * MIN_COSINES  # of which a window's cosines can be taken
BORROWING_SHARE = 4  # a window this many times shorter than the other takes its Ω
UNIT_ROOT_DISTANCE = 5.0  # 1 - Σφ is taken to be at least this over the number of hours
MIN_DOF = 2.0
CYCLE_DAYS = 6  # a window needs as many to have its daily cycle taken out


class Window(NamedTuple):
    """L consecutive hours of M metrics."""

    contributions: Array
    """(M, K, L): to the errors of K estimates."""
    memory: Array
    """(M, L): the series that autoregressions are fitted to."""


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


class Autoregression(NamedTuple):
    """An autoregression for each of M series, averaged over its possible orders."""

    coefficients: Array
    """(M, P)."""
    persistence: Array
    """(M,): sum of the coefficients."""
    persistence_variance: Array
    """(M,): sampling variance of that sum, within and between orders."""


def prewhitened_ewc(windows: Sequence[Window], *, max_order: int = MAX_ORDER) -> SumVariance:
    """Prewhitened equal-weighted-cosine variance, one Ω per window: the default.

    An autoregression takes out most of the serial correlation, the mean square of the lowest cosine
    coefficients of its residuals estimates what is left, and Ω = Ω_residual / (1 - Σφ)². The degrees
    of freedom are Satterthwaite's and count both sources of error: the cosines' and, by the delta
    method, 4·Var(Σφ)/(1 - Σφ)² for the recolouring. A window shorter than a quarter of the other takes
    Ω from it.

    References
    ----------
    Andrews and Monahan (1992), Econometrica 60:953-966. Lazarus, Lewis, Stock and Watson (2018),
    Journal of Business & Economic Statistics 36:541-559.
    """
    lengths = [window.memory.shape[1] for window in windows]
    order = min(max_order, max(lengths) // 14)
    model = fit_autoregression([window.memory for window in windows], order)
    least = max(order + MIN_HOURS, max(lengths) / BORROWING_SHARE)
    measured = {
        index: _cosine_variance(_filtered(window.contributions, model.coefficients), COSINE_RATE)
        for index, window in enumerate(windows)
        if lengths[index] >= least
    }
    lender = next(iter(measured))
    weights = {index: float(lengths[index]) for index in measured}
    for index, length in enumerate(lengths):
        if index not in measured:
            weights[lender] += lengths[lender] ** 2 / length
    parts = [(weights[index] * omega, cosines) for index, (omega, cosines) in measured.items()]
    recolour = 1.0 / np.maximum(1.0 - model.persistence, UNIT_ROOT_DISTANCE / sum(lengths))
    covariance = sum(part for part, _ in parts) * recolour[:, None, None] ** 2
    memory_error = 4.0 * model.persistence_variance * recolour**2
    dof = np.maximum(2.0 / (_relative_error(parts) + memory_error), MIN_DOF)
    return SumVariance(covariance, dof, model.persistence, 2.0 / memory_error)


def ewc(windows: Sequence[Window]) -> SumVariance:
    """Equal-weighted-cosine variance per window without prewhitening (Lazarus et al. 2018)."""
    parts = []
    for contributions, _ in windows:
        omega, cosines = _cosine_variance(contributions, 0.4)
        parts.append((omega * contributions.shape[-1], cosines))
    return _satterthwaite(parts)


def newey_west(windows: Sequence[Window]) -> SumVariance:
    """Newey and West (1987) with the textbook lag 4(T/100)^(2/9) and the normal distribution.

    The same number as a regression of the arms' difference on a post dummy gives. Rejects true nulls
    far too often under strong serial correlation; kept for comparison.
    """
    hours = np.concatenate([window.contributions for window in windows], axis=-1)
    lag = int(4.0 * (hours.shape[-1] / 100.0) ** (2.0 / 9.0))
    return _without_memory(_bartlett_sum(hours, lag), np.full(len(hours), np.inf))


def newey_west_fixed_b(windows: Sequence[Window]) -> SumVariance:
    """Newey-West per window with lag 1.3·√L and a t distribution that knows the lag's share b of L.

    Fixed-b theory for the Bartlett kernel: the mean costs the estimate the share b, and its noise is
    that of 3/(2b) degrees of freedom (Sun 2014, Journal of Econometrics 178:659-677).
    """
    parts = []
    for contributions, _ in windows:
        length = contributions.shape[-1]
        lag = min(math.ceil(1.3 * math.sqrt(length)), length - 1)
        share = min((lag + 1) / length, 0.75)
        parts.append((_bartlett_sum(contributions, lag) / (1.0 - share), 1.5 / share))
    return _satterthwaite(parts)


def block_means(windows: Sequence[Window], size: int) -> SumVariance:
    """Welch's test on the means of blocks of `size` hours, taken as independent; 1 is hour by hour.

    Hours after the last full block are left out of the variance, not of the estimate.
    """
    parts = []
    for contributions, _ in windows:
        blocks = _block_sums(contributions, size)
        count = blocks.shape[-1]
        blocks = blocks - blocks.mean(axis=-1, keepdims=True)
        scale = contributions.shape[-1] / size / (count - 1)
        parts.append((blocks @ blocks.swapaxes(-1, -2) * scale, count - 1))
    return _satterthwaite(parts)


def blocked_prewhitened_ewc(windows: Sequence[Window], size: int = 4) -> SumVariance:
    """The default's estimator on sums of `size` hours with an autoregression of order one."""
    blocks = [
        Window(_block_sums(contributions, size), _block_sums(memory, size)) for contributions, memory in windows
    ]
    return prewhitened_ewc(blocks, max_order=1)


def cut_windows(
    contributions: Array,
    memory: Array,
    used: NDArray[np.bool_],
    windows: Sequence[slice],
    *,
    periods_per_day: int | None,
) -> tuple[Window, ...]:
    """Cut contributions (M, K, T) and memory (M, T) into windows, without their daily cycle.

    `used` (M, T) says which hours count. `periods_per_day` None leaves the cycle in.
    """
    parts = []
    for window in windows:
        series = np.concatenate([contributions[..., window], memory[:, None, window]], axis=1)
        if periods_per_day is not None:
            series = without_daily_cycle(series, used[:, None, window], periods_per_day)
        parts.append(Window(series[:, :-1], series[:, -1]))
    return tuple(parts)


def without_daily_cycle(series: Array, used: NDArray[np.bool_], periods_per_day: int) -> Array:
    """Take each hour of day's own mean out of one window's series (..., L).

    A daily cycle that differs between the arms is not noise. `used`, which broadcasts to the series, says
    which hours count; the others stay 0. Windows of fewer than six days are returned as they are:
    their hourly means would hold more noise than cycle.
    """
    length = series.shape[-1]
    if periods_per_day < 2 or length < CYCLE_DAYS * periods_per_day:
        return series
    days = -(-length // periods_per_day)
    padding = days * periods_per_day - length

    def by_day(values: NDArray[Any]) -> NDArray[Any]:
        if padding:
            values = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, padding)])
        return values.reshape(*values.shape[:-1], days, periods_per_day)

    in_days = by_day(series)
    cycle = in_days.sum(axis=-2) / np.maximum(by_day(used).sum(axis=-2), 1)
    adjusted: Array = (in_days - cycle[..., None, :]).reshape(*series.shape[:-1], -1)[..., :length]
    return adjusted if used.all() else np.where(used, adjusted, 0.0)


def fit_autoregression(windows: Sequence[Array], max_order: int) -> Autoregression:
    """Fit one autoregression to windows (M, L) that share their dynamics, averaged over orders.

    Yule-Walker for every order from 0 to `max_order` by the Levinson recursion, on autocovariances
    that never pair hours of different windows. Orders weigh exp(-½ IC) with IC = T·log σ² + 0.5 p, less
    than Akaike's 2p: too low an order misses slow drift under sampling noise, too high an
    order only costs degrees of freedom, which `persistence_variance` counts.

    References
    ----------
    Buckland, Burnham and Augustin (1997), Biometrics 53:603-618 (weights and variance between models).
    """
    total = sum(window.shape[-1] for window in windows)
    coefficients, innovations = _levinson(_lagged_products(windows, max_order) / total)
    sums = coefficients.sum(axis=1)
    # σ² 1'Γ⁻¹1 / T is the sampling variance of the sum of Yule-Walker coefficients
    precision = np.cumsum((1.0 - sums) ** 2 / innovations, axis=0)
    within = np.zeros_like(sums)
    within[1:] = innovations[1:] * precision[:-1] / total
    criterion = total * np.log(innovations) + ORDER_PENALTY * np.arange(max_order + 1)[:, None]
    weights = np.exp(-0.5 * (criterion - criterion.min(axis=0)))
    weights /= weights.sum(axis=0)
    persistence = (weights * sums).sum(axis=0)
    variance = (weights * (within + (sums - persistence) ** 2)).sum(axis=0)
    return Autoregression(np.einsum("om,opm->mp", weights, coefficients), persistence, variance)


def _lagged_products(windows: Sequence[Array], max_lag: int) -> Array:
    """Σ_t x_t x_{t+h} for h from 0 to `max_lag`, (max_lag+1, M); zeros keep the windows' hours apart."""
    gap = np.zeros((len(windows[0]), max_lag))
    hours = np.concatenate([part for window in windows for part in (window, gap)], axis=1)
    length = hours.shape[1] - max_lag
    products: Array = np.einsum("mht,mt->hm", sliding_window_view(hours, length, axis=-1), hours[:, :length])
    return products


def _levinson(gamma: Array) -> tuple[Array, Array]:
    """Yule-Walker coefficients (P+1, P, M) and innovation variances (P+1, M) of orders 0 to P."""
    order = len(gamma) - 1
    coefficients = np.zeros((order + 1, order, gamma.shape[1]))
    innovations = np.empty_like(gamma)
    innovations[0] = gamma[0]
    for p in range(order):
        previous = coefficients[p, :p]
        reflection = (gamma[p + 1] - (previous * gamma[p:0:-1]).sum(axis=0)) / innovations[p]
        coefficients[p + 1, :p] = previous - reflection * previous[::-1]
        coefficients[p + 1, p] = reflection
        innovations[p + 1] = innovations[p] * (1.0 - reflection**2)
    return coefficients, innovations


def _filtered(series: Array, coefficients: Array) -> Array:
    """Residuals x_t - Σ φ_j x_{t-j} of (M, K, L), without the first P hours."""
    order = coefficients.shape[1]
    weights = np.concatenate([-coefficients[:, ::-1], np.ones((len(coefficients), 1))], axis=1)
    lagged = sliding_window_view(series, series.shape[-1] - order, axis=-1)
    residuals: Array = (weights[:, None, None, :] @ lagged)[..., 0, :]
    return residuals


@lru_cache(maxsize=32)
def _cosines(length: int, count: int) -> Array:
    hours = np.arange(length) + 0.5
    basis: Array = np.sqrt(2.0 / length) * np.cos(np.pi / length * np.outer(hours, np.arange(1, count + 1)))
    basis.setflags(write=False)
    return basis


def _cosine_variance(window: Array, rate: float) -> tuple[Array, int]:
    """Ω (M, K, K) as the mean square of the first rate·L^(2/3) cosine coefficients, and their number."""
    length = window.shape[-1]
    count = max(MIN_COSINES, round(rate * length ** (2.0 / 3.0)))
    coefficients = (window.reshape(-1, length) @ _cosines(length, count)).reshape(*window.shape[:-1], count)
    return coefficients @ coefficients.swapaxes(-1, -2) / count, count


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


def _relative_error(parts: Sequence[tuple[Array, float]]) -> Array:
    """Squared relative error Σ 2 v²/ν / (Σ v)² of a sum of variances v with ν degrees of freedom each."""
    variances = np.stack([part[:, 0, 0] for part, _ in parts])
    dofs = np.array([dof for _, dof in parts])[:, None]
    error: Array = (2.0 * variances**2 / dofs).sum(axis=0) / variances.sum(axis=0) ** 2
    return error


def _satterthwaite(parts: Sequence[tuple[Array, float]]) -> SumVariance:
    covariance = np.sum([part for part, _ in parts], axis=0)
    return _without_memory(covariance, 2.0 / _relative_error(parts))


def _without_memory(covariance: Array, dof: Array) -> SumVariance:
    return SumVariance(covariance, dof, np.zeros(len(dof)), np.full(len(dof), np.inf))
