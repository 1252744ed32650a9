"""The series metrics of an experiment, every step computed for all of them at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from rallyuxr.analysis.findings import Finding, shown
from rallyuxr.models.columns import Floats, MetricSeries
from rallyuxr.models.diagnostics import Diagnostics, EventStudy, SampleRatio
from rallyuxr.models.estimate import AlwaysValid, DidEstimate
from rallyuxr.stats import diagnostics as checks
from rallyuxr.stats.composite import Composite, composite
from rallyuxr.stats.event_study import daily_differences, event_studies
from rallyuxr.stats.influence import InfluenceSeries, influence_series
from rallyuxr.stats.regular_grid import RegularGrid, Span, regular_grid
from rallyuxr.stats.sample_ratio import ALARM, sample_ratio
from rallyuxr.stats.sequential import always_valid
from rallyuxr.stats.series import ROUNDING, estimates_from_influence
from rallyuxr.stats.student import t_quantile


@dataclass(frozen=True, slots=True)
class SeriesFindings:
    """The series metrics' findings, and what their joint uncertainty follows from."""

    grid: RegularGrid
    influence: InfluenceSeries
    findings: Mapping[str, Finding]
    span: Span

    @property
    def seen_until(self) -> datetime:
        """The end of the last period that is known."""
        return self.grid.end

    def critical_value(self, dof: float, confidence_level: float) -> float | None:
        """Standard errors on each side of the interval of any sum of the effects."""
        unit = DidEstimate(method="sum", estimate=0.0, std_error=1.0, dof=dof, confidence_level=confidence_level)
        if self.grid.end >= self.span.end:
            return t_quantile(0.5 + confidence_level / 2, dof)
        return _always_valid(unit, self.grid, self.span).ci_upper

    def known(self) -> list[str]:
        """The metrics that have a standard error."""
        return [metric for metric, one in self.findings.items() if one.estimate.std_error is not None]

    def total(self, weights: Mapping[str, float]) -> Composite:
        """The weighted sum of the known metrics' effects; their plain standardised sum where no weight is given."""
        known = self.known()
        if not weights:
            weights = {metric: 1.0 / (self.findings[metric].estimate.std_error or 1.0) for metric in known}
        return composite(
            self.influence,
            [self.grid.metric_ids.index(metric) for metric in known],
            np.array([weights.get(metric, 0.0) for metric in known]),
            periods_per_day=self.grid.periods_per_day,
        )


def series_findings(
    series: Mapping[str, MetricSeries],
    span: Span,
    *,
    periods_per_day: int = 24,
    confidence_level: float = 0.95,
    treatment_share: float | None = None,
) -> SeriesFindings:
    """Effects, event studies and diagnostics of all series metrics, each step over all metrics at once.

    Parameters
    ----------
    span
        Baseline and window of the experiment.
    treatment_share
        The planned share of the treated arm; half where it is not stated and the baseline agrees.
    """
    grid = regular_grid(series, span, periods_per_day=periods_per_day)
    influence = influence_series(
        grid.treatment,
        grid.control,
        grid.post,
        treatment_n=grid.treatment_weight,
        control_n=grid.control_weight,
    )
    estimates = estimates_from_influence(
        influence, periods_per_day=periods_per_day, confidence_level=confidence_level
    )
    studies, found = _checks(grid, influence, estimates, confidence_level, treatment_share)
    treated, control = grid.treatment_n[:, grid.start :].sum(axis=1), grid.control_n[:, grid.start :].sum(axis=1)
    spread = _control_spread(grid)
    findings = {
        metric: shown(
            Finding(
                estimate=estimates[row],
                participants_treatment=float(treated[row]),
                participants_control=float(control[row]),
                control_spread=spread[row],
                spread_of="hourly means" if periods_per_day > 1 else "daily means",
                event_study=studies[row],
                diagnostics=found[row],
            ),
            None if grid.end >= span.end else _always_valid(estimates[row], grid, span),
        )
        for row, metric in enumerate(grid.metric_ids)
    }
    return SeriesFindings(grid, influence, findings, span)


