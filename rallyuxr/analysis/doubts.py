"""The most serious thing the diagnostics found about an effect, in words."""

from collections.abc import Iterator
from typing import NamedTuple

from rallyuxr.models.diagnostics import Diagnostics
from rallyuxr.models.estimate import DidEstimate

SUSPICIOUS = 0.05
"""The p-value below which a check raises a doubt, shared among the metrics looked at together."""
MANY_MISSING = 0.1
LAST_RANK_ABOUT_DATA = 6
"""Doubts up to this rank are about data or design, later ones about what one interval can say."""
DOUBTFUL_WARNINGS = ("near_unit_root", "few_clusters", "few_units", "few_days")


class Doubt(NamedTuple):
    """A doubt; the smallest `rank` is the most serious."""

    rank: int
    text: str


def main_doubt(
    estimate: DidEstimate,
    diagnostics: Diagnostics,
    *,
    critical_value: float | None,
    adjusted_pvalue: float | None = None,
    looked_at: int = 1,
) -> Doubt | None:
    """The first doubt, from what voids a comparison to what merely weakens it.

    Parameters
    ----------
    critical_value
        Standard errors on each side of the effect's interval.
    adjusted_pvalue
        The p-value after looking at the other primary metrics.
    looked_at
        Number of metrics whose checks are read together: ten checks at 5 % alarm by chance.

    Examples
    --------
    >>> alone = DidEstimate(method="x", estimate=1.0, std_error=0.1, estimator="difference_in_means")
    >>> main_doubt(alone, Diagnostics(), critical_value=2.0).text
    'without a baseline the arms may have differed before the start'
    """
    return next(_doubts(estimate, diagnostics, critical_value, adjusted_pvalue, SUSPICIOUS / looked_at), None)


def _doubts(
    estimate: DidEstimate,
    found: Diagnostics,
    critical_value: float | None,
    adjusted: float | None,
    alarm: float,
) -> Iterator[Doubt]:
    alpha = 1.0 - estimate.confidence_level
    if found.sample_ratio.mismatch and found.sample_ratio.observed_treatment_share is not None:
        share, planned = found.sample_ratio.observed_treatment_share, found.sample_ratio.expected_treatment_share
        yield Doubt(0, f"the treated arm received {share:.1%} of the participants instead of {planned:.1%}")
    if estimate.estimator == "difference_in_means":
        yield Doubt(1, "without a baseline the arms may have differed before the start")
    if _below(found.pre_trend.pvalue, alarm):
        yield Doubt(2, f"the arms were drifting apart before the start (p = {found.pre_trend.pvalue:.2g})")
    if _below(found.placebo.pvalue, alarm):
        yield Doubt(
            3, f"an effect shows inside the baseline, where there was none (p = {found.placebo.pvalue:.2g})"
        )
    for caution in estimate.warnings:
        if caution.code in DOUBTFUL_WARNINGS:
            yield Doubt(4, caution.message)
    hours = found.coverage.expected_pre + found.coverage.expected_post
    missing = found.coverage.missing_pre + found.coverage.missing_post
    if missing > MANY_MISSING * hours:
        yield Doubt(5, f"{missing} of {hours} periods have no data")
    if estimate.estimate is None or estimate.std_error is None or critical_value is None:
        return
    significant = abs(estimate.estimate) > critical_value * estimate.std_error
    if abs(found.coverage.weekday_imbalance or 0.0) > 0.5 * estimate.std_error:
        yield Doubt(6, "the weekdays before and after the start are not the same")
    if significant and not _below(adjusted, alpha) and adjusted is not None:
        yield Doubt(7, f"among the primary metrics together its p-value is {adjusted:.2g}")
    if significant and found.influence.days:
        without, day = found.influence.estimate_without[0], found.influence.days[0]
        if abs(without) < critical_value * estimate.std_error:
            yield Doubt(8, f"without {day:%d %B} alone it would not be detectable")
    slope = found.novelty_trend
    if significant and _below(slope.pvalue, alarm) and (slope.estimate or 0.0) * estimate.estimate < 0:
        yield Doubt(9, "it has been fading since the start")
    if significant and (found.pre_trend.implied_bias or 0.0) > abs(estimate.estimate):
        yield Doubt(10, "a drift of the arms too slow for this baseline to show could explain all of it")
    if not significant:
        yield Doubt(11, "an effect this small would often be missed by an experiment of this size")


def _below(pvalue: float | None, limit: float) -> bool:
    return pvalue is not None and pvalue < limit
