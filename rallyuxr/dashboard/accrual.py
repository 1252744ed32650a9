"""Money as it came in, day by day: of one metric and of all that count, ending at what is stored. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rallyuxr.dashboard.curves import by_day
from rallyuxr.economics import money_per_effect
from rallyuxr.models import AnalysisPeriod, DidResult, ExperimentAnalysis, MetricImpact, MetricSeries
from rallyuxr.models.columns import Floats, Hours
from rallyuxr.models.metric_value import Exposure

DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True, eq=False)
class Accrual:
    """Money as it came in, by the end of each day: amount and pointwise interval, shape (days,)."""

    days: Hours
    amount: Floats
    lower: Floats
    upper: Floats


def accrual(series: MetricSeries, did: DidResult, impact: MetricImpact, period: AnalysisPeriod) -> Accrual | None:
    """One metric's dollars up to each day: the effect so far × price × exposure so far.

    The effect so far is the difference-in-differences with the post window cut at that day. Its standard error is
    the stored one, rescaled by the share of the window seen, √((1/pre + 1/τ) / (1/pre + 1/post)), so that the last
    day shows exactly the stored amount and interval. None where either is absent.
    """
    estimate = did.estimate.estimate
    if impact.dollar_impact is None or impact.interval is None or not estimate:
        return None
    path = _path(series, did, impact.exposure, period)
    if path is None:
        return None
    amount = path.effect * impact.dollar_impact / estimate * path.exposed
    width = path.exposed * _width_over_time(path.days.size, period)
    return Accrual(
        path.days + DAY,
        amount,
        amount - width * (impact.dollar_impact - impact.interval.lower),
        amount + width * (impact.interval.upper - impact.dollar_impact),
    )


def total_accrual(analysis: ExperimentAnalysis, series: Mapping[str, MetricSeries]) -> Accrual | None:
    """All counted metrics' dollars up to each day, with an interval that knows how their errors move together.

    With w(τ) the money per stored unit of each effect at the exposure so far, and Σ the stored covariance of the
    effects, the standard error is √(w(τ)'Σw(τ)), rescaled by the share of the window seen as one metric's is. On
    the last day that is the stored total with its interval. None where there is no interval, or a counted metric
    is observed on units, which have no such path.
    """
    impact = analysis.economic_impact
    counted = sorted(key for key, part in impact.metric_breakdown.items() if part.counts)
    if impact.total_interval is None or impact.critical_value is None or not series.keys() >= set(counted):
        return None
    period, parts = analysis.experiment_period, impact.metric_breakdown
    paths = [_path(series[key], analysis.did_results[key], parts[key].exposure, period) for key in counted]
    known = [path for path in paths if path is not None]
    if len(known) < len(paths):
        return None
    days: Hours = np.unique(np.concatenate([path.days for path in known]))
    worth = [
        money_per_effect(analysis.metric_values_snapshot[key], parts[key].exposure_quantity or 0.0)
        for key in counted
    ]
    effect = np.stack([path.at(days, path.effect) for path in known], axis=1)
    weight = np.stack([path.at(days, path.exposed) for path in known], axis=1) * worth
    covariance = np.array([[impact.covariance[row][column] for column in counted] for row in counted])
    std_error = np.sqrt(np.maximum(np.einsum("di,ij,dj->d", weight, covariance, weight), 0.0))
    half = impact.critical_value * std_error * _width_over_time(days.size, period)
    amount = (effect * weight).sum(axis=1)
    return Accrual(days + DAY, amount, amount - half, amount + half)


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """One metric by the end of each day, shape (days,): its effect so far, and the share of its exposure so far."""

    days: Hours
    effect: Floats
    exposed: Floats

    def at(self, days: Hours, column: Floats) -> Floats:
        """A column on other days: what was last known, nothing before the first."""
        last = np.searchsorted(self.days, days, side="right") - 1
        return np.where(last < 0, 0.0, column[np.maximum(last, 0)])


def _path(series: MetricSeries, did: DidResult, exposure: Exposure | None, period: AnalysisPeriod) -> _Path | None:
    """The difference-in-differences with the post window cut at each day; None without a day or an estimate."""
    post = by_day(series.window(period.start_date, period.end_date))
    if not post.timestamps.size or did.estimate.estimate is None:
        return None
    so_far = _running_mean(post.treatment, post.treatment_weight) - _running_mean(post.control, post.control_weight)
    elapsed = np.arange(1, post.timestamps.size + 1) / post.timestamps.size
    exposed = np.cumsum(post.treatment_n) / post.treatment_n.sum() if exposure == "participant" else elapsed
    return _Path(post.timestamps, so_far - so_far[-1] + did.estimate.estimate, exposed)


def _running_mean(values: Floats, weight: Floats) -> Floats:
    return np.asarray(np.nancumsum(values * weight) / np.cumsum(weight))


def _width_over_time(days: int, period: AnalysisPeriod) -> Floats:
    """The standard error with so many of the `days` seen, over the one with all of them."""
    seen = 1 / np.arange(1, days + 1)
    before = 0.0
    if period.baseline_start is not None:
        before = 1 / ((period.start_date - period.baseline_start).total_seconds() / 86_400)
    return np.asarray(np.sqrt((before + seen) / (before + seen[-1])))
