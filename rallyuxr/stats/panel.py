"""Difference-in-differences on panels of units: participants, stores, merchants, states."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any, NamedTuple

from rallyuxr.errors import InvalidInput
from rallyuxr.models.estimate import Caution, DidEstimate
from rallyuxr.stats.arm_moments import PanelMoments, panel_moments
from rallyuxr.stats.cross_section import ERRORS, cross_section
from rallyuxr.stats.fixed_effects import two_way
from rallyuxr.stats.grid_moments import grid_moments, stream_moments
from rallyuxr.stats.panel_data import ColumnNames, Panel, read_columns, read_panel
from rallyuxr.stats.panel_estimates import (
    SMALL_SAMPLE,
    balanced_two_way,
    cuped,
    has_spread,
    moments_facts,
    report,
    report_resampled,
    welch,
)
from rallyuxr.stats.panel_pieces import in_pieces
from rallyuxr.stats.panel_sql import fetched_if_small, is_large_frame, is_queryable, query_moments
from rallyuxr.stats.permutation import Randomization, permutation, placebo
from rallyuxr.stats.unit_means import UnitMeans, collapse_units, merge_clusters
from rallyuxr.stats.wild_bootstrap import WildBootstrap, wild_cluster_bootstrap

METHODS = ("auto", "unit_means", "twfe", "cuped", "permutation", "wild_cluster_bootstrap", "placebo")
CROSS_SECTION_METHODS = ("auto", *ERRORS)

_RESAMPLING = ("permutation", "wild_cluster_bootstrap", "placebo")

FEW_UNITS = 6
"""Arms of fewer units than this are compared by permutation, with a caution."""


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
    reps: int = 9999,
    seed: int = 0,
) -> DidEstimate:
    """By how much did the treatment change the outcome of the treated units?

    Parameters
    ----------
    data
        One row per unit and period: a pandas, polars or pyarrow table, the path of a Parquet file, a
        DuckDB relation, or a mapping of column names to arrays of one length.
    unit, period
        Columns of ids of any type. `unit` None: repeated cross-sections, one row per person.
    treated, post
        0/1 columns: does the row's unit belong to the treated arm, is its period after the start.
        `treated` is constant within a unit and `post` within a period; for units that start at
        different times use `did_staggered`. Without any row of post 0 the result is a difference in
        means and says so.
    outcome
        Numeric column; the result is in its unit.
    covariates
        Numeric columns. With ``"twfe"`` they are regressors, with ``"cuped"`` their means before the
        start are adjusted for.
    cluster
        Column of groups that were assigned or are correlated as a whole; units stay within one.
    weights
        Positive column. Within a unit and window the mean is Σwy / Σw; a unit counts by the mean
        weight of its rows. With ``"twfe"`` and cross-sections: weighted least squares.
    confidence_level
        Of every interval of the result.
    method
        ``"unit_means"``
            each unit collapsed to mean after minus mean before, arms compared by Welch.
        ``"twfe"``
            two-way fixed effects, clustered by unit or `cluster`.
        ``"cuped"``
            unit means, adjusted for the level before the start and `covariates`.
        ``"permutation"``
            exact or random re-assignment of units; interval by inverting the test.
        ``"wild_cluster_bootstrap"``
            for few clusters; interval by inverting the test.
        ``"placebo"``
            one unit against the placebo effects of all others.
        ``"auto"``
            ``"twfe"`` where there are covariates or clusters hold both arms, otherwise by the units of
            the smaller arm: one gives ``"placebo"``, two to five ``"permutation"`` with a caution, more
            ``"unit_means"``.

        Cross-sections take ``"hc1"`` (auto), ``"ols"`` or ``"cluster"`` (auto with a `cluster`).
    small_sample
        Convention for ``"twfe"``, one of ``panel_estimates.SMALL_SAMPLE``; `small_sample_factor` there
        defines each.
    reps, seed
        Random draws of permutation and bootstrap where not all are enumerated, and their seed.

    Returns
    -------
    DidEstimate
        `pvalue` is below 1 - `confidence_level` exactly when the interval excludes zero.

    Raises
    ------
    InvalidInput
        For data that cannot be what they are said to be: two rows of one unit and period, missing
        values, an arm that changes within a unit, and the like.

    References
    ----------
    Bertrand, Duflo and Mullainathan (2004), Quarterly Journal of Economics 119:249-275.

    Examples
    --------
    >>> pre_post = [(10, 13), (12, 14), (9, 13), (11, 12), (10, 14), (13, 15),
    ...             (10, 11), (11, 11), (9, 10), (12, 12), (10, 12), (11, 12)]
    >>> data = {
    ...     "store": [store for store in range(12) for _ in range(2)],
    ...     "week": [0, 1] * 12,
    ...     "new_page": [int(store < 6) for store in range(12) for _ in range(2)],
    ...     "orders": [value for pair in pre_post for value in pair],
    ... }
    >>> result = did_panel(
    ...     data, unit="store", period="week", treated="new_page", post="week", outcome="orders"
    ... )
    >>> round(result.estimate, 7), round(result.std_error, 7), round(result.pvalue, 7)
    (1.8333333, 0.5821416, 0.0128744)
    """
    names = ColumnNames(unit, period, treated, post, outcome, tuple(covariates), cluster, weights)
    options = _Options(confidence_level, method, small_sample, reps, seed)
    _refuse_options(names, options)
    if unit is None:
        return _from_cross_section(data, names, options)
    data = fetched_if_small(data, names)
    moments = _moments_unread(data, names)
    if moments is None:
        columns = read_columns(data, names.used())
        moments = grid_moments(columns, names)
        if moments is None and is_large_frame(data, names):
            moments = query_moments(data, names)
        data = columns
    if moments is not None and _is_closed_form(moments, options):
        return from_moments(moments, choose_method(moments, method), small_sample, confidence_level)
    return _from_panel(read_panel(data, names), options)


class _Options(NamedTuple):
    """How the caller wants the inference done."""

    confidence_level: float
    method: str
    small_sample: str
    reps: int
    seed: int


def _moments_unread(data: Any, names: ColumnNames) -> PanelMoments | None:
    """Moments of data that need not be in memory for it; None where the rows have to be read."""
    with closing(in_pieces(data, names.used(), texts=[str(names.unit)])) as pieces:
        moments = stream_moments(pieces, names)
    if moments is not None:
        return moments
    return query_moments(data, names) if is_queryable(data, names) else None


def _is_closed_form(moments: PanelMoments, options: _Options) -> bool:
    """Whether the moments alone answer, without each unit's change."""
    if options.method == "twfe":
        return moments.balanced and moments.has_baseline
    return choose_method(moments, options.method) not in _RESAMPLING


