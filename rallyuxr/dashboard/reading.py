"""How one metric of an analysis reads: its name, its unit, and stored values in that unit. Pure."""

from dataclasses import dataclass

from rallyuxr.dashboard import formatting as f
from rallyuxr.models import ExperimentAnalysis


@dataclass(frozen=True, slots=True)
class Reading:
    """Turns stored values into text in the metric's unit; what is absent stays absent.

    >>> rate = Reading("Conversion", "%", 100.0)
    >>> rate.change(0.006), rate.interval(0.001, 0.011), rate.level(0.123)
    ('+0.6 percentage points', '+0.1 to +1.1 percentage points', '12.3%')
    """

    name: str
    unit: str
    scale: float
    currency: str = "USD"

    def money(self, amount: float | None) -> str:
        """Its effect's worth, in the currency of its price."""
        return f.money(amount, self.currency, signed=True)

    def change(self, stored: float | None) -> str:
        """An effect."""
        return f.change(self.scaled(stored), self.unit)

    def interval(self, lower: float | None, upper: float | None) -> str:
        """Both bounds of an effect."""
        return f.change_interval(self.scaled(lower), self.scaled(upper), self.unit)

    def level(self, stored: float | None) -> str:
        """A mean."""
        return f.level(self.scaled(stored), self.unit)

    def scaled(self, stored: float | None) -> float | None:
        """A stored value as a number in the unit."""
        return None if stored is None else stored * self.scale


def reading(analysis: ExperimentAnalysis, metric_id: str) -> Reading:
    """How a metric read when the analysis was made; an unpriced one reads as stored."""
    price = analysis.metric_values_snapshot.get(metric_id)
    if price is None:
        return Reading(f.words(metric_id), "stored units", 1.0, analysis.economic_impact.currency)
    return Reading(price.name, price.unit, price.unit_scale, price.currency)


def readings(analysis: ExperimentAnalysis) -> dict[str, Reading]:
    """All metrics of an analysis, by id."""
    return {metric_id: reading(analysis, metric_id) for metric_id in analysis.did_results}
