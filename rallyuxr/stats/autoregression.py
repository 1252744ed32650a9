"""Autoregressions of correlated hours, of which one for each metric is fitted and averaged over its orders."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Chosen by measurement: docs/method.md, benchmarks/size_grid.py.
MAX_ORDER = 12  # hours an autoregression may look back
ORDER_PENALTY = 0.5  # of each further order; Akaike's is 2
WHITE_NOISE = 1e-12  # share of variance added before a Toeplitz matrix is factored, so that it always can be


class Autoregression(NamedTuple):
    """An autoregression x_t = Σ φ_j x_{t-j} + e_t for each of M series, averaged over its possible orders."""

    whitener: Array
    """(M, P+1): 1, -φ_1, ..., -φ_P, the filter that leaves e."""
    remainder: Array
    """(M,): 1 - Σφ."""
    variance: Array
    """(M,): sampling variance of Σφ, within and between orders."""

    @property
    def coefficients(self) -> Array:
        """(M, P): φ."""
        return -self.whitener[:, 1:]

    @property
    def persistence(self) -> Array:
        """(M,): Σφ."""
        return 1.0 - self.remainder


def fit_autoregression(memory: Array, windows: Sequence[slice], max_order: int) -> Autoregression:
    """Fit one autoregression to the windows of (M, T), which share their dynamics, averaged over orders.

    Yule-Walker for every order from 0 to `max_order`, on autocovariances that never pair hours of
    different windows. Orders weigh exp(-½ IC) with IC = T·log σ² + 0.5 p, less than Akaike's 2p: too low
    an order misses slow drift under sampling noise, too high an order only costs degrees of freedom,
    which `variance` counts.

    References
    ----------
    Buckland, Burnham and Augustin (1997), Biometrics 53:603-618 (weights and variance between models).
    """
    total = memory.shape[1]
    filters, innovations, steps = _yule_walker(_autocorrelations(memory, windows, max_order))
    weights = (innovations[:, -1:] / innovations) ** total * _discounts(max_order)
    weights /= np.add.reduce(weights, axis=1, keepdims=True)
    remainders = innovations * steps
    remainder = np.vecdot(weights, remainders)
    # σ² 1'Γ⁻¹1 / T is the sampling variance of the sum of Yule-Walker coefficients
    squares = steps * steps
    within = innovations * innovations * (np.add.accumulate(squares, axis=1) - squares)
    between = remainders - remainder[:, None]
    variance = np.vecdot(weights, within / total + between * between)
    return Autoregression(np.vecmat(weights * innovations, filters), remainder, variance)


@lru_cache(maxsize=32)
def _discounts(max_order: int) -> Array:
    """(P+1,) what each order's likelihood is multiplied by."""
    discounts: Array = np.exp(-0.5 * ORDER_PENALTY * np.arange(max_order + 1))
    discounts.setflags(write=False)
    return discounts


def _autocorrelations(memory: Array, windows: Sequence[slice], max_lag: int) -> Array:
    """(M, max_lag+1) Σ_t x_t x_{t+h} over its value at h = 0; zeros keep the windows' hours apart.

    A series that is constant or not finite is taken to have no memory, and all to have a trace of white noise.
    """
    gap = np.zeros((len(memory), max_lag))
    hours = np.concatenate([part for window in windows for part in (memory[:, window], gap)], axis=1)
    products = np.matvec(_shifted(hours, max_lag + 1), hours[:, : hours.shape[1] - max_lag])
    correlations: Array = products / products[:, :1]
    unknown = np.flatnonzero(correlations[:, 0] != 1.0)
    if unknown.size:
        correlations[unknown] = np.arange(max_lag + 1) == 0
    correlations[:, 0] = 1.0 + WHITE_NOISE
    return correlations


def _shifted(series: Array, count: int) -> Array:
    """A view (..., count, L-count+1) of (..., L), row h beginning at hour h: what a sliding window would give."""
    series = np.ascontiguousarray(series)
    shape = (*series.shape[:-1], count, series.shape[-1] - count + 1)
    return np.ndarray(shape, series.dtype, series, strides=(*series.strides, series.itemsize))


def _yule_walker(correlations: Array) -> tuple[Array, Array, Array]:
    """Autoregressions of every order from 0 to P, from correlations (M, P+1) at lags 0 to P.

    With R = LL' the Toeplitz matrix, row p of L⁻¹ is the filter of order p that leaves innovations of
    variance 1: (-φ_p, ..., -φ_1, 1, 0, ...) / σ_p, and σ_p = L_pp. Its elements add up to (1 - Σφ) / σ_p.

    Returns these filters in the order of lags, (1, -φ_1, ..., -φ_p, 0, ...) / σ_p (M, P+1, P+1), the σ_p and the
    sums, both (M, P+1).
    """
    order = correlations.shape[1] - 1
    toeplitz = np.take(correlations, _distances(order), axis=1)
    factor = np.linalg.cholesky(toeplitz)
    inverse = np.linalg.inv(factor)
    innovations = np.diagonal(factor, axis1=1, axis2=2)
    filters = np.take(inverse.reshape(len(inverse), -1), _in_order_of_lag(order), axis=1)
    return filters, innovations, inverse @ np.ones(order + 1)


@lru_cache(maxsize=32)
def _distances(order: int) -> NDArray[np.intp]:
    """(P+1, P+1) how many hours lie between row and column."""
    row, column = np.indices((order + 1, order + 1))
    distances: NDArray[np.intp] = np.abs(row - column)
    return distances


@lru_cache(maxsize=32)
def _in_order_of_lag(order: int) -> NDArray[np.intp]:
    """Where in a flat (P+1, P+1) lower triangle row p at lag k lies: at p, p-k, or in a corner that is 0."""
    row, lag = np.indices((order + 1, order + 1))
    return np.where(lag <= row, row * (order + 1) + row - lag, order)
