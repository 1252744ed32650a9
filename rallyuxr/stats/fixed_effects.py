"""Two-way fixed effects with cluster-robust errors, exact on unbalanced and weighted panels.

Notation: y_it = α_i + λ_t + β·d_it + γ'x_it + e_it with d_it = treated_i · post_t. The dimension with
more levels is swept out by within-group means, the other enters as dummies, so there is no iteration
and no tolerance. With d̃ the residual of d on everything else,
β = Σ d̃y / Σ d̃² and V = c · Σ_g (Σ_{it in g} d̃e)² / (Σ d̃²)².
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rallyuxr.errors import InvalidInput
from rallyuxr.models.estimate import CellMeans
from rallyuxr.stats.panel_data import Flags, Floats, Levels, Panel
from rallyuxr.stats.panel_estimates import Effect, Facts, small_sample_factor
from rallyuxr.stats.relative import JointVariance
from rallyuxr.stats.unit_table import constant_within_units, refuse_duplicates

_CELLS_PER_BLOCK = 1 << 21
_COLLINEAR = 1e-10


@dataclass(frozen=True, slots=True)
class TwoWayFit:
    """The effect with the facts it rests on, and how many clusters hold units of each arm."""

    effect: Effect
    facts: Facts
    n_treated: int
    n_control: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows in the order of the swept dimension: its group starts, the dummied codes and the regressors (k, n)."""

    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    crossed: NDArray[np.intp]
    n_crossed: int
    regressors: Floats
    outcome: Floats
    weight: Floats


def two_way(panel: Panel, *, small_sample: str = "cr1_nested") -> TwoWayFit:
    """Regress the outcome on treated × post with unit and period effects, clustered by unit or `panel.cluster`.

    Parameters
    ----------
    panel
        Rows in any order; units may miss periods; weights are those of weighted least squares.
    small_sample
        Convention for the variance, see `panel_estimates.small_sample_factor`.

    Raises
    ------
    InvalidInput
        Where rows repeat a unit and period, a unit belongs to two clusters, or a regressor is a
        combination of the fixed effects.
    """
    refuse_duplicates(panel)
    unit = _used(panel.unit)
    period = _used(panel.period)
    rows = _arrange(panel, unit, period)
    gram = _gram(rows)
    d, y = len(gram) - 2, len(gram) - 1
    partial = np.linalg.lstsq(gram[:d, :d], gram[:d, d:], rcond=1e-12)[0].astype(np.float64)
    spread = gram[d, d] - gram[d, :d] @ partial[:, 0]
    if not spread > _COLLINEAR * gram[d, d]:
        raise InvalidInput(
            "treated × post is a combination of the unit and period effects and covariates, so its effect "
            "cannot be told from theirs; check that both arms are seen before and after the start"
        )
    estimate = float((gram[d, y] - gram[d, :d] @ partial[:, 1]) / spread)
    cluster = _clusters(panel, unit)
    influence = _influence(rows, panel, partial, estimate, spread, cluster)
    n_clusters = influence.shape[1]
    factor = small_sample_factor(
        small_sample,
        n_obs=panel.n_obs,
        n_clusters=n_clusters,
        n_slopes=1 + len(panel.covariates),
        n_nested=unit.count,
        n_crossed=period.count,
    )
    covariance = influence @ influence.T * factor
    treated_after = panel.treated & panel.post
    effect = Effect(
        estimate=estimate,
        counterfactual=_mean(panel, treated_after) - estimate,
        variance=JointVariance(
            effect=float(covariance[0, 0]),
            counterfactual=float(covariance[1, 1] - 2 * covariance[0, 1] + covariance[0, 0]),
            covariance=float(covariance[0, 1] - covariance[0, 0]),
        ),
        dof=float(n_clusters - 1),
    )
    n_treated, n_control = (np.unique(cluster[member]).size for member in (panel.treated, ~panel.treated))
    return TwoWayFit(effect, _facts(panel, unit.count, n_clusters), n_treated, n_control)


def _used(levels: Levels) -> Levels:
    """The same column without levels that no row has."""
    present, codes = np.unique(levels.codes, return_inverse=True)
    return Levels(codes, present.size, labels=present)


