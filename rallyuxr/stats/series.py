"""Difference-in-differences of one treated and one control series, valid under serial correlation."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rallyuxr.errors import InvalidInput
from rallyuxr.models.estimate import Caution, CellMeans, DidEstimate, RelativeEffect
from rallyuxr.stats import cautions, long_run
from rallyuxr.stats.influence import Array, InfluenceSeries, influence_series
from rallyuxr.stats.relative import JointVariance, relative_effect
from rallyuxr.stats.student import interval, two_sided_pvalue

Method = Literal[
    "auto",
    "prewhitened_ewc",
    "ewc",
    "newey_west",
    "newey_west_fixed_b",
    "day_means",
    "block",
    "welch_hours",
]

DEFAULT_METHOD: Method = "prewhitened_ewc"
ROUNDING = 1e-13
"""Differences smaller than this share of the level are rounding."""


def did_series(
    treatment: ArrayLike,
    control: ArrayLike,
    post: ArrayLike,
    *,
    treatment_n: ArrayLike | None = None,
    control_n: ArrayLike | None = None,
    periods_per_day: int = 24,
    confidence_level: float = 0.95,
    method: Method = "auto",
) -> DidEstimate:
    """By how much did the treated arm change beyond the control arm, and how sure is that?

    The estimate is (treatment post - treatment pre) - (control post - control pre) of window means
    Σ n·y / Σ n. Its standard error comes from the long-run variance of the hour-by-hour difference
    between the arms, so that correlated hours do not count as independent ones.

    Parameters
    ----------
    treatment, control
        (T,) hourly values, each a mean over participants (or a ratio), in time order. NaN is a
        missing hour; it is left out in both arms.
    post
        (T,) booleans, true from the start of the experiment on. Without a false hour there is no
        baseline: the result is a difference in means and says so.
    treatment_n, control_n
        (T,) participants behind each value, or a ratio's denominators. Equal weights when left out.
    periods_per_day
        24 for hours, 1 for days.
    confidence_level
        Of the interval and of the relative effect's interval.
    method
        ``"auto"`` is ``"prewhitened_ewc"``, the one that held in every tested kind of noise. The
        others are for comparison: see `docs/method.md` for what each gets wrong.

    Returns
    -------
    DidEstimate
        In the outcome's unit. Warnings: ``no_baseline``, ``few_days``, ``borrowed_noise``,
        ``near_unit_root``.

    Raises
    ------
    InvalidInput
        Shapes that do not match, infinite values, negative counts, `post` out of time order.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> post = np.arange(28 * 24) >= 14 * 24
    >>> control = 10 + rng.standard_normal(post.size)
    >>> treatment = 10 + 0.5 * post + rng.standard_normal(post.size)
    >>> result = did_series(treatment, control, post)
    >>> result.ci_lower < 0.5 < result.ci_upper
    True
    >>> result.method, result.n_obs, result.reason is None
    ('prewhitened_ewc', 672, True)
    """
    (estimate,) = did_series_batch(
        treatment,
        control,
        post,
        treatment_n=treatment_n,
        control_n=control_n,
        periods_per_day=periods_per_day,
        confidence_level=confidence_level,
        method=method,
    )
    return estimate


def did_series_batch(
    treatment: ArrayLike,
    control: ArrayLike,
    post: ArrayLike,
    *,
    treatment_n: ArrayLike | None = None,
    control_n: ArrayLike | None = None,
    periods_per_day: int = 24,
    confidence_level: float = 0.95,
    method: Method = "auto",
) -> tuple[DidEstimate, ...]:
    """`did_series` of M metrics at once: values and counts have shape (M, T), `post` has (T,)."""
    influence = influence_series(treatment, control, post, treatment_n=treatment_n, control_n=control_n)
    return estimates_from_influence(
        influence, periods_per_day=periods_per_day, confidence_level=confidence_level, method=method
    )


def estimate_from_influence(
    influence: InfluenceSeries,
    *,
    periods_per_day: int = 24,
    confidence_level: float = 0.95,
    method: Method = "auto",
) -> DidEstimate:
    """Inference for the one effect of `influence`, for instance a combined one."""
    (estimate,) = estimates_from_influence(
        influence, periods_per_day=periods_per_day, confidence_level=confidence_level, method=method
    )
    return estimate


def estimates_from_influence(
    influence: InfluenceSeries,
    *,
    periods_per_day: int = 24,
    confidence_level: float = 0.95,
    method: Method = "auto",
) -> tuple[DidEstimate, ...]:
    """Inference for every effect of `influence`; see `did_series`."""
    if not 0.0 < confidence_level < 1.0:
        raise InvalidInput(f"confidence_level is {confidence_level}: it lies between 0 and 1, such as 0.95")
    if periods_per_day < 1:
        raise InvalidInput(f"periods_per_day is {periods_per_day}: give 24 for hours, 1 for days")
    estimators = _estimators(periods_per_day)
    name = DEFAULT_METHOD if method == "auto" else method
    if name not in estimators:
        raise InvalidInput(f"method is {method!r}: use auto or one of {', '.join(estimators)}")
    estimator = estimators[name]
    rows = range(len(influence.estimate))
    known = _design_cautions(influence, estimator, periods_per_day)
    points = [_point(influence, row, name, confidence_level, known) for row in rows]
    lacks = _lacks(influence, estimator, periods_per_day)
    if all(lacks):
        return tuple(_absent(point, reason) for point, reason in zip(points, lacks, strict=True))
    noise = _noise(influence, estimator, periods_per_day)
    return tuple(
        _absent(points[row], lacks[row]) if lacks[row] else _with_error(points[row], influence, noise, row)
        for row in rows
    )


class _Estimator(NamedTuple):
    """A variance estimator and the fewest hours of the shorter and the longer window it can work on."""

    run: Callable[[Sequence[long_run.Window]], long_run.SumVariance]
    shorter: int
    longer: int
    prewhitens: bool = False


def _estimators(periods_per_day: int) -> dict[Method, _Estimator]:
    few, day = long_run.MIN_HOURS, periods_per_day
    return {
        "prewhitened_ewc": _Estimator(long_run.prewhitened_ewc, 1, few, prewhitens=True),
        "block": _Estimator(long_run.blocked_prewhitened_ewc, 4, 4 * few, prewhitens=True),
        "ewc": _Estimator(long_run.ewc, few, few),
        "newey_west": _Estimator(long_run.newey_west, 1, few),
        "newey_west_fixed_b": _Estimator(long_run.newey_west_fixed_b, few, few),
        "day_means": _Estimator(partial(long_run.block_means, size=day), 2 * day, 2 * day),
        "welch_hours": _Estimator(partial(long_run.block_means, size=1), 2, 2),
    }


def _lacks(influence: InfluenceSeries, estimator: _Estimator, periods_per_day: int) -> list[str | None]:
    """For each metric, why it has no standard error; None where there are hours enough for one."""
    lengths = influence.window_lengths
    shorter, longer = estimator.shorter, max(estimator.longer, periods_per_day)
    if min(lengths) < shorter or max(lengths) < longer:
        hours = " and ".join(str(length) for length in lengths)
        reason = f"windows of {hours} periods: this needs {shorter} in the shorter and {longer} in the longer"
        return [reason] * len(influence.estimate)
    day = max(long_run.MIN_HOURS, periods_per_day)
    needed = [min(length, day) for length in lengths]
    seen = influence.hours_used.astype(int).tolist()
    return [
        f"{counts} periods with data in the windows: this needs {needed}, fewer would not show their noise"
        if any(count < need for count, need in zip(counts, needed, strict=True))
        else None
        for counts in seen
    ]


class _Noise(NamedTuple):
    """Uncertainty of M effects, in units of each effect's largest hourly contribution, its `scale`."""

    scale: Array
    covariance: Array
    dof: Array
    persistence: Array
    memory_dof: Array


