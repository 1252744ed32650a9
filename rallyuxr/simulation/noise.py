"""Hourly noise of two arms without an effect: what an estimator's error rate is measured on.

Every process is drawn many times at once: arrays have shape (draws, hours).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rallyuxr.errors import InvalidInput

Array = NDArray[np.float64]

LEVEL = 10.0
"""Mean of both arms."""
BURN_IN = 200
MOVING_AVERAGE = (1.0, 0.8, 0.6, 0.4, 0.2)


@dataclass(frozen=True, eq=False)
class NullArms:
    """Two arms that differ by noise alone; counts are absent where every hour weighs the same."""

    treatment: Array
    control: Array
    treatment_n: Array | None = None
    control_n: Array | None = None


def null_arms(*, kind: str, phi: float, draws: int, days: int, seed: int | Sequence[int]) -> NullArms:
    """Draw both arms of an experiment that changed nothing.

    Parameters
    ----------
    kind
        A key of `NOISE_KINDS`.
    phi
        Autocorrelation at one hour of the noise in the difference between the arms, before `kind`
        adds its own.
    draws, days
        Number of experiments, and days of 24 hours in each.
    seed
        The same seed (or seeds) gives the same arrays.

    Examples
    --------
    >>> arms = null_arms(kind="autoregressive", phi=0.6, draws=2, days=1, seed=1)
    >>> arms.treatment.shape
    (2, 24)
    """
    if kind not in NOISE_KINDS:
        raise InvalidInput(f"kind is {kind!r}: use one of {', '.join(NOISE_KINDS)}")
    if not 0.0 <= phi < 1.0:
        raise InvalidInput(f"phi is {phi}: it lies between 0 and 1, 1 left out")
    return NOISE_KINDS[kind](np.random.default_rng(seed), phi, (draws, 24 * days))


def autoregression(innovations: Array, phi: float) -> Array:
    """x_t = φ x_{t-1} + e_t along the last axis, without the first `BURN_IN` values."""
    columns = np.ascontiguousarray(innovations.T)
    for hour in range(1, len(columns)):
        columns[hour] += phi * columns[hour - 1]
    return np.ascontiguousarray(columns[BURN_IN:].T)


Shape = tuple[int, int]


def _normal(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.standard_normal((shape[0], shape[1] + BURN_IN))


def _split(difference: Array, rng: np.random.Generator, shared: Array | float = 0.0) -> NullArms:
    """Arms whose difference is `difference`, on a control arm with noise of its own."""
    control = LEVEL + shared + 0.5 * rng.standard_normal(difference.shape)
    return NullArms(control + difference, control)


def _autoregressive(rng: np.random.Generator, phi: float, shape: Shape) -> NullArms:
    return _split(autoregression(_normal(rng, shape), phi), rng)


def _moving_average(rng: np.random.Generator, phi: float, shape: Shape) -> NullArms:
    draws = rng.standard_normal((shape[0], shape[1] + BURN_IN + len(MOVING_AVERAGE) - 1))
    hours = shape[1] + BURN_IN
    mixed = sum(weight * draws[:, lag : lag + hours] for lag, weight in enumerate(MOVING_AVERAGE))
    return _split(autoregression(np.asarray(mixed), phi), rng)


def _drift_under_sampling(rng: np.random.Generator, phi: float, shape: Shape) -> NullArms:
    drift = autoregression(_normal(rng, shape), phi)
    return _split(0.5 * drift + 2.0 * rng.standard_normal(shape), rng)


def _cycle_in_one_arm(rng: np.random.Generator, phi: float, shape: Shape) -> NullArms:
    day = 2.0 * np.pi * np.arange(shape[1]) / 24.0
    cycle = 3.0 * np.sin(day) + 1.5 * np.cos(2.0 * day)
    return _split(autoregression(_normal(rng, shape), phi) + cycle, rng)


def _varying_samples(rng: np.random.Generator, phi: float, shape: Shape) -> NullArms:
    """Traffic with a daily and a weekly cycle; the arms' levels wander and each hour samples them."""
    hours = np.arange(shape[1])
    traffic = 600.0 * (1.0 + 0.8 * np.sin(2.0 * np.pi * hours / 24.0)) * np.where(hours % 168 < 120, 1.0, 0.6)
    arms, counts = [], []
    for _ in range(2):
        count: Array = 1.0 + rng.poisson(np.broadcast_to(traffic, shape)).astype(float)
        level = LEVEL + np.sqrt(0.5) * autoregression(_normal(rng, shape), phi)
        arms.append(level + 30.0 / np.sqrt(count) * rng.standard_normal(shape))
        counts.append(count)
    return NullArms(arms[0], arms[1], counts[0], counts[1])


def _heavy_tails(rng: np.random.Generator, phi: float, shape: Shape) -> NullArms:
    innovations = rng.standard_t(3, (shape[0], shape[1] + BURN_IN)) / np.sqrt(3.0)
    return _split(autoregression(innovations, phi), rng)


def _common_shock(rng: np.random.Generator, phi: float, shape: Shape) -> NullArms:
    shock = 3.0 * autoregression(_normal(rng, shape), 0.95)
    return _split(autoregression(_normal(rng, shape), phi), rng, shared=shock)


def _missing_hours(rng: np.random.Generator, phi: float, shape: Shape) -> NullArms:
    """One hour in ten is missing, and half a day in the middle of each half."""
    arms = _autoregressive(rng, phi, shape)
    missing = rng.random(shape) < 0.1
    for outage in (shape[1] // 4, 3 * shape[1] // 4):
        missing[:, outage : outage + 12] = True
    return NullArms(np.where(missing, np.nan, arms.treatment), arms.control)


NOISE_KINDS: dict[str, Callable[[np.random.Generator, float, Shape], NullArms]] = {
    "autoregressive": _autoregressive,
    "moving average": _moving_average,
    "drift under sampling": _drift_under_sampling,
    "cycle in one arm": _cycle_in_one_arm,
    "varying samples": _varying_samples,
    "heavy tails": _heavy_tails,
    "common shock": _common_shock,
    "missing hours": _missing_hours,
}
"""The noise of the size grid, by name."""
