"""What a careful analyst would check about an effect: numbers with intervals, not green ticks."""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from rallyuxr.models.diagnostics import Autocorrelation, Coverage, DayInfluence, Placebo, Slope
from rallyuxr.models.estimate import DidEstimate
from rallyuxr.stats import long_run
from rallyuxr.stats.event_study import DailyDifferences
from rallyuxr.stats.influence import InfluenceSeries, influence_series
from rallyuxr.stats.regular_grid import RegularGrid
from rallyuxr.stats.series import ROUNDING, estimates_from_influence
from rallyuxr.stats.student import t_quantile, t_quantiles, two_sided_pvalues

Array = NDArray[np.float64]

MIN_TREND_DAYS = 4
SHOWN_DAYS = 5
SHOWN_HOURS = 100


def trend_slopes(
    grid: RegularGrid,
    influence: InfluenceSeries,
    daily: DailyDifferences,
    *,
    pre: bool,
    confidence_level: float = 0.95,
) -> tuple[Slope, ...]:
    """Did the arms drift apart, per day, before the start (`pre`) or after it?

    The slope is least squares through the days' differences. Its variance is that of a smooth
    contrast, Ω / Σ (x - x̄)², with the long-run variance Ω of the hours around the window's own line;
    the factor B/(B-1) gives back the cosine that the line takes out.

    A pre-trend that is not found is not thereby absent (Roth 2022): `minimum_detectable` is the slope
    that this test would miss half of the time, `implied_bias` what that slope adds to the effect,
    which compares windows half of their joint length apart.

    References
    ----------
    Roth (2022), American Economic Review: Insights 4:305-322. Lazarus, Lewis, Stock and Watson (2018),
    Journal of Business & Economic Statistics 36:541-559.
    """
    hours = slice(0, grid.start) if pre else slice(grid.start, None)
    days = slice(0, daily.start) if pre else slice(daily.start, None)
    difference = daily.difference[:, days]
    if not difference.size:
        return (Slope(reason="no baseline"),) * len(difference)
    distance = difference.shape[1] / 2 + (daily.difference.shape[1] - daily.start if pre else daily.start) / 2
    with np.errstate(all="ignore"):
        slope, spread, count = _line(difference)
        variance, dof = _omega_around_line(influence, hours, grid.periods_per_day)
        std_error = np.sqrt(variance / grid.periods_per_day / spread)
        known = (count >= MIN_TREND_DAYS) & (std_error * np.sqrt(spread) > ROUNDING * daily.level)
        detectable = t_quantiles(0.5 + confidence_level / 2, dof) * std_error
        columns = (
            slope,
            std_error,
            dof,
            two_sided_pvalues(slope / std_error, dof),
            slope - detectable,
            slope + detectable,
            detectable,
            detectable * distance,
        )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return tuple(
        Slope(
            estimate=estimate,
            std_error=error,
            dof=row_dof,
            pvalue=pvalue,
            ci_lower=lower,
            ci_upper=upper,
            minimum_detectable=least,
            implied_bias=bias if pre else None,
        )
        if row_known
        else Slope(reason=_no_slope(days_seen))
        for (estimate, error, row_dof, pvalue, lower, upper, least, bias), row_known, days_seen in zip(
            rows, known.tolist(), count.tolist(), strict=True
        )
    )


def placebos(grid: RegularGrid, *, confidence_level: float = 0.95) -> tuple[Placebo, ...]:
    """The same analysis with a start in the middle of the baseline, where there is no effect to find."""
    middle = grid.start // 2 // grid.periods_per_day * grid.periods_per_day
    if not middle:
        reason = "no baseline" if not grid.start else "the baseline is shorter than two days"
        return (Placebo(reason=reason),) * len(grid.metric_ids)
    baseline = slice(0, grid.start)
    influence = influence_series(
        grid.treatment[:, baseline],
        grid.control[:, baseline],
        np.arange(grid.start) >= middle,
        treatment_n=grid.treatment_weight[:, baseline],
        control_n=grid.control_weight[:, baseline],
    )
    date = grid.moment(middle)
    return tuple(
        Placebo(
            date=date,
            estimate=found.estimate,
            std_error=found.std_error,
            pvalue=found.pvalue,
            ci_lower=found.ci_lower,
            ci_upper=found.ci_upper,
            reason=found.reason,
        )
        for found in estimates_from_influence(
            influence, periods_per_day=grid.periods_per_day, confidence_level=confidence_level
        )
    )


