"""Difference-in-differences on panels of units: participants, stores, merchants, states."""

from collections.abc import Sequence
from typing import Any

from rallyuxr.errors import InvalidInput
from rallyuxr.models.estimate import Caution, DidEstimate
from rallyuxr.stats import panel_estimates
from rallyuxr.stats.arm_moments import PanelMoments, panel_moments
from rallyuxr.stats.panel_data import ColumnNames, read_panel
from rallyuxr.stats.unit_means import collapse_units, merge_clusters

METHODS = ("auto", "unit_means", "twfe", "cuped")


def did_panel(
    data: Any,
    *,
    unit: str | None,
    period: str | None,
    treated: str,
    post: str,
    outcome: str,
    covariates: Sequence[str] = (),
    cluster: str | None = None,
    weights: str | None = None,
    confidence_level: float = 0.95,
    method: str = "auto",
    small_sample: str = "cr1_nested",
) -> DidEstimate:
    """By how much did the treatment change the outcome of the treated units?"""
    names = ColumnNames(unit, period, treated, post, outcome, tuple(covariates), cluster, weights)
    if method not in METHODS:
        raise InvalidInput(f"method is {method!r}; choose one of {', '.join(METHODS)}")
    if not 0 < confidence_level < 1:
        raise InvalidInput(f"confidence_level is {confidence_level}; give a number between 0 and 1, such as 0.95")
    units = merge_clusters(collapse_units(read_panel(data, names)))
    if units is None:
        raise InvalidInput("a cluster holds treated and control units")
    moments = panel_moments(units)
    _refuse_one_arm(moments)
    if method == "cuped":
        effect, label = panel_estimates.cuped(moments), "cuped"
    elif method == "twfe":
        effect, label = panel_estimates.balanced_two_way(moments, small_sample), f"twfe_{small_sample}"
    else:
        effect, label = panel_estimates.welch(moments), "welch_units"
    return panel_estimates.report(
        effect, moments, method=label, confidence_level=confidence_level, cautions=_cautions(moments)
    )


def _refuse_one_arm(moments: PanelMoments) -> None:
    for name, arm in (("treated", moments.treatment), ("control", moments.control)):
        if not arm.n_units:
            raise InvalidInput(f"no {name} unit is left to compare; a difference-in-differences needs both arms")


def _cautions(moments: PanelMoments) -> tuple[Caution, ...]:
    cautions = []
    if moments.n_incomplete:
        cautions.append(
            Caution(
                code="incomplete_units",
                message=f"{moments.n_incomplete} units were seen only before or only after the start and are left out",
            )
        )
    return tuple(cautions)
