"""The diagnostics of one metric in words: a number, its interval and what it means. Pure."""

from dataclasses import dataclass
from datetime import UTC

from rallyuxr.dashboard.formatting import day, hundredths, number, pvalue
from rallyuxr.dashboard.reading import Reading
from rallyuxr.models import DidResult
from rallyuxr.models.diagnostics import Autocorrelation, Coverage, DayInfluence, Placebo, SampleRatio, Slope

PLACEBO_ALARM = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """One assumption: what was checked and what came out; `doubt` where it speaks against the result."""

    title: str
    sentence: str
    doubt: bool = False


def findings(did: DidResult, metric: Reading) -> tuple[Finding, ...]:
    """Every check of one metric, the doubtful ones first."""
    checks, level = did.diagnostics, did.confidence_level
    found = (
        _pre_trend(checks.pre_trend, metric, level),
        _placebo(checks.placebo, metric, level),
        _novelty(checks.novelty_trend, metric, level),
        _memory(checks.autocorrelation),
        _sample_ratio(checks.sample_ratio),
        _coverage(checks.coverage, metric),
        _influence(checks.influence, metric, did.estimate.estimate),
    )
    return tuple(sorted(found, key=lambda finding: not finding.doubt))


def _pre_trend(slope: Slope, metric: Reading, level: float) -> Finding:
    title = "Parallel trends before the start"
    if slope.estimate is None:
        return _absent(title, slope.reason)
    sentence = f"Before the start the arms drifted apart by {_with_interval(slope, metric, level)} a day."
    if slope.minimum_detectable is not None and slope.implied_bias is not None:
        sentence += (
            f" A drift of {metric.change(slope.minimum_detectable)} a day would be missed half of the time, "
            f"and would move the effect by {metric.change(slope.implied_bias)}."
        )
    return Finding(title, sentence, _excludes_zero(slope))


def _placebo(placebo: Placebo, metric: Reading, level: float) -> Finding:
    title = "Placebo start inside the baseline"
    if placebo.estimate is None or placebo.date is None:
        return _absent(title, placebo.reason)
    sentence = (
        f"Pretending that the change came on {day(placebo.date, UTC)}, when there was none, "
        f"finds {_with_interval(placebo, metric, level)}."
    )
    return Finding(title, sentence, placebo.pvalue is not None and placebo.pvalue < PLACEBO_ALARM)


def _novelty(slope: Slope, metric: Reading, level: float) -> Finding:
    title = "Stability of the effect after the start"
    if slope.estimate is None:
        return _absent(title, slope.reason)
    sentence = f"The daily effect changes by {_with_interval(slope, metric, level)} a day."
    moving = _excludes_zero(slope)
    if moving:
        sentence += " It has not settled, so the average may not be what the future brings."
    return Finding(title, sentence, moving)


def _memory(memory: Autocorrelation) -> Finding:
    title = "How much one hour remembers the last"
    if memory.lag_one is None:
        return _absent(title, memory.reason)
    parts = [f"Neighbouring hours correlate at {hundredths(memory.lag_one)}."]
    if memory.lag_day is not None:
        parts.append(f"The same hour of the next day correlates at {hundredths(memory.lag_day)}.")
    if memory.width_ratio is not None:
        parts.append(f"The interval allows for it: it is {memory.width_ratio:.1f} times that of independent hours.")
    return Finding(title, " ".join(parts))


def _sample_ratio(ratio: SampleRatio) -> Finding:
    """Whether the arms are as large as planned.

    >>> _sample_ratio(SampleRatio(observed_treatment_share=0.471, pvalue=0.61, mismatch=False)).sentence
    'Treatment got 47.1% of the participants; 50% were planned. Chance does as much (p 0.61; alarm below 0.001).'
    """
    title = "Participants split as planned"
    if ratio.observed_treatment_share is None:
        return _absent(title, ratio.reason)
    shares = (
        f"Treatment got {100 * ratio.observed_treatment_share:.1f}% of the participants; "
        f"{100 * ratio.expected_treatment_share:.3g}% were planned."
    )
    meaning = (
        f"That is a mismatch (p {pvalue(ratio.pvalue)}): find out how people got into the arms first."
        if ratio.mismatch
        else f"Chance does as much (p {pvalue(ratio.pvalue)}; alarm below 0.001)."
    )
    return Finding(title, f"{shares} {meaning}", bool(ratio.mismatch))


def _coverage(coverage: Coverage, metric: Reading) -> Finding:
    expected, missing = coverage.expected_pre + coverage.expected_post, coverage.missing_pre + coverage.missing_post
    parts = [f"All {number(expected)} expected periods are there."]
    if missing:
        parts = [
            f"{number(missing)} of {number(expected)} periods are missing, {number(coverage.missing_pre)} of them "
            "before the start; they are left out, not counted as zero."
        ]
    if not coverage.whole_weeks:
        parts.append("The windows do not hold whole weeks.")
        if coverage.weekday_imbalance is not None:
            parts.append(f"Unequal weekdays move the effect by about {metric.change(coverage.weekday_imbalance)}.")
    return Finding("Complete data and whole weeks", " ".join(parts), bool(missing) or not coverage.whole_weeks)


def _influence(influence: DayInfluence, metric: Reading, effect: float | None) -> Finding:
    title = "No single day decides"
    if not influence.days:
        return _absent(title, influence.reason)
    without = influence.estimate_without[0]
    sentence = (
        f"The most influential day is {day(influence.days[0], UTC)}: "
        f"without it the effect is {metric.change(without)}."
    )
    flips = effect is not None and without * effect < 0
    return Finding(title, sentence + " The effect's sign depends on that day." * flips, flips)


def _with_interval(checked: Slope | Placebo, metric: Reading, level: float) -> str:
    found = metric.change(checked.estimate)
    if checked.ci_lower is None or checked.ci_upper is None:
        return found
    return f"{found} ({level:.0f}% interval {metric.interval(checked.ci_lower, checked.ci_upper)})"


def _excludes_zero(slope: Slope) -> bool:
    return slope.ci_lower is not None and slope.ci_upper is not None and slope.ci_lower * slope.ci_upper > 0


def _absent(title: str, reason: str | None) -> Finding:
    return Finding(title, f"Not checked: {reason or 'the analysis does not say why'}.")
