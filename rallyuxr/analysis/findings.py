"""Every metric's statistics for one experiment, computed for all metrics at once where they are series."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from rallyuxr.models.analysis import AlwaysValid, Interval
from rallyuxr.models.diagnostics import Diagnostics, EventStudy, SampleRatio
from rallyuxr.models.estimate import DidEstimate
from rallyuxr.models.metric_value import ValueType
from rallyuxr.models.results import Floats, MetricSeries, UnitPanel, utc64
from rallyuxr.stats import diagnostics as checks
from rallyuxr.stats.composite import Composite, composite
from rallyuxr.stats.event_study import daily_differences, event_studies
from rallyuxr.stats.influence import InfluenceSeries, influence_series
from rallyuxr.stats.panel import did_panel
from rallyuxr.stats.regular_grid import RegularGrid, Span, regular_grid
from rallyuxr.stats.sample_ratio import ALARM, sample_ratio
from rallyuxr.stats.sequential import always_valid
from rallyuxr.stats.series import ROUNDING, estimates_from_influence
from rallyuxr.stats.student import t_quantile

NOT_RUNNING = AlwaysValid(reason="the experiment is over: its interval is valid as it is")
NO_EVENT_STUDY = EventStudy()
NO_DIAGNOSTICS = Diagnostics()


@dataclass(frozen=True, slots=True)
class Finding:
    """One metric's statistics, before money and words.

    `interval` and `pvalue` are those to go by: the estimate's own at the end, the always-valid ones while
    the experiment runs. `control_spread` is the standard deviation of the control arm's values over the
    baseline (hours or units), None where they do not vary.
    """

    estimate: DidEstimate
    participants_treatment: float = 0.0
    participants_control: float = 0.0
    control_spread: float | None = None
    spread_of: str = ""
    interval: Interval | None = None
    pvalue: float | None = None
    always_valid: AlwaysValid = NOT_RUNNING
    event_study: EventStudy = NO_EVENT_STUDY
    diagnostics: Diagnostics = NO_DIAGNOSTICS

    @property
    def critical_value(self) -> float | None:
        """Standard errors on each side of the interval."""
        if self.interval is None or not self.estimate.std_error:
            return None
        return (self.interval.upper - self.interval.lower) / 2 / self.estimate.std_error


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
        metric: _shown(
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


def panel_finding(panel: UnitPanel, span: Span, *, confidence_level: float = 0.95) -> Finding:
    """The effect on one metric observed on units; periods outside the span are ignored."""
    inside = (panel.periods >= utc64(span.baseline_start)) & (panel.periods < utc64(span.end))
    rows = inside[panel.period]
    unit, period, outcome = panel.unit[rows], panel.period[rows], panel.outcome[rows]
    post = panel.periods >= utc64(span.start)
    treated = panel.treated.astype(bool)
    estimate = did_panel(
        {"unit": unit, "period": period, "treated": treated[unit], "post": post[period], "outcome": outcome},
        unit="unit",
        period="period",
        treated="treated",
        post="post",
        outcome="outcome",
        confidence_level=confidence_level,
    )
    before = outcome[~treated[unit] & ~post[period]]
    seen = np.bincount(unit, minlength=treated.size) > 0
    running = span.seen_until is not None and span.seen_until < span.end
    return _shown(
        Finding(
            estimate=estimate,
            participants_treatment=float((seen & treated).sum()),
            participants_control=float((seen & ~treated).sum()),
            control_spread=float(before.std(ddof=1)) or None if before.size > 1 else None,
            spread_of="units' outcomes",
        ),
        AlwaysValid(reason="units have no interval that may be looked at before the end") if running else None,
    )


def absent_finding(reason: str, confidence_level: float) -> Finding:
    """A metric of the plan that nothing can be said of."""
    return Finding(DidEstimate(method="none", confidence_level=confidence_level, reason=reason))


def effect_size(finding: Finding, value_type: ValueType) -> tuple[float | None, str | None]:
    """The effect on a scale without a unit, and its name; both None where nothing varies.

    Proportions: Cohen's h, 2·asin √p₁ - 2·asin √p₀ between the treated arm's mean and what it would have
    been. Others: Glass's Δ, the effect over the standard deviation of the control's values.

    References
    ----------
    Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, chapter 6. Glass (1976),
    Educational Researcher 5:3-8.
    """
    effect, treated = finding.estimate.estimate, finding.estimate.cell_means.treatment_post
    if effect is None or finding.estimate.std_error is None:
        return None, None
    if value_type == "proportion" and treated is not None and 0 <= treated - effect <= 1 and 0 <= treated <= 1:
        return 2 * math.asin(math.sqrt(treated)) - 2 * math.asin(math.sqrt(treated - effect)), "Cohen's h"
    if finding.control_spread is None:
        return None, None
    return effect / finding.control_spread, f"Glass's delta over the control's {finding.spread_of}"


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
    first = grid.times[grid.start] - np.timedelta64(start, "D")
    return tuple(
        datetime.fromisoformat(f"{day}+00:00")
        for day in (first + np.arange(count) * np.timedelta64(1, "D")).tolist()
    )


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


def _shown(finding: Finding, while_running: AlwaysValid | None) -> Finding:
    """The finding with the interval and p-value to go by."""
    source = while_running or finding.estimate
    bounds = None
    if source.ci_lower is not None and source.ci_upper is not None:
        bounds = Interval(lower=source.ci_lower, upper=source.ci_upper)
    return replace(finding, interval=bounds, pvalue=source.pvalue, always_valid=while_running or NOT_RUNNING)
