"""Sufficient statistics of one arm: all that Welch, cluster-robust and CUPED inference need.

The variables are z = (change, pre, covariates...), one value a unit. From the mean of z and the
covariance of that mean, every estimator of this package follows in closed form.
"""

from dataclasses import dataclass

import numpy as np

from rallyuxr.stats.panel_data import Flags, Floats
from rallyuxr.stats.unit_grid import unit_blocks
from rallyuxr.stats.unit_means import UnitMeans


@dataclass(frozen=True, slots=True)
class ArmMoments:
    """Moments of one arm's units.

    Attributes
    ----------
    n_units
        Independent units behind the moments.
    mean
        (k,) the arm's mean of z.
    cov
        (k, k) estimated covariance of `mean`, zeros for a single unit.
    """

    n_units: int
    mean: Floats
    cov: Floats

    @property
    def dof(self) -> int:
        """Degrees of freedom of the covariance."""
        return self.n_units - 1


@dataclass(frozen=True, slots=True)
class PanelMoments:
    """Both arms, and what the reports need to know of the panel they came from."""

    treatment: ArmMoments
    control: ArmMoments
    shift: float
    n_obs: int
    n_units: int
    n_incomplete: int
    has_baseline: bool
    balanced: bool
    n_periods: int
    post_share: float

    @property
    def n_clusters(self) -> int:
        """Independent units, or clusters of units, of both arms."""
        return self.treatment.n_units + self.control.n_units


def panel_moments(units: UnitMeans) -> PanelMoments:
    """Moments of both arms of collapsed units."""
    return PanelMoments(
        treatment=_arm_moments(units, units.treated),
        control=_arm_moments(units, ~units.treated),
        shift=units.shift,
        n_obs=units.n_obs,
        n_units=units.n_units,
        n_incomplete=units.n_incomplete,
        has_baseline=units.has_baseline,
        balanced=units.balanced,
        n_periods=units.n_periods,
        post_share=units.post_share,
    )


def _arm_moments(units: UnitMeans, member: Flags) -> ArmMoments:
    """Weighted mean and the covariance n/(n-1)·Σ w²(z - z̄)(z - z̄)' / (Σ w)²; equal weights give S/n."""
    variables = (units.change, units.pre, *units.covariates)
    n_units = int(np.count_nonzero(member))
    k = len(variables)
    if not n_units:
        return ArmMoments(0, np.zeros(k), np.zeros((k, k)))
    weight = member.astype(np.float64) if units.weight is None else np.where(member, units.weight, 0.0)
    total = weight.sum()
    mean = np.array([(weight * values).sum() for values in variables]) / total
    scatter = np.zeros((k, k))
    for block in unit_blocks(member.size, 4 * k):
        deviation = np.stack([values[block] for values in variables]) - mean[:, None]
        deviation *= weight[block]
        scatter += deviation @ deviation.T
    correction = n_units / (n_units - 1) if n_units > 1 else 0.0
    return ArmMoments(n_units, mean, scatter * correction / total**2)
