"""What a reader must know about a two-series result before trusting its interval."""

from rallyuxr.models.estimate import Caution

VERIFIED_DAYS = 7
"""Error rates were measured for windows of this many days and more."""
MIN_MEMORY_DOF = 6.0
"""Fewer degrees of freedom for the hours' memory mean that it may last as long as the window."""


def no_baseline() -> Caution:
    """There are no hours before the start."""
    return Caution(
        code="no_baseline",
        message="No hours before the start: this is a difference in means and counts any difference the arms "
        "had before as effect.",
    )


def few_days(days: float) -> Caution:
    """The shorter window is shorter than those on which error rates were measured."""
    return Caution(
        code="few_days",
        message=f"The shorter window has {days:.1f} days; intervals were verified for {VERIFIED_DAYS} and more.",
    )


def borrowed_noise(shorter: int, longer: int) -> Caution:
    """A window is too short to show its own noise."""
    return Caution(
        code="borrowed_noise",
        message=f"A window of {shorter} periods is taken to be as noisy as the other one of {longer}.",
    )


def near_unit_root(persistence: float) -> Caution:
    """Hours remember nearly as long as the windows last, where no interval can be relied on."""
    return Caution(
        code="near_unit_root",
        message=f"The arms' difference drifts (its autoregressive sum is {persistence:.2f}) and the windows are "
        "too short to tell for how long. No method keeps its error rate then: the uncertainty may be larger than "
        "the interval says.",
    )
