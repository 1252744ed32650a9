"""RallyUXR: what a product change was worth, and how sure one can be.

>>> import rallyuxr
>>> plan = rallyuxr.ExperimentPlan(
...     name="Checkout", description="", metrics=("aov",), expected_outcome="positive",
...     start_date="2025-01-15", end_date="2025-01-29",
... )
>>> data = rallyuxr.simulate(plan)  # or rallyuxr.read_results("results.csv", experiment=plan)
>>> analysis = rallyuxr.analyze(data, {"aov": 1_000}, experiment=plan)
>>> analysis.economic_impact.total_interval.lower > 0
True

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from typing import TYPE_CHECKING, Any

from rallyuxr.lazy import homes, load
from rallyuxr.version import __version__

if TYPE_CHECKING:  # the same names for type checkers and editors
    from rallyuxr.analysis import analyze as analyze
    from rallyuxr.errors import Conflict as Conflict
    from rallyuxr.errors import Forbidden as Forbidden
    from rallyuxr.errors import InvalidData as InvalidData
    from rallyuxr.errors import InvalidInput as InvalidInput
    from rallyuxr.errors import NotConfigured as NotConfigured
    from rallyuxr.errors import NotFound as NotFound
    from rallyuxr.errors import RallyError as RallyError
    from rallyuxr.errors import Unavailable as Unavailable
    from rallyuxr.errors import VersionConflict as VersionConflict
    from rallyuxr.ingest import Problem as Problem
    from rallyuxr.ingest import ReadOptions as ReadOptions
    from rallyuxr.ingest import Upload as Upload
    from rallyuxr.ingest import inspect_results as inspect_results
    from rallyuxr.ingest import read_results as read_results
    from rallyuxr.models import CreateExperiment as CreateExperiment
    from rallyuxr.models import CreateMetricValue as CreateMetricValue
    from rallyuxr.models import DidEstimate as DidEstimate
    from rallyuxr.models import Experiment as Experiment
    from rallyuxr.models import ExperimentAnalysis as ExperimentAnalysis
    from rallyuxr.models import ExperimentData as ExperimentData
    from rallyuxr.models import ExperimentPlan as ExperimentPlan
    from rallyuxr.models import ExperimentResult as ExperimentResult
    from rallyuxr.models import MetricSeries as MetricSeries
    from rallyuxr.models import MetricValue as MetricValue
    from rallyuxr.models import SimulatedMetric as SimulatedMetric
    from rallyuxr.models import SimulationPlan as SimulationPlan
    from rallyuxr.models import UnitPanel as UnitPanel
    from rallyuxr.publishing import publish_results as publish_results
    from rallyuxr.simulation import simulate as simulate
    from rallyuxr.stats.panel import did_panel as did_panel
    from rallyuxr.stats.panel_sequential import always_valid_units as always_valid_units
    from rallyuxr.stats.series import did_series as did_series
    from rallyuxr.stats.staggered import did_staggered as did_staggered

_HOMES = homes(
    {
        "rallyuxr.analysis": ("analyze",),
        "rallyuxr.errors": (
            "Conflict",
            "Forbidden",
            "InvalidData",
            "InvalidInput",
            "NotConfigured",
            "NotFound",
            "RallyError",
            "Unavailable",
            "VersionConflict",
        ),
        "rallyuxr.ingest": ("Problem", "ReadOptions", "Upload", "inspect_results", "read_results"),
        "rallyuxr.models": (
            "CreateExperiment",
            "CreateMetricValue",
            "DidEstimate",
            "Experiment",
            "ExperimentAnalysis",
            "ExperimentData",
            "ExperimentPlan",
            "ExperimentResult",
            "MetricSeries",
            "MetricValue",
            "SimulatedMetric",
            "SimulationPlan",
            "UnitPanel",
        ),
        "rallyuxr.publishing": ("publish_results",),
        "rallyuxr.simulation": ("simulate",),
        "rallyuxr.stats.panel": ("did_panel",),
        "rallyuxr.stats.panel_sequential": ("always_valid_units",),
        "rallyuxr.stats.series": ("did_series",),
        "rallyuxr.stats.staggered": ("did_staggered",),
    }
)

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    return load(name, _HOMES, globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
