"""Ratio metrics (orders per visit, revenue per order) by the delta method, on a panel of units.

Notation: in arm a and window w the metric is R_aw = Σ_i N_iw / Σ_i D_iw over units. A unit's influence on it is
(N_iw - R_aw·D_iw) / Σ D_aw, so the units, not the visits, carry the uncertainty; an analysis of the numerator
alone would answer another question.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rallyuxr.errors import InvalidInput
from rallyuxr.models.estimate import CellMeans, DidEstimate
from rallyuxr.stats.panel_data import ColumnNames, Flags, Floats, Panel, read_panel
from rallyuxr.stats.panel_estimates import Effect, Facts, report, satterthwaite
from rallyuxr.stats.relative import JointVariance
from rallyuxr.stats.unit_table import constant_within_units, refuse_duplicates, unit_arms


def did_ratio(
    data: Any,
    *,
    unit: str,
    period: str,
    treated: str,
    post: str,
    numerator: str,
    denominator: str,
    cluster: str | None = None,
    confidence_level: float = 0.95,
) -> DidEstimate:
    """By how much did the treatment change a ratio of totals?

    Parameters
    ----------
    data, unit, period, treated, post, cluster
        As for `did_panel`; units need not be seen in both windows. Without rows of post 0 the result
        is a difference of ratios and says so.
    numerator, denominator
        Numeric columns; the metric is the sum of one over the sum of the other.
    confidence_level
        Of every interval.

    Returns
    -------
    DidEstimate
        In units of the ratio; cell means are the four ratios.

    Raises
    ------
    InvalidInput
        For a negative denominator, or a window of an arm in which it sums to zero.

    References
    ----------
    Deng, Knoblich and Lu (2018), KDD, "Applying the delta method in metric analytics".

    Examples
    --------
    >>> data = {
    ...     "user": [user for user in range(6) for _ in range(2)],
    ...     "week": [0, 1] * 6,
    ...     "arm": [int(user < 3) for user in range(6) for _ in range(2)],
    ...     "orders": [1, 3, 2, 3, 0, 2, 1, 1, 2, 3, 1, 1],
    ...     "visits": [10, 12, 9, 10, 5, 6, 11, 10, 10, 12, 8, 9],
    ... }
    >>> result = did_ratio(data, unit="user", period="week", treated="arm", post="week",
    ...                    numerator="orders", denominator="visits")
    >>> round(result.estimate, 4), round(result.cell_means.treatment_pre, 4)
    (0.1374, 0.125)
    """
    names = ColumnNames(unit, period, treated, post, numerator, (denominator,), cluster)
    panel = read_panel(data, names)
    refuse_duplicates(panel)
    if panel.covariates[0].min() < 0:
        raise InvalidInput(f"column {denominator!r} has negative values; a denominator counts something")
    totals = _unit_totals(panel)
    windows = ("pre", "post") if not panel.post.all() else ("post",)
    arms = [_arm_ratios(totals, member, windows, denominator) for member in (totals.treated, ~totals.treated)]
    facts = Facts(
        n_obs=panel.n_obs,
        n_units=int(np.unique(panel.unit.codes).size),
        n_clusters=arms[0].n_clusters + arms[1].n_clusters,
        has_baseline=len(windows) == 2,
        cell_means=CellMeans(
            **{
                f"{name}_{window}": ratio
                for name, arm in zip(("treatment", "control"), arms, strict=True)
                for window, ratio in arm.ratios.items()
            }
        ),
        level=max(abs(ratio) for arm in arms for ratio in arm.ratios.values()),
    )
    return report(_effect(*arms), facts, method="ratio_delta", confidence_level=confidence_level)


class _Totals(NamedTuple):
    """Sums by independent unit, window 0 before and 1 after: (n, 2) each; `treated` (n,)."""

    numerator: Floats
    denominator: Floats
    treated: Flags


class _ArmRatios(NamedTuple):
    """One arm's ratios by window, and the covariance of (change, pre), (2, 2)."""

    ratios: dict[str, float]
    cov: Floats
    n_clusters: int

    @property
    def change(self) -> float:
        return self.ratios["post"] - self.ratios.get("pre", 0.0)

    @property
    def dof(self) -> float:
        return float(self.n_clusters - 1)


def _unit_totals(panel: Panel) -> _Totals:
    unit_arms(panel)
    group: NDArray[np.integer[Any]] = panel.unit.codes
    if panel.cluster is not None:
        group = constant_within_units(panel.unit, panel.cluster)[group]
    present, first, group = np.unique(group, return_index=True, return_inverse=True)
    treated = panel.treated[first]
    if not np.array_equal(treated[group], panel.treated):
        raise InvalidInput("a cluster holds treated and control units; the delta method needs whole clusters")
    cell = 2 * group + panel.post
    sums = [np.bincount(cell, values, 2 * present.size) for values in (panel.outcome, panel.covariates[0])]
    numerator, denominator = (total.astype(np.float64).reshape(-1, 2) for total in sums)
    return _Totals(numerator, denominator, treated)


def _arm_ratios(totals: _Totals, member: Flags, windows: tuple[str, ...], name: str) -> _ArmRatios:
    n_clusters = int(np.count_nonzero(member))
    ratios: dict[str, float] = {}
    influence = {"pre": np.zeros(n_clusters)}
    for window in windows:
        column = 1 if window == "post" else 0
        numerator, denominator = totals.numerator[member, column], totals.denominator[member, column]
        total = denominator.sum()
        if not total > 0:
            raise InvalidInput(
                f"column {name!r} sums to zero in a window of one arm, so its ratio does not exist; "
                "a difference-in-differences needs both arms before and after the start"
            )
        ratios[window] = float(numerator.sum() / total)
        influence[window] = (numerator - ratios[window] * denominator) / total
    by_unit = np.stack([influence["post"] - influence["pre"], influence["pre"]])
    correction = n_clusters / (n_clusters - 1) if n_clusters > 1 else 0.0
    return _ArmRatios(ratios, by_unit @ by_unit.T * correction, n_clusters)


def _effect(treatment: _ArmRatios, control: _ArmRatios) -> Effect:
    v_treatment, v_control = float(treatment.cov[0, 0]), float(control.cov[0, 0])
    return Effect(
        estimate=treatment.change - control.change,
        counterfactual=treatment.ratios.get("pre", 0.0) + control.change,
        variance=JointVariance(
            effect=v_treatment + v_control,
            counterfactual=float(treatment.cov[1, 1]) + v_control,
            covariance=float(treatment.cov[0, 1]) - v_control,
        ),
        dof=satterthwaite((v_treatment, treatment.dof), (v_control, control.dof)),
    )
