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
    effect_contribution, counterfactual_contribution
        (M, T) each: the sum over hours is the error of `estimate` and `counterfactual`, to first order.
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
    effect_contribution: Array
    counterfactual_contribution: Array
    memory: Array
    used: Mask
    start: int
    cell_means: Array
    level: Array

    @property
    def windows(self) -> tuple[slice, ...]:
        """The baseline, where there is one, and the post window."""
        post = slice(self.start, None)
        return (slice(0, self.start), post) if self.start else (post,)

    @property
    def window_lengths(self) -> tuple[int, ...]:
        """Hours that each window spans, missing ones included."""
        hours = self.used.shape[1] - self.start
        return (self.start, hours) if self.start else (hours,)

    @cached_property
    def hours_used(self) -> Array:
        """(M, W) hours with data in each window."""
        return np.stack([self.used[:, window].astype(float).sum(axis=1) for window in self.windows], axis=1)

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
            effect_contribution=row @ self.effect_contribution[kept],
            counterfactual_contribution=row @ self.counterfactual_contribution[kept],
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
    values = [_rows(treatment, "treatment"), _rows(control, "control")]
    counts = [_counts(treatment_n, values[0], "treatment_n"), _counts(control_n, values[1], "control_n")]
    if values[0].shape != values[1].shape or values[0].shape[1] != np.size(post):
        shapes = f"{values[0].shape}, {values[1].shape} and {np.size(post)}"
        raise InvalidInput(f"treatment, control and post have shapes {shapes}: they need the same hours")
    used = np.isfinite(values[0]) & np.isfinite(values[1])
    for given in counts:
        if given is not None:
            used &= given > 0
    with np.errstate(all="ignore"):
        arms = [_arm(y, n, used, start) for y, n in zip(values, counts, strict=True)]
        memory = arms[0].deviation - arms[1].deviation
        if counts[0] is not None or counts[1] is not None:
            memory = _rescaled(memory, counts, used, start)
        return _assembled(arms[0], arms[1], _where_used(memory, used), used, start)


class _Arm(NamedTuple):
    """One arm: window means as base + mean, hourly deviations and contributions, largest value."""

    base: Array
    pre: Array
    post: Array
    deviation: Array
    contribution: Array
    level: Array


def _arm(values: Array, counts: Array | None, used: Mask, start: int) -> _Arm:
    """Weighted window means, taken around a base so that a large offset costs no digits."""
    filled = _where_used(values, used)
    base = _means(filled, used)
    deviation = filled - base[:, None]
    contribution = used.astype(float) if counts is None else np.where(used, counts, 0.0)
    means = []
    for window in (slice(0, start), slice(start, None)):
        shares, around = contribution[:, window], deviation[:, window]
        shares /= shares.sum(axis=1, keepdims=True)
        mean = np.einsum("mt,mt->m", shares, around)
        around -= mean[:, None]
        shares *= around
        means.append(mean)
    level = np.maximum(filled.max(axis=1, initial=0.0), -filled.min(axis=1, initial=0.0))
    return _Arm(base, means[0], means[1], deviation, contribution, level)


def _where_used(values: Array, used: Mask) -> Array:
    """The values with 0 in place of the hours left out."""
    return values if used.all() else np.where(used, values, 0.0)


def _means(values: Array, used: Mask) -> Array:
    """Plain means over the used hours; the others hold 0."""
    means: Array = values.sum(axis=1) / np.maximum(used.astype(float).sum(axis=1), 1.0)
    return means


def _rescaled(difference: Array, counts: Sequence[Array | None], used: Mask, start: int) -> Array:
    """The difference times (participants behind it)^¼ over its mean, around its window means again.

    Behind a difference of two means stand their counts' harmonic sum, 1 / (1/n + 1/m).
    """
    treatment_n, control_n = (np.ones_like(difference) if given is None else given for given in counts)
    share = treatment_n / (treatment_n + control_n)
    root = _where_used(share * control_n, used) ** 0.25
    rescaled: Array = difference * root / _means(root, used)[:, None]
    for window in (slice(0, start), slice(start, None)):
        rescaled[:, window] -= _means(rescaled[:, window], used[:, window])[:, None]
    return rescaled


def _assembled(treatment: _Arm, control: _Arm, memory: Array, used: Mask, start: int) -> InfluenceSeries:
    effect = treatment.contribution - control.contribution
    baseline = control.contribution.copy()
    baseline[:, :start] = effect[:, :start]
    effect[:, :start] *= -1.0
    post_means = treatment.base + treatment.post, control.base + control.post
    if start:
        change = control.post - control.pre
        estimate = (treatment.post - treatment.pre) - change
        counterfactual = treatment.base + treatment.pre + change
        pre_means = treatment.base + treatment.pre, control.base + control.pre
    else:
        estimate = (treatment.base - control.base) + (treatment.post - control.post)
        counterfactual = post_means[1]
        pre_means = np.full_like(estimate, np.nan), np.full_like(estimate, np.nan)
    return InfluenceSeries(
        estimate=estimate,
        counterfactual=counterfactual,
        effect_contribution=effect,
        counterfactual_contribution=baseline,
        memory=memory,
        used=used,
        start=start,
        cell_means=np.stack([pre_means[0], post_means[0], pre_means[1], post_means[1]], axis=1),
        level=np.maximum(treatment.level, control.level),
    )


def _start(post: ArrayLike) -> int:
    flags = np.asarray(post).astype(bool)
    if flags.ndim != 1 or not flags.any():
        raise InvalidInput("post needs one flag an hour, true from the experiment's start on; none is true")
    start = int(np.argmax(flags))
    if not flags[start:].all():
        raise InvalidInput("post turns back to false: give hours in time order, the baseline first")
    return start


def _rows(values: ArrayLike, name: str) -> Array:
    rows = np.atleast_2d(np.asarray(values, dtype=float))
    if rows.ndim != 2 or np.isinf(rows).any():
        raise InvalidInput(f"{name} needs finite hourly values of shape (T,) or (metrics, T), NaN where missing")
    return rows


def _counts(counts: ArrayLike | None, values: Array, name: str) -> Array | None:
    if counts is None:
        return None
    rows = _rows(counts, name)
    if rows.shape != values.shape:
        raise InvalidInput(f"{name} has shape {rows.shape} for values of shape {values.shape}: give one each")
    if (rows < 0).any():
        raise InvalidInput(f"{name} holds negative counts: leave the hour out or make it NaN")
    return rows
