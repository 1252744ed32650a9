"""What every hour contributes to an effect: the step between data and inference of a two-series design.

An estimate's error is the sum of its hourly contributions, whatever the weights, missing hours or
ratio behind it. So a weighted sum of several effects, such as their value in dollars, is the weighted
sum of their contributions, and its interval needs no covariance matrix between metrics.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rallyuxr.errors import InvalidInput

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SMALLEST, LARGEST = 1e-50, 1e50
"""Levels between which noise of any size can be squared twice."""
NEEDED = "needs finite hourly values of shape (T,) or (metrics, T), NaN where missing"


@dataclass(frozen=True, eq=False)
class InfluenceSeries:
    """Effects of M metrics over T hours, with what each hour contributes to their errors.

    Attributes
    ----------
    estimate
        (M,) effects: differences in differences, or in means where there is no baseline. NaN where a
        window has no hour to go by.
    counterfactual
        (M,) mean that the treated arm would have had without the effect.
    contribution
        (M, 2, T): the sum over hours is the error of `estimate` and of `counterfactual`, to first order.
        Hours left out contribute 0.
    memory
        (M, T) the arms' difference around its window mean, times the quarter root of the participants
        behind it: what the hours' memory is read from. Sampling noise keeps one variance when scaled by
        the square root, drift when not scaled; this lies between. Hours left out are 0.
    used
        (M, T) hours that count: both arms were seen.
    start
        Number of baseline hours; 0 without a baseline.
    cell_means
        (M, 4) treatment pre, treatment post, control pre, control post; NaN where absent.
    level
        (M,) largest absolute value seen: differences far below it are rounding, not noise.
    """

    estimate: Array
    counterfactual: Array
    contribution: Array
    memory: Array
    used: Mask
    start: int
    cell_means: Array
    level: Array

    @property
    def effect_contribution(self) -> Array:
        """(M, T) what each hour adds to the error of the effect."""
        return self.contribution[:, 0]

    @property
    def windows(self) -> tuple[slice, ...]:
        """The baseline, where there is one, and the post window."""
        post = slice(self.start, self.used.shape[1])
        return (slice(0, self.start), post) if self.start else (post,)

    @property
    def window_lengths(self) -> tuple[int, ...]:
        """Hours that each window spans, missing ones included."""
        hours = self.used.shape[1] - self.start
        return (self.start, hours) if self.start else (hours,)

    @cached_property
    def seen(self) -> Mask | None:
        """`used`, or None where every hour counts."""
        return None if self.used.all() else self.used

    @cached_property
    def hours_used(self) -> Array:
        """(M, W) hours with data in each window."""
        if self.seen is None:
            return np.full((len(self.used), len(self.windows)), self.window_lengths, dtype=float)
        return np.stack(
            [np.add.reduce(self.used[:, window], axis=1, dtype=float) for window in self.windows], axis=1
        )

    @cached_property
    def total_hours(self) -> Array:
        """(M,) hours with data in all windows."""
        if self.seen is None:
            return np.full(len(self.used), float(self.used.shape[1]))
        total: Array = np.add.reduce(self.used, axis=1, dtype=float)
        return total

    def scaled(self) -> tuple[Array, Array, Array]:
        """Units (M,) in which squares of squares can be represented, and in them contributions and memory."""
        if np.minimum.reduce(self.level) > SMALLEST and np.maximum.reduce(self.level) < LARGEST:
            return np.ones(len(self.level)), self.contribution, self.memory
        return self.level, self.contribution / self.level[:, None, None], self.memory / self.level[:, None]

    def combined(self, weights: Sequence[float] | Array) -> "InfluenceSeries":
        """The one effect Σ w·effect over the metrics, for instance their sum in dollars.

        An hour counts where it counts for any metric with a weight.

        Examples
        --------
        >>> series = influence_series([[1, 2, 4, 3], [1, 1, 2, 2]], [[0, 1, 1, 1], [1, 0, 1, 0]],
        ...                           [False, False, True, True])
        >>> total = series.combined([10.0, 1.0])
        >>> series.estimate.tolist(), total.estimate.tolist()
        ([1.5, 1.0], [16.0])
        """
        row = np.asarray(weights, dtype=float)[None, :]
        if row.shape[1] != len(self.estimate):
            raise InvalidInput(f"got {row.shape[1]} weights for {len(self.estimate)} metrics: give one each")
        kept = row[0] != 0.0
        row = row[:, kept]
        return InfluenceSeries(
            estimate=row @ self.estimate[kept],
            counterfactual=row @ self.counterfactual[kept],
            contribution=np.tensordot(row, self.contribution[kept], axes=1),
            memory=row @ self.memory[kept],
            used=self.used[kept].any(axis=0, keepdims=True),
            start=self.start,
            cell_means=row @ self.cell_means[kept],
            level=np.abs(row) @ self.level[kept],
        )


def influence_series(
    treatment: ArrayLike,
    control: ArrayLike,
    post: ArrayLike,
    *,
    treatment_n: ArrayLike | None = None,
    control_n: ArrayLike | None = None,
) -> InfluenceSeries:
    """Effects of one or many metrics, hour by hour.

    A window's mean is Σ n·y / Σ n. Around it, hour t of an arm contributes n_t (y_t - mean) / Σ n,
    which is also the delta method for a ratio metric whose denominators are n. The effect's
    contribution is treatment minus control, negative in the baseline.

    Parameters
    ----------
    treatment, control
        (T,) or (M, T) hourly values in time order. NaN is a missing hour; it is left out in both arms.
    post
        (T,) true from the start of the experiment on. No false hour means no baseline.
    treatment_n, control_n
        Participants, or a ratio's denominators, shaped like the values. Equal weights when left out.

    Raises
    ------
    InvalidInput
        Shapes do not match, values are infinite, counts are negative, or `post` turns back to false.

    Examples
    --------
    >>> series = influence_series([1.0, 3.0, 7.0, 7.0], [1.0, 1.0, 2.0, 4.0], [0, 0, 1, 1])
    >>> series.estimate.tolist(), series.counterfactual.tolist()
    ([3.0], [4.0])
    >>> series.effect_contribution.tolist()
    [[0.5, -0.5, 0.5, -0.5]]
    """
    start = _start(post)
    rows = _rows(treatment, "treatment"), _rows(control, "control")
    counts = _counts(treatment_n, rows[0], "treatment_n"), _counts(control_n, rows[1], "control_n")
    if rows[0].shape != rows[1].shape or rows[0].shape[1] != np.size(post):
        shapes = f"{rows[0].shape}, {rows[1].shape} and {np.size(post)}"
        raise InvalidInput(f"treatment, control and post have shapes {shapes}: they need the same hours")
    values = np.array(rows)
    seen = np.isfinite(values)
    if not seen.all():
        _refuse_infinite(values)
    weights = _weights(values, seen, counts)
    used = seen[0] & seen[1]
    some = None if used.all() else used
    if some is not None:
        values = np.where(used, values, 0.0)
        weights = np.where(used, np.ones_like(values) if weights is None else weights, 0.0)
    with np.errstate(all="ignore"):
        arms = _arms(values, np.ones((1, 1, used.shape[1])) if weights is None else weights, start)
        memory = _memory(arms, None if weights is None else _standing(weights, some), some, start)
        return _assembled(arms, memory, used, start)


def _weights(values: Array, seen: Mask, counts: tuple[Array | None, Array | None]) -> Array | None:
    """(2, M, T) the counts, 1 for an arm without any; None for two of them. Hours that nobody saw are marked."""
    weights = None
    for arm, given in enumerate(counts):
        if given is not None:
            weights = np.ones_like(values) if weights is None else weights
            weights[arm] = given
            seen[arm] &= given > 0
    return weights


class _Arms(NamedTuple):
    """Both arms (2, ...): window means as mean + rest, hourly deviations and contributions, largest value."""

    pre: Array
    pre_rest: Array
    post: Array
    post_rest: Array
    deviation: Array
    contribution: Array
    level: Array


def _arms(values: Array, weights: Array, start: int) -> _Arms:
    """Weighted window means of (2, M, T), each with what its rounding left out, so that an offset costs no digits.

    Hours left out hold 0 in values and weights, which broadcast to the values.
    """
    deviation, share = np.empty_like(values), np.empty_like(weights)
    means: list[Array] = []
    for window in (slice(0, start), slice(start, None)):
        around, within, shares = deviation[..., window], values[..., window], share[..., window]
        np.divide(weights[..., window], np.add.reduce(weights[..., window], axis=-1, keepdims=True), out=shares)
        mean = np.vecdot(shares, within)
        np.subtract(within, mean[..., None], out=around)
        means += [mean, np.vecdot(shares, around)]
    level = np.maximum(values.max(axis=-1, initial=0.0), -values.min(axis=-1, initial=0.0)).max(axis=0)
    pre, pre_rest, post, post_rest = means
    return _Arms(pre, pre_rest, post, post_rest, deviation, share * deviation, level)


def _means(values: Array, used: Mask | None) -> Array:
    """Plain means over the used hours, or all of them; the others hold 0."""
    hours = values.shape[-1] if used is None else np.maximum(used.sum(axis=-1), 1)
    means: Array = np.add.reduce(values, axis=-1) / hours
    return means


def _standing(weights: Array, used: Mask | None) -> Array:
    """(M, T) quarter root of the participants behind a difference of two means, over its mean.

    Behind the difference stand the counts' harmonic sum, 1 / (1/n + 1/m). Hours left out are 0.
    """
    harmonic = weights[0] / (weights[0] + weights[1]) * weights[1]
    root = np.sqrt(np.sqrt(harmonic if used is None else np.where(used, harmonic, 0.0)))
    standing: Array = root / _means(root, used)[:, None]
    return standing


def _memory(arms: _Arms, standing: Array | None, used: Mask | None, start: int) -> Array:
    """The arms' difference around its window means, times what stands behind it, around its means again."""
    memory: Array = arms.deviation[0] - arms.deviation[1]
    if standing is not None:
        memory *= standing
        for window in (slice(0, start), slice(start, None)):
            memory[:, window] -= _means(memory[:, window], None if used is None else used[:, window])[:, None]
    return memory if used is None else np.where(used, memory, 0.0)


