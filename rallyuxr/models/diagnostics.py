"""Diagnostics: numbers with intervals, not green ticks. Each says in `reason` why it is absent."""

from dataclasses import field

from rallyuxr.models.contract import Answer, Timestamp, answer


@answer
class EventStudy(Answer):
    """The treatment − control difference by day, relative to the reference period's mean difference.

    The columns share one length, the number of days. The band is simultaneous at `confidence_level`:
    it covers all days at once, `critical_value` standard errors wide.
    """

    days: tuple[Timestamp, ...] = ()
    estimate: tuple[float | None, ...] = ()
    std_error: tuple[float | None, ...] = ()
    band_lower: tuple[float | None, ...] = ()
    band_upper: tuple[float | None, ...] = ()
    reference: str = ""
    critical_value: float | None = None
    confidence_level: float = 0.95
    reason: str | None = None


@answer
class Slope(Answer):
    """A linear trend per day with its interval.

    `minimum_detectable` is the steepest slope this test would miss half of the time (50 % power);
    for a pre-trend, `implied_bias` is what that slope would add to the effect at the middle of the post window.
    """

    estimate: float | None = None
    std_error: float | None = None
    dof: float | None = None
    pvalue: float | None = None
    ci_lower: float | None = None
    ci_upper: float | None = None
    minimum_detectable: float | None = None
    implied_bias: float | None = None
    reason: str | None = None


@answer
class Placebo(Answer):
    """The same analysis with a start date inside the baseline, where there was no effect to find."""

    date: Timestamp | None = None
    estimate: float | None = None
    std_error: float | None = None
    pvalue: float | None = None
    ci_lower: float | None = None
    ci_upper: float | None = None
    reason: str | None = None


@answer
class Autocorrelation(Answer):
    """How much hours remember: correlation at one hour and one day, and what it does to the interval.

    `width_ratio` is the honest interval's width over that of independent hours.
    """

    lag_one: float | None = None
    lag_day: float | None = None
    width_ratio: float | None = None
    reason: str | None = None


@answer
class SampleRatio(Answer):
    """Whether the arms received the participants they should have; alarm below p = 0.001.

    `pvalue` is always valid: it may be read after every hour.
    """

    treatment: float = 0.0
    control: float = 0.0
    expected_treatment_share: float = 0.5
    observed_treatment_share: float | None = None
    pvalue: float | None = None
    sequential_pvalue: float | None = None
    mismatch: bool | None = None
    reason: str | None = None


@answer
class Coverage(Answer):
    """Which hours are there, and whether the windows hold whole weeks.

    `weekday_imbalance` is the estimated bias of the effect from unequal weekdays, in stored values.
    """

    expected_pre: int = 0
    expected_post: int = 0
    missing_pre: int = 0
    missing_post: int = 0
    missing: tuple[Timestamp, ...] = ()
    whole_weeks: bool = True
    weekday_imbalance: float | None = None


@answer
class DayInfluence(Answer):
    """How far the effect moves when one day is left out; the most influential days first."""

    days: tuple[Timestamp, ...] = ()
    estimate_without: tuple[float, ...] = ()
    change: tuple[float, ...] = ()
    reason: str | None = None


@answer
class Diagnostics(Answer):
    """Everything a careful analyst would check about one metric."""

    pre_trend: Slope = field(default_factory=Slope)
    novelty_trend: Slope = field(default_factory=Slope)
    placebo: Placebo = field(default_factory=Placebo)
    autocorrelation: Autocorrelation = field(default_factory=Autocorrelation)
    sample_ratio: SampleRatio = field(default_factory=SampleRatio)
    coverage: Coverage = field(default_factory=Coverage)
    influence: DayInfluence = field(default_factory=DayInfluence)
