"""Repeated cross-sections: different people before and after, so no unit to follow.

Notation: y = b0 + b1·treated + b2·post + β·treated·post + γ'x + e by (weighted) least squares. The
estimate is linear in the outcome, β = Σ c_i y_i, and so is the treated mean after the start, Σ k_i y_i.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rallyuxr.errors import InvalidInput
from rallyuxr.models.estimate import CellMeans
from rallyuxr.stats.panel_data import (
    ColumnNames,
    Flags,
    Floats,
    encode,
    flags,
    numbers,
    positive_numbers,
    read_columns,
    stack_numbers,
)
from rallyuxr.stats.panel_estimates import Effect, Facts
from rallyuxr.stats.relative import JointVariance

ERRORS = ("hc1", "ols", "cluster")

_COLLINEAR = 1e-10


@dataclass(frozen=True, slots=True)
class CrossSectionFit:
    """The effect with the facts it rests on."""

    effect: Effect
    facts: Facts


@dataclass(frozen=True, slots=True)
class _Sample:
    """One row per observation: arrays of (n,), covariates (k, n)."""

    treated: Flags
    post: Flags
    outcome: Floats
    weight: Floats
    covariates: Floats
    cluster: NDArray[np.intp] | None


def cross_section(data: Any, names: ColumnNames, *, errors: str) -> CrossSectionFit:
    """Compare the arms' means before and after when every row is another person.

    Parameters
    ----------
    data, names
        As for `did_panel`; `names.period` is not used, since `post` says all.
    errors
        ``"hc1"``: robust to unequal variances, factor N/(N-K). ``"ols"``: equal variances.
        ``"cluster"``: by `names.cluster`, factor G/(G-1)·(N-1)/(N-K).

    References
    ----------
    White (1980), Econometrica 48:817-838; MacKinnon and White (1985), Journal of Econometrics 29:305-325.
    """
    sample = _read(data, names)
    has_baseline = not sample.post.all()
    _refuse_empty_cells(sample, has_baseline)
    arms = [np.ones(sample.outcome.size), sample.treated]
    windows = [sample.post, sample.treated & sample.post] if has_baseline else []
    design = np.stack([*sample.covariates, *arms, *windows], axis=1).astype(np.float64)
    target = design.shape[1] - 1
    root = np.sqrt(sample.weight)
    basis, triangle = np.linalg.qr(design * root[:, None])
    diagonal = np.abs(np.diag(triangle))
    if len(diagonal) > len(basis) or not diagonal.min() > _COLLINEAR * diagonal.max():
        raise InvalidInput("a covariate is a combination of the others, treated and post; leave it out")
    centre = sample.outcome[0]
    coefficients = np.linalg.solve(triangle, basis.T @ (root * (sample.outcome - centre)))
    residual = sample.outcome - centre - design @ coefficients
    row = root * (basis @ np.linalg.solve(triangle.T, np.eye(design.shape[1])[target]))
    treated_after = sample.treated & sample.post
    mean_row = np.where(treated_after, sample.weight, 0.0) / sample.weight[treated_after].sum()
    mean = float(mean_row @ sample.outcome)
    rows = np.stack([row, mean_row])
    residuals = np.stack([residual, sample.outcome - mean])
    covariance, dof = _covariance(sample, rows, residuals, design.shape[1], errors)
    estimate = float(coefficients[target])
    variance = JointVariance(
        effect=float(covariance[0, 0]),
        counterfactual=float(covariance[1, 1] - 2 * covariance[0, 1] + covariance[0, 0]),
        covariance=float(covariance[0, 1] - covariance[0, 0]),
    )
    return CrossSectionFit(Effect(estimate, mean - estimate, variance, dof), _facts(sample, has_baseline))


def _read(data: Any, names: ColumnNames) -> _Sample:
    columns = read_columns(data, names._replace(unit=None, period=None).used())
    outcome = numbers(columns[names.outcome], names.outcome)
    cluster = None if names.cluster is None else encode(columns[names.cluster], names.cluster).codes
    return _Sample(
        treated=flags(columns[names.treated], names.treated),
        post=flags(columns[names.post], names.post),
        outcome=outcome,
        weight=np.ones(outcome.size)
        if names.weights is None
        else positive_numbers(columns[names.weights], names.weights),
        covariates=stack_numbers(columns, names.covariates),
        cluster=None if cluster is None else np.unique(cluster, return_inverse=True)[1],
    )


def _refuse_empty_cells(sample: _Sample, has_baseline: bool) -> None:
    for post in (False, True) if has_baseline else (True,):
        for treated in (False, True):
            if not np.any((sample.treated == treated) & (sample.post == post)):
                raise InvalidInput(
                    f"no row has treated = {int(treated)} and post = {int(post)}; "
                    "a difference-in-differences needs both arms before and after the start"
                )


def _covariance(
    sample: _Sample, rows: Floats, residuals: Floats, n_coefficients: int, errors: str
) -> tuple[Floats, float]:
    """Joint covariance of the effect and the treated mean, (2, 2), and its degrees of freedom."""
    n_obs = sample.outcome.size
    dof = n_obs - n_coefficients
    if dof < 1:
        return np.zeros((2, 2)), 0.0
    if errors == "ols":
        scaled = rows / np.sqrt(sample.weight)
        return scaled @ scaled.T * float(sample.weight @ np.square(residuals[0])) / dof, float(dof)
    influence = rows * residuals
    if errors == "hc1":
        return influence @ influence.T * n_obs / dof, float(dof)
    if sample.cluster is None:
        raise InvalidInput("errors by cluster need the name of a cluster column; pass cluster=...")
    clustered = np.array([np.bincount(sample.cluster, row) for row in influence])
    n_clusters = clustered.shape[1]
    if n_clusters < 2:
        return np.zeros((2, 2)), 0.0
    factor = n_clusters / (n_clusters - 1) * (n_obs - 1) / dof
    return clustered @ clustered.T * factor, float(n_clusters - 1)


def _facts(sample: _Sample, has_baseline: bool) -> Facts:
    def mean(arm: Flags, window: Flags) -> float:
        member = arm & window
        return float(np.average(sample.outcome[member], weights=sample.weight[member]))

    before = {
        "treatment_pre": mean(sample.treated, ~sample.post),
        "control_pre": mean(~sample.treated, ~sample.post),
    }
    return Facts(
        n_obs=sample.outcome.size,
        n_units=None,
        n_clusters=None if sample.cluster is None else int(sample.cluster.max()) + 1,
        has_baseline=has_baseline,
        cell_means=CellMeans(
            treatment_post=mean(sample.treated, sample.post),
            control_post=mean(~sample.treated, sample.post),
            **(before if has_baseline else {}),
        ),
        level=float(np.abs(sample.outcome).max()),
    )