def _from_cross_section(data: Any, names: ColumnNames, options: _Options) -> DidEstimate:
    errors = options.method
    if errors == "auto":
        errors = "hc1" if names.cluster is None else "cluster"
    fit = cross_section(data, names, errors=errors)
    return report(fit.effect, fit.facts, method=f"ols_{errors}", confidence_level=options.confidence_level)


def _from_panel(panel: Panel, options: _Options) -> DidEstimate:
    has_covariates = panel.covariates.size > 0
    if options.method == "auto" and has_covariates:
        options = options._replace(method="twfe")
    if options.method == "twfe" and (has_covariates or panel.weights is not None):
        return _from_rows(panel, options)
    collapsed = collapse_units(panel)
    clusters = merge_clusters(collapsed)
    if clusters is None and options.method == "auto":
        return _from_rows(panel, options)
    if options.method == "twfe" and not (clusters and collapsed.balanced and collapsed.has_baseline):
        return _from_rows(panel, options)
    if clusters is None:
        raise InvalidInput(
            f"a cluster holds treated and control units, which {options.method!r} cannot bear; use method='twfe'"
        )
    return _from_units(clusters, options)


def _from_rows(panel: Panel, options: _Options) -> DidEstimate:
    fit = two_way(panel, small_sample=options.small_sample)
    return report(
        fit.effect,
        fit.facts,
        method=f"twfe_{options.small_sample}",
        confidence_level=options.confidence_level,
        cautions=_cautions(fit.n_treated, fit.n_control, "twfe"),
    )