def _noise(influence: InfluenceSeries, estimator: _Estimator, periods_per_day: int) -> _Noise:
    contributions = np.stack([influence.effect_contribution, influence.counterfactual_contribution], axis=1)
    with np.errstate(all="ignore"):
        scale = np.maximum(contributions[:, 0].max(axis=1), -contributions[:, 0].min(axis=1))
        contributions /= scale[:, None, None]
        windows = long_run.cut_windows(
            contributions,
            influence.memory / (scale * influence.memory.shape[1])[:, None],
            influence.used,
            influence.windows,
            periods_per_day=periods_per_day if estimator.prewhitens else None,
        )
        noise = estimator.run(windows)
        spare_hours = influence.hours_used.sum(axis=1) - len(windows)
        dof = np.where(np.isinf(noise.dof), noise.dof, np.minimum(noise.dof, spare_hours))
        return _Noise(scale, noise.covariance, dof, noise.persistence, noise.memory_dof)


def _point(
    influence: InfluenceSeries, row: int, method: str, confidence_level: float, warnings: tuple[Caution, ...]
) -> DidEstimate:
    """One metric's effect without its error: estimate, window means and what is known to be weak."""
    means = [mean if math.isfinite(mean) else None for mean in influence.cell_means[row].tolist()]
    estimate = float(influence.estimate[row])
    return DidEstimate(
        estimate=estimate if math.isfinite(estimate) else None,
        confidence_level=confidence_level,
        method=method,
        estimator="difference_in_differences" if influence.start else "difference_in_means",
        n_obs=int(influence.hours_used[row].sum()),
        cell_means=CellMeans(
            treatment_pre=means[0], treatment_post=means[1], control_pre=means[2], control_post=means[3]
        ),
        warnings=warnings,
    )


