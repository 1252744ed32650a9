"""What can an experiment of this length detect? For the design that will be analysed, not for a textbook's.

The arms' difference has a long-run variance Ω per period, so an effect estimated from B baseline and
W window periods has the standard error √(Ω(1/B + 1/W)), and the t distribution of the default
analysis: as many degrees of freedom as its cosines and its estimate of the hours' memory leave.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from rallyuxr.errors import InvalidInput
from rallyuxr.stats import long_run
from rallyuxr.stats.autoregression import MAX_ORDER
from rallyuxr.stats.influence import influence_series
from rallyuxr.stats.student import t_quantile

MAX_DAYS = 731
MAX_PERSISTENCE = 0.99
AVERAGE_ORDER = 0.83
"""The default's average autoregressive order over its largest, as measured in white and AR noise."""


@dataclass(frozen=True, slots=True)
class Noise:
    """How the difference between the arms varies when nothing happens.

    Attributes:
        long_run_variance: Ω per period, in the square of stored values: Var(mean over T) ≈ Ω / T.
        persistence: sum of the autoregressive coefficients that describe its memory; 0 for none.
        periods_per_day: 24 for hours, 1 for days.
    """

    long_run_variance: float
    persistence: float = 0.0
    periods_per_day: int = 24


@dataclass(frozen=True, slots=True)
class Design:
    """The windows to come and the level of their analysis; no baseline days make it a difference in means."""

    baseline_days: float
    window_days: float
    confidence_level: float = 0.95


def noise_from_history(
    treatment: ArrayLike,
    control: ArrayLike,
    *,
    post: ArrayLike | None = None,
    treatment_n: ArrayLike | None = None,
    control_n: ArrayLike | None = None,
    periods_per_day: int = 24,
) -> Noise:
    """The noise of a metric as its own history shows it.

    Parameters
    ----------
    treatment, control
        (T,) both arms' history, at least four days; NaN where there is no data.
    post
        (T,) true from the start of a change on; left out, nothing changed within the history.
    treatment_n, control_n
        (T,) participants. An experiment with k times as many has Ω / k at best.

    Raises
    ------
    InvalidInput
        The history is shorter than four days, or the difference does not vary.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> noise = noise_from_history(*rng.standard_normal((2, 28 * 24)))
    >>> 1.2 < noise.long_run_variance < 3.5  # two arms of variance 1 each
    True
    """
    flags = np.zeros(np.size(treatment), dtype=bool) if post is None else np.asarray(post, dtype=bool)
    influence = influence_series(
        treatment, control, flags if flags.any() else ~flags, treatment_n=treatment_n, control_n=control_n
    )
    periods = influence.used.sum()
    if periods < 4 * max(periods_per_day, 7):
        raise InvalidInput(
            f"the history holds {periods} periods; noise needs four days of hours or four weeks of days"
        )
    scale = np.abs(influence.effect_contribution).max()
    if not scale > 0:
        raise InvalidInput("the arms' difference does not vary in this history; state the noise instead")
    hours = long_run.adjusted_contributions(
        influence.contribution[:, :1] / scale,
        influence.memory / np.abs(influence.memory).max(),
        influence.windows,
        used=influence.seen,
        periods_per_day=periods_per_day,
    )
    with np.errstate(all="ignore"):
        found = long_run.prewhitened_ewc(hours)
    spans = sum(1.0 / length for length in influence.window_lengths)
    return Noise(
        long_run_variance=float(found.covariance[0, 0, 0]) * float(scale) ** 2 / spans,
        persistence=min(max(float(found.persistence[0]), 0.0), MAX_PERSISTENCE),
        periods_per_day=periods_per_day,
    )


def stated_noise(standard_deviation: float, *, autocorrelation: float = 0.0, periods_per_day: int = 24) -> Noise:
    """Noise that a person states: of the arms' difference in one period, and its memory from one to the next.

    Ω = sd²·(1 + φ)/(1 - φ).

    Examples
    --------
    >>> round(stated_noise(0.002, autocorrelation=0.5).long_run_variance, 9)
    1.2e-05
    """
    if not (standard_deviation > 0 and 0 <= autocorrelation < 1):
        raise InvalidInput(
            f"the noise is {standard_deviation} with autocorrelation {autocorrelation}; give a positive standard "
            "deviation and a memory from 0 to below 1"
        )
    factor = (1.0 + autocorrelation) / (1.0 - autocorrelation)
    return Noise(standard_deviation**2 * factor, autocorrelation, periods_per_day)


def sampling_noise(
    spread: float, participants_per_day: float, *, treatment_share: float = 0.5, periods_per_day: int = 24
) -> Noise:
    """The least noise there can be: participants that differ by `spread` (a standard deviation), split at random.

    For a proportion p the spread is √(p(1 - p)).

    Examples
    --------
    >>> noise = sampling_noise(0.15, 24_000)
    >>> round(noise.long_run_variance, 9)  # 0.15² (1/500 + 1/500)
    9e-05
    """
    if not (spread > 0 and participants_per_day > 0 and 0 < treatment_share < 1):
        raise InvalidInput(
            f"the spread is {spread}, participants a day {participants_per_day}, the share {treatment_share}; "
            "give positive numbers and a share between 0 and 1"
        )
    per_period = participants_per_day / periods_per_day
    variance = spread**2 / per_period * (1.0 / treatment_share + 1.0 / (1.0 - treatment_share))
    return Noise(variance, periods_per_day=periods_per_day)


