"""Units that start at different times: effects by cohort and time, never against the already treated.

Notation, after Callaway and Sant'Anna: G_i is the period in which unit i starts (∞ for never), ATT(g, t) the
mean effect in period t on the units with G_i = g. It is the mean change of these units from their base
period to t, less that of units still untreated in both. Every aggregate is linear in them, so each
carries an influence value per unit, ψ_i, with Var = Σ ψ_i².
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rallyuxr.errors import InvalidInput
from rallyuxr.models.estimate import Caution, DidEstimate, RelativeEffect
from rallyuxr.stats import student
from rallyuxr.stats.effect_path import EffectPath, effect_path
from rallyuxr.stats.panel_data import Flags, Floats, Levels, encode, numbers, read_columns

ControlGroup = Literal["not_yet_treated", "never_treated"]
BasePeriod = Literal["universal", "varying"]

_SMALL_COHORT = 5


@dataclass(frozen=True, slots=True)
class CohortTimeEffect:
    """ATT(g, t): the effect on the units that started in `cohort`, in `period`.

    `event_time` counts observed periods since the start; negative ones are placebo effects. The standard
    error is absent in the base period, whose effect is zero by construction.
    """

    cohort: Any
    period: Any
    event_time: int
    estimate: float
    std_error: float | None
    n_treated: int
    n_control: int


@dataclass(frozen=True, slots=True)
class StaggeredEffects:
    """One number, its path over event time, and the cohort-by-time table both come from.

    Attributes
    ----------
    overall
        Mean of all ATT(g, t) with t ≥ g, weighted by cohort size.
    event_time
        The cohorts' mean effect at each number of periods since the start, weighted by cohort size;
        the reference period is among them.
    cohort_time
        Every ATT(g, t) that could be estimated.
    control_group, base_period
        The comparison that was made.
    """

    overall: DidEstimate
    event_time: EffectPath
    cohort_time: tuple[CohortTimeEffect, ...]
    control_group: ControlGroup
    base_period: BasePeriod


def did_staggered(
    data: Any,
    *,
    unit: str,
    period: str,
    first_treated: str,
    outcome: str,
    control_group: ControlGroup = "not_yet_treated",
    base_period: BasePeriod = "universal",
    confidence_level: float = 0.95,
    reps: int = 9999,
    seed: int = 0,
) -> StaggeredEffects:
    """What was the effect where units started at different times?

    Parameters
    ----------
    data
        One row per unit and period, in any form that `did_panel` takes.
    unit, period, outcome
        Columns; periods are numbers or dates.
    first_treated
        Column with the period in which the row's unit starts. Missing, infinite, or 0 where all periods
        are later: never.
    control_group
        Compare with units that start later or never, or with those that never start alone.
    base_period
        ``"universal"``: every change is measured from the period before the start. ``"varying"``:
        before the start, from the period before.
    confidence_level, reps, seed
        Of intervals and bands; draws of the multiplier bootstrap behind the bands, and their seed.

    Raises
    ------
    InvalidInput
        Where a unit has two rows in a period or two starts, or no cohort can be compared.

    References
    ----------
    Callaway and Sant'Anna (2021), Journal of Econometrics 225:200-230.

    Examples
    --------
    >>> outcomes = [[1, 1, 3, 4], [2, 2, 4, 6], [0, 1, 1, 3], [1, 1, 2, 4], [1, 2, 2, 2], [3, 3, 3, 4]]
    >>> data = {
    ...     "shop": [shop for shop in range(6) for _ in range(4)],
    ...     "month": [1, 2, 3, 4] * 6,
    ...     "start": [start for start in (3, 3, 4, 4, 0, 0) for _ in range(4)],
    ...     "sales": [value for row in outcomes for value in row],
    ... }
    >>> result = did_staggered(data, unit="shop", period="month", first_treated="start", outcome="sales")
    >>> round(result.overall.estimate, 4), [effect.at for effect in result.event_time.effects]
    (2.0833, [-3, -2, -1, 0, 1])
    """
    _refuse_options(control_group, base_period, confidence_level)
    panel = _pivot(data, unit, period, first_treated, outcome)
    cells = _cohort_time_cells(panel, control_group, base_period)
    after = [cell for cell in cells if cell.event_time >= 0]
    if not after:
        raise InvalidInput(
            "no cohort can be compared after its start: each needs a period before it and units that are "
            f"still untreated ({control_group}) after it; got cohorts {list(panel.period_labels[panel.cohorts])}"
        )
    dof = float(panel.start.size - 1)
    event_times = sorted({cell.event_time for cell in cells})
    paths = [_aggregate(panel, [cell for cell in cells if cell.event_time == time]) for time in event_times]
    influence = np.stack([path.influence for path in paths])
    return StaggeredEffects(
        overall=_overall(panel, _aggregate(panel, after), dof, confidence_level),
        event_time=effect_path(
            event_times,
            np.array([path.estimate for path in paths]),
            influence @ influence.T,
            dof=dof,
            confidence_level=confidence_level,
            reps=reps,
            seed=seed,
        ),
        cohort_time=tuple(_cohort_time_effect(panel, cell) for cell in cells),
        control_group=control_group,
        base_period=base_period,
    )


class _Pivot(NamedTuple):
    """Outcomes (n_units, n_periods), NaN where unseen; each unit's start as a column, n_periods for never."""

    outcome: Floats
    start: NDArray[np.intp]
    period_labels: NDArray[Any]
    cohorts: NDArray[np.intp]
    n_obs: int
    n_always_treated: int


