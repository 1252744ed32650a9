"""The records of the contract. One type from estimator to stored item, API and page.

A record's module is loaded when its name is first used: who estimates one effect does not wait for orders.
"""

from typing import TYPE_CHECKING, Any

from rallyuxr.lazy import homes, load

if TYPE_CHECKING:  # the same names for type checkers and editors
    from rallyuxr.models.aggregate import Aggregate as Aggregate
    from rallyuxr.models.aggregate import Analytics as Analytics
    from rallyuxr.models.analysis import AnalysisPeriod as AnalysisPeriod
    from rallyuxr.models.analysis import BreakEven as BreakEven
    from rallyuxr.models.analysis import DidResult as DidResult
    from rallyuxr.models.analysis import EconomicImpact as EconomicImpact
    from rallyuxr.models.analysis import ExperimentAnalysis as ExperimentAnalysis
    from rallyuxr.models.analysis import Interval as Interval
    from rallyuxr.models.analysis import MetricImpact as MetricImpact
    from rallyuxr.models.analysis import PriceSnapshot as PriceSnapshot
    from rallyuxr.models.analysis import Verdict as Verdict
    from rallyuxr.models.base import Money as Money
    from rallyuxr.models.base import Price as Price
    from rallyuxr.models.base import Record as Record
    from rallyuxr.models.base import Timestamp as Timestamp
    from rallyuxr.models.base import iso_z as iso_z
    from rallyuxr.models.columns import ExperimentData as ExperimentData
    from rallyuxr.models.columns import MetricSeries as MetricSeries
    from rallyuxr.models.columns import PublishedData as PublishedData
    from rallyuxr.models.columns import UnitPanel as UnitPanel
    from rallyuxr.models.diagnostics import Diagnostics as Diagnostics
    from rallyuxr.models.diagnostics import EventStudy as EventStudy
    from rallyuxr.models.estimate import AlwaysValid as AlwaysValid
    from rallyuxr.models.estimate import Caution as Caution
    from rallyuxr.models.estimate import CellMeans as CellMeans
    from rallyuxr.models.estimate import DidEstimate as DidEstimate
    from rallyuxr.models.estimate import RelativeEffect as RelativeEffect
    from rallyuxr.models.experiment import CreateExperiment as CreateExperiment
    from rallyuxr.models.experiment import CurrentFinding as CurrentFinding
    from rallyuxr.models.experiment import Experiment as Experiment
    from rallyuxr.models.experiment import ExperimentDefinition as ExperimentDefinition
    from rallyuxr.models.experiment import ExperimentPlan as ExperimentPlan
    from rallyuxr.models.experiment import MetricPlan as MetricPlan
    from rallyuxr.models.experiment import OrdersPlan as OrdersPlan
    from rallyuxr.models.experiment import Projection as Projection
    from rallyuxr.models.experiment import SimulatedMetric as SimulatedMetric
    from rallyuxr.models.experiment import SimulationPlan as SimulationPlan
    from rallyuxr.models.experiment import Status as Status
    from rallyuxr.models.messages import ExperimentCreated as ExperimentCreated
    from rallyuxr.models.messages import GeneratedRange as GeneratedRange
    from rallyuxr.models.messages import ResultsGenerated as ResultsGenerated
    from rallyuxr.models.metric_value import CreateMetricValue as CreateMetricValue
    from rallyuxr.models.metric_value import MetricValue as MetricValue
    from rallyuxr.models.metric_value import MetricValueVersion as MetricValueVersion
    from rallyuxr.models.metric_value import UpdateMetricValue as UpdateMetricValue
    from rallyuxr.models.metric_value import ValidationRules as ValidationRules
    from rallyuxr.models.order import Arm as Arm
    from rallyuxr.models.order import LineItem as LineItem
    from rallyuxr.models.order import Merchant as Merchant
    from rallyuxr.models.order import Order as Order
    from rallyuxr.models.order import OrderReceipt as OrderReceipt
    from rallyuxr.models.order import OrderStatus as OrderStatus
    from rallyuxr.models.results import ExperimentResult as ExperimentResult
    from rallyuxr.models.results import MetricResult as MetricResult
    from rallyuxr.models.results import ResultPeriod as ResultPeriod
    from rallyuxr.models.results import SeriesSummary as SeriesSummary
    from rallyuxr.models.results import TimePoint as TimePoint

_HOMES = homes(
    {
        "rallyuxr.models.aggregate": ("Aggregate", "Analytics"),
        "rallyuxr.models.analysis": (
            "AnalysisPeriod",
            "BreakEven",
            "DidResult",
            "EconomicImpact",
            "ExperimentAnalysis",
            "Interval",
            "MetricImpact",
            "PriceSnapshot",
            "Verdict",
        ),
        "rallyuxr.models.base": ("Money", "Price", "Record", "Timestamp", "iso_z"),
        "rallyuxr.models.columns": ("ExperimentData", "MetricSeries", "PublishedData", "UnitPanel"),
        "rallyuxr.models.diagnostics": ("Diagnostics", "EventStudy"),
        "rallyuxr.models.estimate": ("AlwaysValid", "Caution", "CellMeans", "DidEstimate", "RelativeEffect"),
        "rallyuxr.models.experiment": (
            "CreateExperiment",
            "CurrentFinding",
            "Experiment",
            "ExperimentDefinition",
            "ExperimentPlan",
            "MetricPlan",
            "OrdersPlan",
            "Projection",
            "SimulatedMetric",
            "SimulationPlan",
            "Status",
        ),
        "rallyuxr.models.messages": ("ExperimentCreated", "GeneratedRange", "ResultsGenerated"),
        "rallyuxr.models.metric_value": (
            "CreateMetricValue",
            "MetricValue",
            "MetricValueVersion",
            "UpdateMetricValue",
            "ValidationRules",
        ),
        "rallyuxr.models.order": ("Arm", "LineItem", "Merchant", "Order", "OrderReceipt", "OrderStatus"),
        "rallyuxr.models.results": (
            "ExperimentResult",
            "MetricResult",
            "ResultPeriod",
            "SeriesSummary",
            "TimePoint",
        ),
    }
)

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return load(name, _HOMES, globals())