def _absent(point: DidEstimate, reason: str | None) -> DidEstimate:
    return point.model_copy(update={"relative": RelativeEffect(reason=reason), "reason": reason})


def _with_error(point: DidEstimate, influence: InfluenceSeries, noise: _Noise, row: int) -> DidEstimate:
    """Standard error, interval, p-value and relative effect, or the reason why they are absent."""
    scale, dof = float(noise.scale[row]), float(noise.dof[row])
    (effect_variance, covariance), (_, level_variance) = noise.covariance[row].tolist()
    hours = influence.used.shape[1]
    std_error = math.sqrt(effect_variance) * scale if effect_variance > 0 else 0.0
    if not std_error * math.sqrt(hours) > ROUNDING * float(influence.level[row]):
        return _absent(
            point, "the arms' difference does not vary beyond its daily cycle: there is no noise to judge by"
        )
    if point.estimate is None:
        return _absent(point, "the effect is too large to be represented")
    statistic = point.estimate / std_error
    lower, upper = interval(point.estimate, std_error, dof, point.confidence_level)
    if not all(map(math.isfinite, (statistic, lower, upper))):
        return _absent(point, "the standard error or the interval is too large to be represented")
    relative = relative_effect(
        point.estimate / scale,
        float(influence.counterfactual[row]) / scale,
        JointVariance(effect_variance, level_variance, covariance),
        dof=dof,
        confidence_level=point.confidence_level,
    )
    drifts = float(noise.memory_dof[row]) < cautions.MIN_MEMORY_DOF
    found = (cautions.near_unit_root(float(noise.persistence[row])),) if drifts else ()
    long_run_variance = std_error * std_error / sum(1.0 / length for length in influence.window_lengths)
    return point.model_copy(
        update={
            "std_error": std_error,
            "dof": dof if math.isfinite(dof) else None,
            "statistic": statistic,
            "pvalue": two_sided_pvalue(statistic, dof),
            "ci_lower": lower,
            "ci_upper": upper,
            "relative": relative,
            "long_run_variance": long_run_variance if math.isfinite(long_run_variance) else None,
            "warnings": point.warnings + found,
        }
    )


def _design_cautions(
    influence: InfluenceSeries, estimator: _Estimator, periods_per_day: int
) -> tuple[Caution, ...]:
    shorter, longer = min(influence.window_lengths), max(influence.window_lengths)
    found = []
    if not influence.start:
        found.append(cautions.no_baseline())
    if estimator.prewhitens and shorter * long_run.BORROWING_SHARE < longer:
        found.append(cautions.borrowed_noise(shorter, longer))
    if shorter < cautions.VERIFIED_DAYS * periods_per_day:
        found.append(cautions.few_days(shorter / periods_per_day))
    return tuple(found)