class _Cell(NamedTuple):
    """One ATT(g, t) with each unit's influence on it, (n_units,)."""

    cohort: int
    period: int
    estimate: float
    influence: Floats
    n_treated: int
    n_control: int

    @property
    def event_time(self) -> int:
        return self.period - self.cohort


class _Aggregate(NamedTuple):
    """A weighted mean of cells with each unit's influence on it."""

    estimate: float
    influence: Floats

    @property
    def std_error(self) -> float:
        return float(np.sqrt(np.square(self.influence).sum()))


def _pivot(data: Any, unit: str, period: str, first_treated: str, outcome: str) -> _Pivot:
    columns = read_columns(data, [unit, period, first_treated, outcome], nullable=(first_treated,))
    units = encode(columns[unit], unit)
    period_labels, periods = np.unique(np.asarray(columns[period]), return_inverse=True)
    values = numbers(columns[outcome], outcome)
    cell = units.codes.astype(np.intp) * period_labels.size + periods
    if np.unique(cell).size < cell.size:
        raise InvalidInput("some unit has two rows in one period; aggregate them to one row per unit and period")
    matrix = np.full((units.count, period_labels.size), np.nan)
    matrix.ravel()[cell] = values
    start, seen = _unit_starts(units, np.asarray(columns[first_treated]), period_labels)
    usable = seen & (start > 0)
    cohorts = np.unique(start[usable & (start < period_labels.size)])
    return _Pivot(
        matrix[usable],
        start[usable],
        period_labels,
        cohorts,
        values.size,
        int(np.count_nonzero(seen & (start == 0))),
    )


def _unit_starts(
    units: Levels, first_treated: NDArray[Any], period_labels: NDArray[Any]
) -> tuple[NDArray[np.intp], Flags]:
    """Each unit's start as a column of the pivot, and which units have rows."""
    never = np.isnat(first_treated) if first_treated.dtype.kind in "mM" else ~np.isfinite(first_treated)
    if first_treated.dtype.kind not in "mM" and period_labels[0] > 0:
        never |= first_treated == 0
    row_start = np.searchsorted(period_labels, np.where(never, period_labels[-1], first_treated))
    row_start = np.where(never, period_labels.size, row_start)
    start = np.full(units.count, -1, dtype=np.intp)
    start[units.codes] = row_start
    changed = np.flatnonzero(start[units.codes] != row_start)
    if changed.size:
        label = units.label(int(units.codes[changed[0]]))
        raise InvalidInput(f"unit {label} has two values of first_treated; a unit starts once and stays treated")
    return start, start >= 0


def _cohort_time_cells(panel: _Pivot, control_group: ControlGroup, base_period: BasePeriod) -> list[_Cell]:
    n_periods = panel.period_labels.size
    cells = []
    for cohort in panel.cohorts.tolist():
        first = 0 if base_period == "universal" else 1
        for period in range(first, n_periods):
            before_start = period < cohort
            base = period - 1 if before_start and base_period == "varying" else cohort - 1
            later = panel.start == n_periods
            if control_group == "not_yet_treated":
                later = panel.start > max(period, base)
            cell = _cell(panel, cohort, period, base, later & (panel.start != cohort))
            if cell is not None:
                cells.append(cell)
    return cells


