"""An experiment: what is changed, watched, when, and what it cost."""

from datetime import datetime, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from rallyuxr.models.base import PROSE, Flag, Price, Record, Timestamp, Title
from rallyuxr.models.metric_value import Currency, MetricId

Status = Literal["draft", "running", "complete", "archived"]
STATUSES: tuple[Status, ...] = ("draft", "running", "complete", "archived")
ALLOWED_MOVES: dict[Status, tuple[Status, ...]] = {
    "draft": ("running", "archived"),
    "running": ("complete", "archived"),
    "complete": ("archived",),
    "archived": (),
}
ExpectedOutcome = Literal["positive", "negative", "neutral"]
OrderMeasure = Literal[
    "orders_per_hour", "conversion", "average_order_value", "revenue_per_customer", "revenue_per_hour"
]
DataSource = Literal["simulator", "upload", "api", "orders"]
Role = Literal["primary", "secondary", "guardrail"]
MAX_METRICS = 10
MAX_DURATION = timedelta(days=731)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone such as Europe/Berlin or UTC") from None
    return name


TimeZoneName = Annotated[str, AfterValidator(_known_zone)]


class MetricPlan(Record):
    """What a metric is for in this experiment.

    `non_inferiority_margin` is how much worse, in the metric's unit, a guardrail may become and still pass.
    """

    role: Role = "primary"
    non_inferiority_margin: float | None = Field(default=None, ge=1e-12, le=1e12)


class Projection(Record):
    """How an observed effect is carried into the future; explicit, never assumed.

    Attributes:
        recurring: False for a one-off, such as a campaign: nothing is annualised.
        horizon_days: how far to project.
        coverage: the part of all traffic that will see the change, over the part that was treated.
        annual_decay: the fraction of the effect lost in a year; 0 keeps it whole.
    """

    recurring: Flag = True
    horizon_days: int = Field(default=365, ge=1, le=3650)
    coverage: float = Field(default=1.0, ge=1e-6, le=1000)
    annual_decay: float = Field(default=0.0, ge=0, lt=1)


class SimulatedMetric(Record):
    """The truth the simulator plants in one metric.

    `effect` is the treated arm's mean minus what it would have been, in stored values (0.006 on a conversion rate
    is 0.6 percentage points); `baseline` the mean both arms share; `noise` the standard deviation of the
    slow arm-specific noise relative to the baseline, `autocorrelation` its hour-to-hour memory.
    """

    baseline: float = Field(ge=-1e12, le=1e12)
    effect: float = Field(default=0.0, ge=-1e12, le=1e12)
    kind: Literal["proportion", "mean", "skewed"] = "mean"
    noise: float = Field(default=0.02, ge=0, le=1)
    autocorrelation: float = Field(default=0.5, ge=0, lt=1)
    spread: float = Field(
        default=1.0, ge=0, le=1e12, description="participants' standard deviation over the baseline"
    )


class SimulationPlan(Record):
    """What the simulator should make; the same plan and seed give the same data."""

    seed: int = Field(default=1, ge=0, lt=2**63)
    participants_per_hour: int = Field(default=1000, ge=1, le=10_000_000)
    treatment_share: float = Field(default=0.5, ge=1e-6, lt=1)
    daily_cycle: float = Field(default=0.3, ge=0, lt=1)
    weekly_cycle: float = Field(default=0.15, ge=0, lt=1)
    common_shock: float = Field(default=0.05, ge=0, le=1)
    metrics: dict[MetricId, SimulatedMetric] = Field(default_factory=dict)


class OrdersPlan(Record):
    """How merchants' orders become this experiment's results.

    Arms come from the orders themselves (`by="arm"`: orders that carry this experiment's id and an arm) or
    from the merchants (`by="merchant"`: treated ones against control ones).
    `measures` maps the experiment's metrics to what is measured on orders.
    """

    by: Literal["arm", "merchant"]
    merchants: tuple[str, ...] = Field(min_length=1, max_length=200)
    treated_merchants: tuple[str, ...] = ()
    measures: dict[MetricId, OrderMeasure] = Field(min_length=1)

    @model_validator(mode="after")
    def _arms(self) -> Self:
        if self.by == "merchant":
            treated = set(self.treated_merchants)
            if not treated or not treated < set(self.merchants):
                raise ValueError(
                    "treatedMerchants must name at least one of merchants and leave at least one as control"
                )
        return self