def autocorrelations(
    grid: RegularGrid, influence: InfluenceSeries, estimates: tuple[DidEstimate, ...]
) -> tuple[Autocorrelation, ...]:
    """How much do hours remember, and how much wider than for independent hours is the interval?

    Correlations are of what the hours contribute to the effect, each hour of day's own mean taken out.
    """
    per_day = grid.periods_per_day
    parts = [
        long_run.without_daily_cycle(
            influence.effect_contribution[:, window] * length, per_day, grid.used[:, window]
        )
        for window, length in _windows(grid)
    ]
    squares = _lagged(parts, 0)
    naive = np.sqrt(np.square(influence.effect_contribution).sum(axis=1))
    with np.errstate(all="ignore"):
        one, day = _lagged(parts, 1) / squares, _lagged(parts, per_day) / squares
    return tuple(
        Autocorrelation(reason="the hours do not vary")
        if found.std_error is None or found.dof is None or not row_naive
        else Autocorrelation(
            lag_one=row_one,
            lag_day=row_day,
            width_ratio=found.std_error
            * t_quantile(0.5 + found.confidence_level / 2, found.dof)
            / (row_naive * t_quantile(0.5 + found.confidence_level / 2, np.inf)),
        )
        for found, row_one, row_day, row_naive in zip(
            estimates, one.tolist(), day.tolist(), naive.tolist(), strict=True
        )
    )


def coverages(grid: RegularGrid, daily: DailyDifferences) -> tuple[Coverage, ...]:
    """Which hours are missing, and what do unequal weekdays do to the effect?

    The weekday imbalance is the bias that a fixed weekday pattern in the arms' difference would cause:
    Σ (share of the weekday after - before) × the weekday's mean deviation from its window.
    """
    missing = ~grid.used
    pre, post = missing[:, : grid.start].sum(axis=1).tolist(), missing[:, grid.start :].sum(axis=1).tolist()
    bias = _weekday_bias(daily)
    days_before, days_after = daily.start, daily.difference.shape[1] - daily.start
    return tuple(
        Coverage(
            expected_pre=grid.start,
            expected_post=grid.times.size - grid.start,
            missing_pre=row_pre,
            missing_post=row_post,
            missing=tuple(grid.moment(hour) for hour in np.flatnonzero(row_missing)[:SHOWN_HOURS].tolist()),
            whole_weeks=days_before % 7 == 0 and grid.observed_days % 7 == 0,
            weekday_imbalance=bias[row] if days_before and days_after else None,
        )
        for row, (row_pre, row_post, row_missing) in enumerate(zip(pre, post, missing, strict=True))
    )


def day_influences(
    grid: RegularGrid, influence: InfluenceSeries, days: tuple[datetime, ...]
) -> tuple[DayInfluence, ...]:
    """How far does the effect move when one day is left out? The most influential days first.

    An arm's window mean without a day whose share of the window's weight is s moves by
    -(the day's contribution) / (1 - s).
    """
    change = _change_without(grid)
    shown = np.argsort(-np.abs(np.nan_to_num(change)), axis=1, kind="stable")[:, :SHOWN_DAYS]
    return tuple(
        DayInfluence(
            days=tuple(days[day] for day in order),
            estimate_without=tuple(estimate + moved[day] for day in order),
            change=tuple(moved[day] for day in order),
        )
        if estimate == estimate and len(order) > 1 and all(moved[day] == moved[day] for day in order)
        else DayInfluence(reason="a window has too few days to leave one out")
        for estimate, moved, order in zip(influence.estimate.tolist(), change.tolist(), shown.tolist(), strict=True)
    )


def _windows(grid: RegularGrid) -> list[tuple[slice, int]]:
    post = (slice(grid.start, None), grid.times.size - grid.start)
    return [(slice(0, grid.start), grid.start), post] if grid.start else [post]