def _cell(panel: _Pivot, cohort: int, period: int, base: int, control: Flags) -> _Cell | None:
    """ATT(g, t) as a difference in mean changes; None where one side has no unit seen in both periods."""
    change = panel.outcome[:, period] - panel.outcome[:, base]
    seen = ~np.isnan(change)
    treated, control = (panel.start == cohort) & seen, control & seen
    n_treated, n_control = int(treated.sum()), int(control.sum())
    if not n_treated or not n_control:
        return None
    treated_mean, control_mean = change[treated].mean(), change[control].mean()
    influence = np.zeros(change.size)
    influence[treated] = (change[treated] - treated_mean) / n_treated
    influence[control] = -(change[control] - control_mean) / n_control
    return _Cell(cohort, period, float(treated_mean - control_mean), influence, n_treated, n_control)


def _aggregate(panel: _Pivot, cells: Sequence[_Cell]) -> _Aggregate:
    """Mean of cells weighted by cohort size; the weights are estimated too, and so add to the influence."""
    sizes = np.array([cell.n_treated for cell in cells], dtype=np.float64)
    estimates = np.array([cell.estimate for cell in cells])
    weight = sizes / sizes.sum()
    estimate = float(weight @ estimates)
    influence: Floats = np.sum([w * cell.influence for w, cell in zip(weight, cells, strict=True)], axis=0)
    for cohort in {cell.cohort for cell in cells}:
        deviation = sum(cell.estimate - estimate for cell in cells if cell.cohort == cohort)
        influence[panel.start == cohort] += deviation / sizes.sum()
    return _Aggregate(estimate, influence)


def _overall(panel: _Pivot, effect: _Aggregate, dof: float, confidence_level: float) -> DidEstimate:
    described: dict[str, Any] = {
        "estimate": effect.estimate,
        "confidence_level": confidence_level,
        "method": "callaway_santanna",
        "n_obs": panel.n_obs,
        "n_units": panel.start.size,
        "n_clusters": panel.start.size,
        "relative": RelativeEffect(reason="cohorts have no one counterfactual mean to divide their effect by"),
        "warnings": _cautions(panel),
    }
    if not effect.std_error > 0:
        return DidEstimate(**described, reason="units of each cohort all changed by the same amount")
    lower, upper = student.interval(effect.estimate, effect.std_error, dof, confidence_level)
    statistic = effect.estimate / effect.std_error
    return DidEstimate(
        **described,
        std_error=effect.std_error,
        dof=dof,
        statistic=statistic,
        pvalue=student.two_sided_pvalue(statistic, dof),
        ci_lower=lower,
        ci_upper=upper,
    )


def _cohort_time_effect(panel: _Pivot, cell: _Cell) -> CohortTimeEffect:
    std_error = float(np.sqrt(np.square(cell.influence).sum()))
    return CohortTimeEffect(
        cohort=panel.period_labels[cell.cohort].item(),
        period=panel.period_labels[cell.period].item(),
        event_time=cell.event_time,
        estimate=cell.estimate,
        std_error=std_error if std_error > 0 else None,
        n_treated=cell.n_treated,
        n_control=cell.n_control,
    )


def _cautions(panel: _Pivot) -> tuple[Caution, ...]:
    cautions = []
    if panel.n_always_treated:
        cautions.append(
            Caution(
                code="always_treated",
                message=f"{panel.n_always_treated} units were treated from the first period on: left out",
            )
        )
    small = [cohort for cohort in panel.cohorts if np.count_nonzero(panel.start == cohort) < _SMALL_COHORT]
    if small:
        cautions.append(
            Caution(
                code="small_cohorts",
                message=f"{len(small)} cohorts have fewer than {_SMALL_COHORT} units: their errors are too small",
            )
        )
    return tuple(cautions)


def _refuse_options(control_group: str, base_period: str, confidence_level: float) -> None:
    if control_group not in ("not_yet_treated", "never_treated"):
        raise InvalidInput(f"control_group is {control_group!r}; choose 'not_yet_treated' or 'never_treated'")
    if base_period not in ("universal", "varying"):
        raise InvalidInput(f"base_period is {base_period!r}; choose 'universal' or 'varying'")
    if not 0 < confidence_level < 1:
        raise InvalidInput(f"confidence_level is {confidence_level}; give a number between 0 and 1, such as 0.95")