def _arrange(panel: Panel, unit: Levels, period: Levels) -> _Rows:
    swept, crossed = (unit, period) if unit.count >= period.count else (period, unit)
    order = np.argsort(swept.codes, kind="stable")
    sorted_codes = swept.codes[order]
    starts = np.flatnonzero(np.r_[True, sorted_codes[1:] != sorted_codes[:-1]])
    effect = (panel.treated & panel.post).astype(np.float64)
    scale = panel.covariates.std(axis=1, keepdims=True)
    if panel.covariates.size and not (scale > 0).all():
        raise InvalidInput("a covariate has the same value in every row; leave it out")
    centred = panel.covariates - panel.covariates.mean(axis=1, keepdims=True)
    return _Rows(
        order=order,
        starts=starts,
        crossed=crossed.codes[order].astype(np.intp),
        n_crossed=crossed.count,
        regressors=np.vstack([centred / scale, effect])[:, order],
        outcome=panel.outcome[order] - panel.outcome[0],
        weight=np.ones(panel.n_obs) if panel.weights is None else panel.weights[order],
    )


def _within(rows: _Rows) -> Iterator[tuple[slice, Floats]]:
    """Blocks of whole groups: columns (dummies, covariates, d, y) less group means, times √weight."""
    n_columns = rows.n_crossed + len(rows.regressors)
    step = max(1, _CELLS_PER_BLOCK // n_columns)
    bounds = np.append(rows.starts, rows.outcome.size)
    first = 0
    while first < rows.starts.size:
        last = max(first + 1, int(np.searchsorted(bounds, bounds[first] + step, side="right")) - 1)
        here = slice(int(bounds[first]), int(bounds[last]))
        columns = np.zeros((here.stop - here.start, n_columns))
        dummied = np.flatnonzero(rows.crossed[here])
        columns[dummied, rows.crossed[here][dummied] - 1] = 1.0
        columns[:, rows.n_crossed - 1 : -1] = rows.regressors[:, here].T
        columns[:, -1] = rows.outcome[here]
        weight = rows.weight[here, None]
        offsets = rows.starts[first:last] - here.start
        sizes = np.diff(bounds[first : last + 1])
        means = np.add.reduceat(columns * weight, offsets) / np.add.reduceat(weight, offsets)
        columns -= np.repeat(means, sizes, axis=0)
        columns *= np.sqrt(weight)
        yield here, columns
        first = last


def _gram(rows: _Rows) -> Floats:
    """Cross-products of all swept columns, (p, p)."""
    n_columns = rows.n_crossed + len(rows.regressors)
    gram = np.zeros((n_columns, n_columns))
    for _, columns in _within(rows):
        gram += columns.T @ columns
    return gram


def _clusters(panel: Panel, unit: Levels) -> NDArray[np.intp]:
    """Each row's cluster, (n,)."""
    if panel.cluster is None:
        return unit.codes.astype(np.intp)
    constant_within_units(panel.unit, panel.cluster)
    return np.unique(panel.cluster.codes, return_inverse=True)[1]


def _influence(
    rows: _Rows, panel: Panel, partial: Floats, estimate: float, spread: float, cluster: NDArray[np.intp]
) -> Floats:
    """Each cluster's influence on the estimate and on the treated mean after the start, (2, n_clusters)."""
    score = np.empty(panel.n_obs)
    for here, columns in _within(rows):
        others, d, y = columns[:, :-2], columns[:, -2], columns[:, -1]
        d_residual = d - others @ partial[:, 0]
        residual = y - others @ partial[:, 1] - estimate * d_residual
        score[rows.order[here]] = d_residual * residual / spread
    treated_after = panel.treated & panel.post
    weight = np.ones(panel.n_obs) if panel.weights is None else panel.weights
    mean = _mean(panel, treated_after)
    level = np.where(treated_after, weight * (panel.outcome - mean), 0.0) / weight[treated_after].sum()
    return np.array([np.bincount(cluster, score), np.bincount(cluster, level)])


def _mean(panel: Panel, member: Flags) -> float:
    weight = None if panel.weights is None else panel.weights[member]
    return float(np.average(panel.outcome[member], weights=weight))


def _facts(panel: Panel, n_units: int, n_clusters: int) -> Facts:
    return Facts(
        n_obs=panel.n_obs,
        n_units=n_units,
        n_clusters=n_clusters,
        has_baseline=True,
        cell_means=CellMeans(
            treatment_pre=_mean(panel, panel.treated & ~panel.post),
            treatment_post=_mean(panel, panel.treated & panel.post),
            control_pre=_mean(panel, ~panel.treated & ~panel.post),
            control_post=_mean(panel, ~panel.treated & panel.post),
        ),
        level=float(np.abs(panel.outcome).max()),
    )
