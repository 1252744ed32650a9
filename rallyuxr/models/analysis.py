"""An analysis: effects, diagnostics, dollars and everything that produced them."""

from typing import Literal

from pydantic import Field

from rallyuxr.models.base import Money, Record, Timestamp
from rallyuxr.models.diagnostics import Diagnostics, EventStudy
from rallyuxr.models.estimate import AlwaysValid, DidEstimate
from rallyuxr.models.experiment import DataSource, ExpectedOutcome, Role
from rallyuxr.models.metric_value import Currency, Direction, Exposure, MetricId, ValueType

AnalysisStatus = Literal["processing", "complete", "failed"]
Outcome = Literal["better", "worse", "no_detectable_effect", "cannot_tell"]


class Interval(Record):
    """Two bounds, in the unit of what they belong to."""

    lower: float
    upper: float


class Verdict(Record):
    """One plain sentence: the number, its interval and the main doubt.

    `matches_expectation` compares with the experiment's expectedOutcome; absent when one cannot tell.
    """

    outcome: Outcome
    sentence: str
    main_doubt: str | None = None
    matches_expectation: bool | None = None


class DidResult(Record):
    """One metric's effect: the contract's fields, then what makes them trustworthy.

    The contract's `absolute_difference` and `relative_difference` compare the arms after the start;
    the effect itself is `estimate`, and `p_value` and `confidence_interval` belong to it. While the
    experiment runs these two are the always-valid ones, which may be looked at every hour.
    All values are as stored; multiply by the metric's unitScale to read them in its unit.
    """

    treatment_mean: float | None = None
    control_mean: float | None = None
    absolute_difference: float | None = None
    relative_difference: float | None = None
    p_value: float | None = None
    confidence_level: float
    confidence_interval: Interval | None = None
    sample_size_control: float
    sample_size_treatment: float
    effect_size: float | None = None
    effect_size_method: str | None = None
    estimate: DidEstimate
    role: Role = "primary"
    value_type: ValueType = "mean"
    adjusted_p_value: float | None = None
    adjustment: str | None = None
    non_inferior: bool | None = None
    always_valid: AlwaysValid = Field(default_factory=AlwaysValid)
    event_study: EventStudy = Field(default_factory=EventStudy)
    diagnostics: Diagnostics = Field(default_factory=Diagnostics)
    verdict: Verdict
    true_effect: float | None = Field(default=None, description="what the simulator planted, in stored values")


class MetricImpact(Record):
    """One metric in dollars, every factor spelled out.

    dollar_impact = metric_change × metric_value_used × exposure_quantity, and its sign follows `direction`.

    Attributes:
        metric_change: the effect in the metric's unit (stored effect × unit scale).
        exposure_quantity: participants of the treated arm, days of the experiment, or 1.
        counts: whether it enters the total; `reason` says why not.
    """

    dollar_impact: float | None = None
    metric_value_used: Money | None = None
    metric_change: float | None = None
    interval: Interval | None = None
    std_error: float | None = None
    exposure: Exposure | None = None
    exposure_quantity: float | None = None
    price_version: int | None = None
    counts: bool = False
    reason: str | None = None


class BreakEven(Record):
    """What must be true for the total to be zero (or to pay back the cost where there is one)."""

    effect_factor: float | None = Field(default=None, description="scale of all effects at which it breaks even")
    prices: dict[MetricId, float | None] = Field(default_factory=dict, description="break-even price by metric")
    reason: str | None = None


class EconomicImpact(Record):
    """The experiment in money, at the experiment's confidence level.

    The total's interval comes from the priced sum of the metrics' own series, so their covariance counts;
    `covariance` gives the same variance, w'Σw, and answers for other prices.
    Annualised figures are absent for a one-off; ROI is absent without a cost.
    """

    total_impact: float | None = None
    annualized_impact: float | None = None
    roi_percentage: float | None = None
    metric_breakdown: dict[MetricId, MetricImpact]
    currency: Currency = "USD"
    total_interval: Interval | None = None
    total_std_error: float | None = None
    total_dof: float | None = None
    critical_value: float | None = Field(default=None, description="standard errors on each side of the intervals")
    annualized_interval: Interval | None = None
    roi_interval: Interval | None = None
    probability_positive: float | None = None
    cost: Money | None = None
    observed_days: float | None = None
    horizon_days: int | None = None
    coverage: float | None = None
    annual_decay: float | None = None
    break_even: BreakEven = BreakEven()
    covariance: dict[MetricId, dict[MetricId, float]] = Field(
        default_factory=dict, description="joint covariance of the metrics' effects, stored values"
    )
    verdict: Verdict | None = None
    reason: str | None = None


class PriceSnapshot(Record):
    """A metric's price as it was used."""

    dollars_per_unit: Money
    description: str
    unit: str
    name: str
    version: int
    currency: Currency
    unit_scale: float
    exposure: Exposure
    direction: Direction
    value_type: ValueType
    family: str | None = None
    counts_toward_total: bool = True


class AnalysisPeriod(Record):
    """The experiment window and its baseline."""

    start_date: Timestamp
    end_date: Timestamp
    duration_days: float
    baseline_start: Timestamp | None = None


class ExperimentAnalysis(Record):
    """One analysis, kept for ever, with all that produced it.

    `analysis_id` sorts by time and is a function of the inputs: data version, price versions, the
    experiment's design and the algorithm's version.
    """

    experiment_id: str
    analysis_id: str
    did_results: dict[MetricId, DidResult]
    economic_impact: EconomicImpact
    metric_values_snapshot: dict[MetricId, PriceSnapshot]
    analysis_timestamp: Timestamp
    experiment_period: AnalysisPeriod
    status: AnalysisStatus
    version: str
    data_version: int
    data_source: DataSource
    confidence_level: float
    expected_outcome: ExpectedOutcome
    running: bool = Field(
        default=False, description="whether the window was still open: intervals are always-valid"
    )
    verdict: Verdict
    failure_reason: str | None = None
