"""Difference-in-differences of one treated and one control series, valid under serial correlation."""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rallyuxr.errors import InvalidInput
from rallyuxr.models.estimate import Caution, CellMeans, DidEstimate, Estimator, RelativeEffect
from rallyuxr.stats import cautions, long_run
from rallyuxr.stats.influence import Array, InfluenceSeries, influence_series
from rallyuxr.stats.relative import JointVariance, relative_effect
from rallyuxr.stats.student import t_quantiles, two_sided_pvalues

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
    lacks = _lacks(influence, estimator, periods_per_day)
    frame = _Frame(
        method=name,
        confidence_level=confidence_level,
        estimator="difference_in_differences" if influence.start else "difference_in_means",
        cautions=_design_cautions(influence, estimator, periods_per_day),
    )
    with np.errstate(all="ignore"):
        scale, noise = _no_noise(len(lacks)) if all(lacks) else _noise(influence, estimator, periods_per_day)
        rows = _rows(influence, scale, noise, confidence_level)
    return tuple(_answer(row, frame, lack) for row, lack in zip(rows, lacks, strict=True))


class _Estimator(NamedTuple):
    """A variance estimator and the fewest hours of the shorter and the longer window it can work on."""

    run: Callable[[long_run.Contributions], long_run.SumVariance]
    shorter: int
    longer: int
    prewhitens: bool = False
    normal: bool = False
    """Whether its reference distribution is the normal one, whatever the hours."""


@lru_cache(maxsize=8)
def _estimators(periods_per_day: int) -> dict[Method, _Estimator]:
    few, day = long_run.MIN_HOURS, periods_per_day
    return {
        "prewhitened_ewc": _Estimator(long_run.prewhitened_ewc, 1, few, prewhitens=True),
        "block": _Estimator(long_run.blocked_prewhitened_ewc, 4, 4 * few, prewhitens=True),
        "ewc": _Estimator(long_run.ewc, few, few),
        "newey_west": _Estimator(long_run.newey_west, 1, few, normal=True),
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
    if influence.seen is None:
        return [None] * len(influence.estimate)
    seen = influence.hours_used.astype(int).tolist()
    return [
        f"{counts} periods with data in the windows: this needs {needed}, fewer would not show their noise"
        if any(count < need for count, need in zip(counts, needed, strict=True))
        else None
        for counts in seen
    ]


def _no_noise(metrics: int) -> tuple[Array, long_run.SumVariance]:
    unknown = np.full(metrics, np.nan)
    return unknown, long_run.SumVariance(np.full((metrics, 2, 2), np.nan), unknown, unknown, unknown)


def _noise(
    influence: InfluenceSeries, estimator: _Estimator, periods_per_day: int
) -> tuple[Array, long_run.SumVariance]:
    """Units (M,), and in them the uncertainty of M effects and counterfactuals."""
    scale, errors, memory = influence.scaled()
    if estimator.prewhitens:
        contributions = long_run.adjusted_contributions(
            errors, memory, influence.windows, used=influence.seen, periods_per_day=periods_per_day
        )
    else:
        contributions = long_run.Contributions(errors, memory, influence.windows)
    noise = estimator.run(contributions)
    if estimator.normal:
        return scale, noise
    return scale, noise._replace(dof=np.minimum(noise.dof, influence.total_hours - len(influence.windows)))


class _Row(NamedTuple):
    """One metric's effect and its uncertainty, as plain numbers; NaN where there is none."""

    estimate: float
    counterfactual: float
    cell_means: list[float | None]
    hours_used: float
    std_error: float
    dof: float
    statistic: float
    pvalue: float
    ci_lower: float
    ci_upper: float
    long_run_variance: float
    scale: float
    variance: list[list[float]]
    persistence: float
    memory_dof: float
    varies: bool


def _rows(
    influence: InfluenceSeries, scale: Array, noise: long_run.SumVariance, confidence_level: float
) -> Iterator[_Row]:
    hours, estimate = influence.used.shape[1], influence.estimate
    std_error = np.sqrt(np.maximum(noise.covariance[:, 0, 0], 0.0)) * scale
    statistic = estimate / std_error
    margin = t_quantiles(0.5 + confidence_level / 2, noise.dof) * std_error
    columns = (
        estimate,
        influence.counterfactual,
        absent_for_nan(influence.cell_means),
        influence.total_hours,
        std_error,
        noise.dof,
        statistic,
        two_sided_pvalues(statistic, noise.dof),
        estimate - margin,
        estimate + margin,
        std_error * std_error / sum(1.0 / length for length in influence.window_lengths),
        scale,
        noise.covariance,
        noise.persistence,
        noise.memory_dof,
        std_error * math.sqrt(hours) > ROUNDING * influence.level,
    )
    return map(_Row, *(column.tolist() for column in columns))


class _Frame(NamedTuple):
    """What the estimates of one call share."""

    method: Method
    confidence_level: float
    estimator: Estimator
    cautions: tuple[Caution, ...]


def _answer(row: _Row, frame: _Frame, lack: str | None) -> DidEstimate:
    """One metric's estimate: with its uncertainty, or with the reason why that is absent."""
    treatment_pre, treatment_post, control_pre, control_post = row.cell_means
    means = CellMeans(
        treatment_pre=treatment_pre,
        treatment_post=treatment_post,
        control_pre=control_pre,
        control_post=control_post,
    )
    reason = lack or _no_error(row)
    if reason:
        return DidEstimate(
            estimate=_finite(row.estimate),
            confidence_level=frame.confidence_level,
            method=frame.method,
            estimator=frame.estimator,
            n_obs=int(row.hours_used),
            relative=RelativeEffect(reason=reason),
            cell_means=means,
            warnings=frame.cautions,
            reason=reason,
        )
    (effect, covariance), (_, level) = row.variance
    drifts = row.memory_dof < cautions.MIN_MEMORY_DOF
    return DidEstimate(
        estimate=row.estimate,
        std_error=row.std_error,
        dof=_finite(row.dof),
        statistic=row.statistic,
        pvalue=row.pvalue,
        ci_lower=row.ci_lower,
        ci_upper=row.ci_upper,
        confidence_level=frame.confidence_level,
        method=frame.method,
        estimator=frame.estimator,
        n_obs=int(row.hours_used),
        relative=relative_effect(
            row.estimate / row.scale,
            row.counterfactual / row.scale,
            JointVariance(effect, level, covariance),
            dof=row.dof,
            confidence_level=frame.confidence_level,
        ),
        cell_means=means,
        long_run_variance=_finite(row.long_run_variance),
        warnings=(*frame.cautions, cautions.near_unit_root(row.persistence)) if drifts else frame.cautions,
    )


def _no_error(row: _Row) -> str | None:
    """Why there is no standard error although there are hours enough; None where there is one."""
    if not row.varies:
        return "the arms' difference does not vary beyond its daily cycle: there is no noise to judge by"
    if not math.isfinite(row.estimate):
        return "the effect is too large to be represented"
    if not math.isfinite(row.statistic) or not math.isfinite(row.ci_upper - row.ci_lower):
        return "the standard error or the interval is too large to be represented"
    return None


def absent_for_nan(values: Array) -> NDArray[Any]:
    """The values, None for what is not finite."""
    if np.isfinite(values).all():
        return values
    known = values.astype(object)
    known[~np.isfinite(values)] = None
    return known


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


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