def standard_error(noise: Noise, design: Design) -> float:
    """Standard error of the effect that a design will estimate, in stored values."""
    return math.sqrt(noise.long_run_variance * sum(1.0 / length for length in _lengths(noise, design)))


def degrees_of_freedom(noise: Noise, design: Design) -> float:
    """Degrees of freedom that the default analysis of a design will have."""
    lengths = _lengths(noise, design)
    order = min(MAX_ORDER, int(max(lengths)) // 14)
    least = max(long_run.MIN_HOURS, max(lengths) / long_run.BORROWING_SHARE)
    measured = [length for length in lengths if length >= least] or [max(lengths)]
    borrowed = sum(1.0 / length for length in lengths) - sum(1.0 / length for length in measured)
    variances = [1.0 / length + borrowed * (length == measured[0]) for length in measured]
    cosines = [long_run.number_of_cosines(length) for length in measured]
    squared_error = sum(2.0 * variance**2 / count for variance, count in zip(variances, cosines, strict=True))
    squared_error /= sum(variances) ** 2
    memory_error = 4.0 * _memory_uncertainty(noise.persistence, order) / sum(lengths)
    return float(max(2.0 / (squared_error + memory_error), long_run.MIN_DOF))


def power(noise: Noise, effect: float, design: Design) -> float:
    """Chance that a true effect will be found: that its interval excludes zero on the right side.

    Examples
    --------
    >>> noise, design = stated_noise(0.01), Design(baseline_days=14, window_days=14)
    >>> round(power(noise, minimum_detectable_effect(noise, design), design), 6)
    0.8
    """
    dof = degrees_of_freedom(noise, design)
    critical = t_quantile(0.5 + design.confidence_level / 2, dof)
    return 1.0 - float(scipy.special.nctdtr(dof, abs(effect) / standard_error(noise, design), critical))


def minimum_detectable_effect(noise: Noise, design: Design, *, power: float = 0.8) -> float:
    """The smallest effect that is found with chance `power`, in stored values; by the noncentral t distribution.

    Examples
    --------
    >>> noise = stated_noise(0.01)
    >>> two_weeks = minimum_detectable_effect(noise, Design(baseline_days=14, window_days=14))
    >>> four_weeks = minimum_detectable_effect(noise, Design(baseline_days=14, window_days=28))
    >>> round(two_weeks, 5), four_weeks < two_weeks
    (0.00229, True)
    """
    if not 0 < power < 1:
        raise InvalidInput(f"power is {power}; give a chance between 0 and 1, such as 0.8")
    dof = degrees_of_freedom(noise, design)
    critical = t_quantile(0.5 + design.confidence_level / 2, dof)
    return float(scipy.special.nctdtrinc(dof, 1.0 - power, critical)) * standard_error(noise, design)


def required_days(
    noise: Noise,
    effect: float,
    *,
    baseline_days: float,
    confidence_level: float = 0.95,
    power: float = 0.8,
    whole_weeks: bool = True,
) -> int | None:
    """Days after the start until an effect is found with chance `power`; None where two years do not suffice.

    A short baseline sets a limit that no window, however long, gets past.

    Examples
    --------
    >>> required_days(stated_noise(0.01), 0.0025, baseline_days=14)
    14
    >>> required_days(stated_noise(0.01), 0.0001, baseline_days=14) is None
    True
    """
    step = 7 if whole_weeks else 1
    for days in range(step, MAX_DAYS + 1, step):
        design = Design(baseline_days, days, confidence_level)
        if minimum_detectable_effect(noise, design, power=power) <= abs(effect):
            return days
    return None


def _memory_uncertainty(persistence: float, max_order: int) -> float:
    """T·Var(Σφ) / (1 - Σφ)² of a fitted autoregression whose truth has order one, averaged over the orders.

    σ²·1'Γ⁻¹1 of an AR(1) fitted with order p is 1 - φ² for p = 1 and (p - 2)(1 - φ)² + 2(1 - φ) above.
    """
    order = AVERAGE_ORDER * max_order
    if order < 2:
        return (1.0 + persistence) / (1.0 - persistence)
    return order - 2.0 + 2.0 / (1.0 - persistence)


def _lengths(noise: Noise, design: Design) -> list[float]:
    if design.window_days <= 0 or design.baseline_days < 0:
        raise InvalidInput(
            f"the window is {design.window_days} days, the baseline {design.baseline_days}; "
            "a window needs a positive length, a baseline at least 0"
        )
    days = [design.baseline_days, design.window_days] if design.baseline_days else [design.window_days]
    return [length * noise.periods_per_day for length in days]