def _assembled(arms: _Arms, memory: Array, used: Mask, start: int) -> InfluenceSeries:
    treatment, control = arms.contribution
    contribution = np.empty((len(used), 2, used.shape[1]))
    contribution[:, 1, start:] = control[:, start:]
    np.subtract(treatment[:, start:], control[:, start:], out=contribution[:, 0, start:])
    np.subtract(treatment[:, :start], control[:, :start], out=contribution[:, 1, :start])
    np.negative(contribution[:, 1, :start], out=contribution[:, 0, :start])
    means = np.full((len(used), 4), np.nan)
    means[:, 1::2] = (arms.post + arms.post_rest).T
    if start:
        means[:, ::2] = (arms.pre + arms.pre_rest).T
        treated, untreated = arms.post - arms.pre
        rests = arms.post_rest - arms.pre_rest
        counterfactual = means[:, 0] + untreated
    else:
        treated, untreated = arms.post
        rests = arms.post_rest
        counterfactual = means[:, 3]
    estimate = (treated - untreated) + (rests[0] - rests[1])
    return InfluenceSeries(
        estimate=estimate,
        counterfactual=counterfactual,
        contribution=contribution,
        memory=memory,
        used=used,
        start=start,
        cell_means=means,
        level=arms.level,
    )


def _start(post: ArrayLike) -> int:
    flags = np.asarray(post, dtype=bool)
    if flags.ndim != 1 or not flags.any():
        raise InvalidInput("post needs one flag an hour, true from the experiment's start on; none is true")
    start = int(flags.argmax())
    if not flags[start:].all():
        raise InvalidInput("post turns back to false: give hours in time order, the baseline first")
    return start


def _rows(values: ArrayLike, name: str) -> Array:
    rows = np.asarray(values, dtype=float)
    if rows.ndim not in (1, 2):
        raise InvalidInput(f"{name} {NEEDED}")
    return rows[None, :] if rows.ndim == 1 else rows


def _refuse_infinite(values: Array) -> None:
    for name, arm in zip(("treatment", "control"), values, strict=True):
        if np.isinf(arm).any():
            raise InvalidInput(f"{name} {NEEDED}")


def _counts(counts: ArrayLike | None, values: Array, name: str) -> Array | None:
    if counts is None:
        return None
    rows = _rows(counts, name)
    if rows.shape != values.shape:
        raise InvalidInput(f"{name} has shape {rows.shape} for values of shape {values.shape}: give one each")
    if np.isinf(rows).any():
        raise InvalidInput(f"{name} {NEEDED}")
    if (rows < 0).any():
        raise InvalidInput(f"{name} holds negative counts: leave the hour out or make it NaN")
    return rows