def _line(difference: Array) -> tuple[Array, Array, NDArray[np.int64]]:
    """Least-squares slope per day, Σ (x - x̄)² and the days with data, each (M,)."""
    present = np.isfinite(difference)
    count = np.add.reduce(present, axis=1)
    position = np.arange(difference.shape[1])
    centred = np.where(present, position - (present @ position / count)[:, None], 0.0)
    spread = np.vecdot(centred, centred)
    return np.vecdot(centred, np.where(present, difference, 0.0)) / spread, spread, count


def _omega_around_line(influence: InfluenceSeries, hours: slice, per_day: int) -> tuple[Array, Array]:
    """Long-run variance (M,) of the hours of one window around its line, and its degrees of freedom."""
    metrics, length = influence.used[:, hours].shape
    if length < 2 * long_run.MIN_HOURS:
        return np.full(metrics, np.nan), np.full(metrics, np.nan)
    cosines = long_run.number_of_cosines(length)
    scale, contribution, memory = influence.scaled()
    noise = long_run.prewhitened_ewc(
        long_run.adjusted_contributions(
            contribution[:, :1, hours],
            memory[:, hours],
            (slice(0, length),),
            used=None if influence.seen is None else influence.seen[:, hours],
            periods_per_day=per_day,
            line=True,
        )
    )
    return noise.covariance[:, 0, 0] * (scale**2 * length * cosines / (cosines - 1)), noise.dof


def _no_slope(days: int) -> str:
    if days < MIN_TREND_DAYS:
        return f"{days} days with data; a trend needs {MIN_TREND_DAYS}"
    return "too little variation or too few hours to estimate the trend's error"


def _lagged(parts: list[Array], lag: int) -> Array:
    """Σ x_t x_{t-lag} over windows that share no pair, (M,)."""
    products = [
        np.einsum("mt,mt->m", part[:, lag:], part[:, : part.shape[1] - lag])
        for part in parts
        if part.shape[1] > lag
    ]
    return np.sum(products, axis=0) if products else np.full(len(parts[0]), np.nan)


def _weekday_bias(daily: DailyDifferences) -> list[float]:
    metrics, length = daily.difference.shape
    present = daily.present
    weekday = (np.arange(length) - daily.start) % 7
    indicator = (weekday == np.arange(7)[:, None]).astype(float)
    deviation = np.zeros((metrics, length))
    shares = []
    with np.errstate(all="ignore"):
        for window in daily.windows:
            seen = present[:, window]
            rows = np.where(seen, daily.difference[:, window], 0.0)
            mean = rows.sum(axis=1) / seen.sum(axis=1)
            deviation[:, window] = np.where(seen, rows - mean[:, None], 0.0)
            shares.append(seen @ indicator[:, window].T / seen.sum(axis=1, keepdims=True))
        pattern = deviation @ indicator.T / np.maximum(present @ indicator.T, 1.0)
        bias = np.nan_to_num(((shares[-1] - shares[0]) * pattern).sum(axis=1))
    return [float(value) for value in bias.tolist()]


def _change_without(grid: RegularGrid) -> Array:
    """(M, N) how the estimate changes without each day, both arms exactly."""
    per_day = grid.periods_per_day
    front, back = -grid.start % per_day, -(grid.times.size - grid.start) % per_day
    used = grid.used
    change = 0.0
    for values, weights, sign in (
        (grid.treatment, grid.treatment_weight, 1.0),
        (grid.control, grid.control_weight, -1.0),
    ):
        for (window, _), direction in zip(_windows(grid), (-1.0, 1.0) if grid.start else (1.0,), strict=True):
            weight = np.where(used[:, window], weights[:, window], 0.0)
            share = np.zeros(used.shape)
            pull = np.zeros(used.shape)
            with np.errstate(all="ignore"):
                share[:, window] = weight / weight.sum(axis=1, keepdims=True)
                filled = np.where(used[:, window], values[:, window], 0.0)
                centred = filled - (share[:, window] * filled).sum(axis=1)[:, None]
                pull[:, window] = share[:, window] * centred
                day = [
                    np.pad(part, ((0, 0), (front, back))).reshape(len(part), -1, per_day).sum(axis=2)
                    for part in (share, pull)
                ]
                change = change - sign * direction * day[1] / (1.0 - day[0])
    return np.where(np.isfinite(change), change, np.nan)