def _checks(
    grid: RegularGrid,
    influence: InfluenceSeries,
    estimates: tuple[DidEstimate, ...],
    confidence_level: float,
    treatment_share: float | None,
) -> tuple[tuple[EventStudy, ...], list[Diagnostics]]:
    daily = daily_differences(grid)
    days = _days(grid, daily.difference.shape[1], daily.start)
    columns = zip(
        checks.trend_slopes(grid, influence, daily, pre=True, confidence_level=confidence_level),
        checks.trend_slopes(grid, influence, daily, pre=False, confidence_level=confidence_level),
        checks.placebos(grid, confidence_level=confidence_level),
        checks.autocorrelations(grid, influence, estimates),
        [_sample_ratio(grid, row, treatment_share) for row in range(len(estimates))],
        checks.coverages(grid, daily),
        checks.day_influences(grid, influence, days),
        strict=True,
    )
    found = [
        Diagnostics(
            pre_trend=pre_trend,
            novelty_trend=novelty,
            placebo=placebo,
            autocorrelation=autocorrelation,
            sample_ratio=ratio,
            coverage=coverage,
            influence=days_out,
        )
        for pre_trend, novelty, placebo, autocorrelation, ratio, coverage, days_out in columns
    ]
    return event_studies(daily, days, confidence_level=confidence_level), found


def _days(grid: RegularGrid, count: int, start: int) -> tuple[datetime, ...]:
    """The beginnings of `count` days of 24 hours, of which `start` lie before the experiment."""
    first = grid.moment(grid.start) - timedelta(days=start)
    return tuple(first + timedelta(days=day) for day in range(count))


def _sample_ratio(grid: RegularGrid, row: int, treatment_share: float | None) -> SampleRatio:
    """The split after the start against the plan's; a split that was another one before is no plan of halves."""
    arms = [_daily_sums(arm[row], grid) for arm in (grid.treatment_n, grid.control_n)]
    before = [float(arm[row, : grid.start].sum()) for arm in (grid.treatment_n, grid.control_n)]
    found = sample_ratio(*arms, treatment_share=treatment_share or 0.5)
    if treatment_share is None and before[0] + before[1] > 0:
        baseline = sample_ratio(*before)
        if baseline.pvalue is not None and baseline.pvalue < ALARM:
            reason = (
                f"the treated arm had {baseline.observed_treatment_share:.1%} of the participants before the start "
                "already: state the planned share to test it"
            )
            return SampleRatio(
                treatment=found.treatment,
                control=found.control,
                observed_treatment_share=found.observed_treatment_share,
                reason=reason,
            )
    return found


def _daily_sums(arm: Floats, grid: RegularGrid) -> Floats:
    post = arm[grid.start :]
    return np.add.reduceat(post, np.arange(0, post.size, grid.periods_per_day))


def _control_spread(grid: RegularGrid) -> list[float | None]:
    """Standard deviation of the control's periods in the baseline, or in the window where there is none."""
    rows = np.where(grid.used, grid.control, np.nan)[:, : grid.start or None]
    present = np.isfinite(rows)
    count = present.sum(axis=1)
    with np.errstate(all="ignore"):
        mean = np.where(present, rows, 0.0).sum(axis=1) / count
        variance = np.where(present, np.square(rows - mean[:, None]), 0.0).sum(axis=1) / (count - 1)
        spread = np.sqrt(variance)
        varies = spread > ROUNDING * np.abs(mean)
    return [float(value) if known else None for value, known in zip(spread.tolist(), varies.tolist(), strict=True)]


def _always_valid(estimate: DidEstimate, grid: RegularGrid, span: Span) -> AlwaysValid:
    return always_valid(
        estimate,
        baseline_hours=grid.start,
        post_hours=grid.times.size - grid.start,
        planned_hours=round((span.end - span.start) / timedelta(days=1) * grid.periods_per_day),
    )
