"""From results and prices to findings, money and a verdict."""

from rallyuxr.analysis.experiment_analysis import ALGORITHM_VERSION, analyze
from rallyuxr.analysis.inputs import analysis_id

__all__ = ["ALGORITHM_VERSION", "analysis_id", "analyze"]
