"""Uploads, files and data frames to results, with every problem located."""

from rallyuxr.ingest.columns import SHAPES
from rallyuxr.ingest.options import MAX_BYTES, ReadOptions
from rallyuxr.ingest.problems import Problem
from rallyuxr.ingest.reading import inspect_results, read_results
from rallyuxr.ingest.upload import MetricCoverage, Upload

__all__ = [
    "MAX_BYTES",
    "SHAPES",
    "MetricCoverage",
    "Problem",
    "ReadOptions",
    "Upload",
    "inspect_results",
    "read_results",
]
