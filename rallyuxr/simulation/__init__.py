"""Seeded simulators whose truth is known."""

from rallyuxr.simulation.defaults import default_metric
from rallyuxr.simulation.generator import simulate

__all__ = ["default_metric", "simulate"]