def _from_units(units: UnitMeans, options: _Options) -> DidEstimate:
    """Any method that needs no more than each unit's change."""
    moments = panel_moments(units)
    options = options._replace(method=choose_method(moments, options.method))
    facts = moments_facts(moments)
    if options.method not in _RESAMPLING or not has_spread(welch(moments), facts):
        return from_moments(moments, options.method, options.small_sample, options.confidence_level)
    level, reps, seed = options.confidence_level, options.reps, options.seed
    resampled: Randomization | WildBootstrap
    if options.method == "placebo":
        resampled = placebo(units, confidence_level=level)
    elif options.method == "permutation":
        resampled = permutation(units, confidence_level=level, reps=reps, seed=seed)
    else:
        resampled = wild_cluster_bootstrap(units, confidence_level=level, reps=reps, seed=seed)
    return report_resampled(
        resampled,
        welch(moments),
        facts,
        method=options.method,
        confidence_level=level,
        cautions=_moments_cautions(moments, options.method),
    )


def choose_method(moments: PanelMoments, method: str) -> str:
    """The requested method, or what ``"auto"`` means for arms of these sizes."""
    for name, arm in (("treated", moments.treatment), ("control", moments.control)):
        if not arm.n_units:
            raise InvalidInput(
                f"no {name} unit has rows to compare; a difference-in-differences needs units of both arms, "
                "each seen before and after the start"
            )
    if method != "auto":
        return method
    smaller = min(moments.treatment.n_units, moments.control.n_units)
    if moments.n_clusters <= 2 or smaller >= FEW_UNITS:
        return "unit_means"
    return "placebo" if smaller == 1 else "permutation"


def from_moments(moments: PanelMoments, method: str, small_sample: str, confidence_level: float) -> DidEstimate:
    """Methods in closed form; a resampling method whose units do not differ is reported as absent."""
    if method == "cuped":
        effect, label = cuped(moments), "cuped"
    elif method == "twfe":
        effect, label = balanced_two_way(moments, small_sample), f"twfe_{small_sample}"
    else:
        effect, label = welch(moments), "welch_units" if method == "unit_means" else method
    return report(
        effect,
        moments_facts(moments),
        method=label,
        confidence_level=confidence_level,
        cautions=_moments_cautions(moments, method),
    )


def _moments_cautions(moments: PanelMoments, method: str) -> tuple[Caution, ...]:
    cautions = _cautions(moments.treatment.n_units, moments.control.n_units, method)
    if not moments.n_incomplete:
        return cautions
    message = f"{moments.n_incomplete} units were seen only before or only after the start: left out"
    return (Caution(code="incomplete_units", message=message), *cautions)


def _cautions(treatment: int, control: int, method: str) -> tuple[Caution, ...]:
    cautions = []
    if min(treatment, control) < FEW_UNITS:
        cautions.append(
            Caution(
                code="few_units",
                message=f"{treatment} treated and {control} control units are few: read the interval with care",
            )
        )
    if min(treatment, control) == 1 and method == "twfe":
        cautions.append(
            Caution(
                code="one_unit_clustered",
                message="one arm is a single unit, for which clustered errors are far too small; "
                "method='placebo' is honest",
            )
        )
    return tuple(cautions)


def _refuse_options(names: ColumnNames, options: _Options) -> None:
    allowed = METHODS if names.unit is not None else CROSS_SECTION_METHODS
    if options.method not in allowed:
        raise InvalidInput(f"method is {options.method!r}; choose one of {', '.join(allowed)}")
    if options.small_sample not in SMALL_SAMPLE:
        raise InvalidInput(f"small_sample is {options.small_sample!r}; choose one of {', '.join(SMALL_SAMPLE)}")
    if not 0 < options.confidence_level < 1:
        raise InvalidInput(
            f"confidence_level is {options.confidence_level}; give a number between 0 and 1, such as 0.95"
        )
    if options.reps < 99:
        raise InvalidInput(f"reps is {options.reps}; at least 99 draws are needed, 9999 are usual")
