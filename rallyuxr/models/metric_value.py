"""What one unit of a metric is worth, versioned."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rallyuxr.models.base import ONE_LINE, PROSE, Flag, Money, Price, Record, Timestamp, Title

MetricId = Annotated[str, Field(pattern=r"^[a-z_]+$", max_length=64)]
UnitName = Annotated[str, Field(min_length=1, max_length=40), ONE_LINE]
Explanation = Annotated[str, Field(min_length=10, max_length=500), PROSE]
Family = Annotated[str, Field(min_length=1, max_length=64), ONE_LINE]
Category = Literal["conversion", "revenue", "engagement", "retention", "other"]
CATEGORIES: tuple[Category, ...] = ("conversion", "revenue", "engagement", "retention", "other")
Exposure = Literal["participant", "day", "experiment"]
ValueType = Literal["mean", "proportion", "ratio"]
Direction = Literal["higher_is_better", "lower_is_better"]
UnitScale = Annotated[float, Field(ge=1e-9, le=1e9)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class ValidationRules(Record):
    """Limits a new price must keep."""

    min_value: Money | None = None
    max_value: Money | None = None
    decimal_places: int | None = Field(default=None, ge=0, le=10)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_value is not None and self.max_value is not None and self.min_value > self.max_value:
            raise ValueError(f"minValue {self.min_value} is above maxValue {self.max_value}")
        return self

    def problem(self, price: Decimal) -> str | None:
        """Say why `price` breaks a rule, or None."""
        if self.min_value is not None and price < self.min_value:
            return f"{price} is below the smallest allowed price, {self.min_value}"
        if self.max_value is not None and price > self.max_value:
            return f"{price} is above the largest allowed price, {self.max_value}"
        exponent = price.normalize().as_tuple().exponent
        if self.decimal_places is not None and isinstance(exponent, int) and -exponent > self.decimal_places:
            return f"{price} has more than {self.decimal_places} decimal places"
        return None


class MetricTerms(Record):
    """How a metric reads and how it turns into money; shared by the stored value and the requests.

    Attributes:
        dollars_per_unit: currency per one `unit`, per one of what `exposure` names.
        unit: what one unit is called: "%", "$", "seconds", ...
        unit_scale: units per stored value; 100 for a fraction read in percentage points. Left out, it is
            100 for the unit "%" and 1 otherwise.
        exposure: what the price is per: each participant of the treated arm, each day of the
            experiment, or the experiment as a whole (the contract's metricChange × dollarsPerUnit).
        direction: whether more is better; the sign of the dollars follows it.
        value_type: a mean per participant, a proportion, or a ratio with a denominator of its own.
        family: metrics of one family are one effect seen twice; only one of them enters a total.
        counts_toward_total: whether the metric may enter a total at all.
    """

    name: Title
    dollars_per_unit: Price
    unit: UnitName
    description: Explanation
    category: Category
    validation_rules: ValidationRules | None = None
    currency: Currency = "USD"
    unit_scale: UnitScale = 1.0
    exposure: Exposure = "experiment"
    direction: Direction = "higher_is_better"
    value_type: ValueType = "mean"
    family: Family | None = None
    counts_toward_total: Flag = True

    @model_validator(mode="before")
    @classmethod
    def _percent_reads_in_points(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("unit") == "%" and not {"unitScale", "unit_scale"} & data.keys():
            return {**data, "unitScale": 100.0}
        return data

    @model_validator(mode="after")
    def _price_keeps_the_rules(self) -> Self:
        if self.validation_rules and (problem := self.validation_rules.problem(self.dollars_per_unit)):
            raise ValueError(f"dollarsPerUnit: {problem}")
        return self


class MetricValue(MetricTerms):
    """The current price of a metric and its rules; replaced only under its `version`."""

    metric_id: MetricId
    last_updated: Timestamp
    updated_by: str | None = None
    version: int = Field(ge=1)


class CreateMetricValue(MetricTerms):
    """The request to price a new metric."""

    metric_id: MetricId


class UpdateMetricValue(Record):
    """The request to change a price; what is left out stays as it is.

    `expected_version` is the version the editor saw; an update under an older one is refused.
    """

    dollars_per_unit: Price | None = None
    description: Explanation | None = None
    validation_rules: ValidationRules | None = None
    name: Title | None = None
    unit: UnitName | None = None
    unit_scale: UnitScale | None = None
    category: Category | None = None
    exposure: Exposure | None = None
    direction: Direction | None = None
    value_type: ValueType | None = None
    family: Family | None = None
    counts_toward_total: Flag | None = None
    change_reason: Annotated[str, Field(max_length=500), PROSE] | None = None
    expected_version: int | None = Field(default=None, ge=1)


class MetricValueVersion(Record):
    """One line of a metric's price history, with the whole value as it was."""

    version: int = Field(ge=1)
    dollars_per_unit: Money
    updated_at: Timestamp
    updated_by: str | None = None
    change_reason: str | None = None
    value: MetricValue
