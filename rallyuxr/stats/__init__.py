"""Inference for experiments: pure functions from arrays to frozen results."""

from rallyuxr.stats.influence import InfluenceSeries, influence_series
from rallyuxr.stats.relative import JointVariance, relative_effect
from rallyuxr.stats.sequential import always_valid
from rallyuxr.stats.series import (
    did_series,
    did_series_batch,
    estimate_from_influence,
    estimates_from_influence,
)

__all__ = [
    "InfluenceSeries",
    "JointVariance",
    "always_valid",
    "did_series",
    "did_series_batch",
    "estimate_from_influence",
    "estimates_from_influence",
    "influence_series",
    "relative_effect",
]