class ExperimentPlan(Record):
    """What a person decides about an experiment; the fields of the creating request.

    The first six are the contract's. The window `[start_date, end_date)` is half-open, in UTC; `baseline_days`
    before it are the pre-period of the difference-in-differences (whole weeks by default).
    """

    name: Title
    description: Annotated[str, Field(max_length=1000), PROSE]
    metrics: tuple[MetricId, ...] = Field(min_length=1, max_length=MAX_METRICS)
    start_date: Timestamp
    end_date: Timestamp
    expected_outcome: ExpectedOutcome
    data_source: DataSource = "simulator"
    baseline_days: int = Field(default=14, ge=0, le=365)
    confidence_level: Literal[80, 90, 95, 99] = 95
    cost: Price | None = None
    currency: Currency = "USD"
    time_zone: TimeZoneName = "UTC"
    metric_plans: dict[MetricId, MetricPlan] = Field(default_factory=dict)
    multiplicity: Literal["holm", "benjamini_hochberg", "none"] = "holm"
    projection: Projection = Projection()
    simulation: SimulationPlan | None = None
    orders: OrdersPlan | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.end_date <= self.start_date:
            raise ValueError("endDate must be after startDate")
        if self.end_date - self.start_date > MAX_DURATION:
            raise ValueError(f"an experiment runs for at most {MAX_DURATION.days} days")
        if len(set(self.metrics)) != len(self.metrics):
            raise ValueError("metrics names the same metric twice")
        for label, named in (
            ("metricPlans", self.metric_plans),
            ("simulation.metrics", self.simulation.metrics if self.simulation else {}),
            ("orders.measures", self.orders.measures if self.orders else {}),
        ):
            if strangers := sorted(set(named) - set(self.metrics)):
                raise ValueError(f"{label} names {', '.join(strangers)}, which metrics does not")
        if self.data_source == "orders" and self.orders is None:
            raise ValueError("dataSource orders needs the field orders: which merchants, which measures")
        return self

    @property
    def baseline_start(self) -> datetime:
        """The first hour of the pre-period; `start_date` itself where there is none."""
        return self.start_date - timedelta(days=self.baseline_days)

    def role(self, metric_id: str) -> Role:
        """The metric's role; primary unless planned otherwise."""
        plan = self.metric_plans.get(metric_id)
        return plan.role if plan else "primary"


class CreateExperiment(ExperimentPlan):
    """The request to create an experiment."""


class CurrentFinding(Record):
    """The newest analysis in a line: what lists and the portfolio show without reading it."""

    analysis_id: str
    data_version: int
    data_source: DataSource | None = None
    currency: Currency
    total_impact: float | None = None
    total_std_error: float | None = None
    total_dof: float | None = None
    total_lower: float | None = None
    total_upper: float | None = None
    annualized_impact: float | None = None
    annualized_lower: float | None = None
    annualized_upper: float | None = None
    verdict: str
    sentence: str


class ExperimentDefinition(ExperimentPlan):
    """A stored experiment."""

    id: str
    status: Status = "draft"
    created_at: Timestamp
    updated_at: Timestamp
    created_by: str | None = None
    version: int = Field(default=1, ge=1)
    participant_count: int | None = Field(default=None, ge=0)
    finding: CurrentFinding | None = None

    @property
    def is_simulated(self) -> bool:
        """Whether its numbers come from the simulator: those of its finding, or those that it waits for."""
        found = self.finding.data_source if self.finding else None
        return (found or self.data_source) == "simulator"


Experiment = ExperimentDefinition
"""The short name of the library."""
