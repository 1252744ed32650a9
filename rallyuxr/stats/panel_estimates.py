"""From the arms' moments to one estimate: Welch, CUPED and balanced two-way fixed effects.

Notation: arm a has n_a units with change D_i = post mean - pre mean; D̄_a is their mean and
V_a = s²_a / n_a its variance. The effect is D̄_T - D̄_C; the counterfactual mean of the treated arm is
its own mean before plus the control arm's change.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rallyuxr.errors import InvalidInput
from rallyuxr.models.estimate import Caution, CellMeans, DidEstimate, RelativeEffect
from rallyuxr.stats import student
from rallyuxr.stats.arm_moments import PanelMoments
from rallyuxr.stats.panel_data import Floats
from rallyuxr.stats.permutation import Randomization
from rallyuxr.stats.relative import JointVariance, relative_effect
from rallyuxr.stats.wild_bootstrap import WildBootstrap

SMALL_SAMPLE = ("cr1_nested", "cr1_full", "cr1_slopes", "cr1", "cr0")
"""Small-sample conventions of cluster-robust variances; `small_sample_factor` defines each."""

_ROUNDING = 1e-13
"""A standard error below this share of the outcome's level is rounding noise, not evidence."""


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect beside the counterfactual mean it is judged against, with their joint variance."""

    estimate: float
    counterfactual: float
    variance: JointVariance
    dof: float


def welch(moments: PanelMoments) -> Effect:
    """Difference of the arms' mean changes; V = V_T + V_C with Satterthwaite's degrees of freedom.

    References
    ----------
    Welch (1947), Biometrika 34:28-35.
    """
    return _adjusted(moments, np.zeros_like(moments.treatment.mean))


def cuped(moments: PanelMoments) -> Effect:
    """Adjust the mean after the start for pre-period means, with one slope for both arms.

    The slope of the change on (pre, covariates) is pooled within arms, which gives the coefficient of
    least squares of the mean after on an arm dummy, the mean before and the covariates; the adjusted
    change is then compared between arms as by Welch. Valid where arms were assigned at random.

    References
    ----------
    Deng, Xu, Kohavi and Walker (2013), WSDM; Lin (2013), Annals of Applied Statistics 7:295-318.
    """
    arms = (moments.treatment, moments.control)
    within = np.sum([arm.cov * arm.n_units * arm.dof for arm in arms], axis=0)
    used = np.arange(1 if moments.has_baseline else 2, len(within))
    coefficients, _, rank, _ = np.linalg.lstsq(within[np.ix_(used, used)], within[used, 0], rcond=1e-12)
    if rank == 0:
        raise InvalidInput("CUPED needs a pre-period or covariates that vary between units; got none")
    slope = np.zeros(len(within))
    slope[used] = coefficients
    return _adjusted(moments, slope)


def balanced_two_way(moments: PanelMoments, small_sample: str) -> Effect:
    """Two-way fixed effects clustered by unit on a balanced panel, where it has a closed form.

    Least squares then gives D̄_T - D̄_C, and its cluster-robust variance is
    c·Σ_a Σ_i (D_i - D̄_a)² / n_a² with the factor c of `small_sample_factor`.
    """
    factor = small_sample_factor(
        small_sample,
        n_obs=moments.n_obs,
        n_clusters=moments.n_clusters,
        n_slopes=1,
        n_nested=moments.n_units,
        n_crossed=moments.n_periods,
    )
    treatment, control = (
        replace(arm, cov=arm.cov * (factor * arm.dof / arm.n_units)) for arm in (moments.treatment, moments.control)
    )
    effect = welch(replace(moments, treatment=treatment, control=control))
    return replace(effect, dof=float(moments.n_clusters - 1))


def _adjusted(moments: PanelMoments, slope: Floats) -> Effect:
    """Compare the arms' change - slope'z, against the treated arm's pre + slope'z plus the control arm's rest."""
    treatment, control = moments.treatment, moments.control
    contrast, level = -slope, slope.copy()
    contrast[0] += 1.0
    level[1] += 1.0
    v_treatment, v_control = (float(contrast @ arm.cov @ contrast) for arm in (treatment, control))
    variance = JointVariance(
        effect=v_treatment + v_control,
        counterfactual=float(level @ treatment.cov @ level) + v_control,
        covariance=float(contrast @ treatment.cov @ level) - v_control,
    )
    return Effect(
        estimate=float(contrast @ treatment.mean - contrast @ control.mean),
        counterfactual=float(level @ treatment.mean + contrast @ control.mean) + moments.shift,
        variance=variance,
        dof=satterthwaite((v_treatment, treatment.dof), (v_control, control.dof)),
    )


def small_sample_factor(
    convention: str, *, n_obs: int, n_clusters: int, n_slopes: int, n_nested: int, n_crossed: int
) -> float:
    """What a cluster-robust variance is multiplied by, under a named convention.

    With G clusters, N observations and K counted coefficients:

    ==============  ==============================================================================
    ``cr0``         1
    ``cr1``         G/(G-1)
    ``cr1_nested``  G/(G-1)·(N-1)/(N-K), K = slopes + periods: unit effects, nested in clusters, are
                    not counted (Stata's xtreg, fixest, pyfixest, fereg)
    ``cr1_full``    G/(G-1)·(N-1)/(N-K), K = slopes + units + periods - 1: every effect is counted
                    (dummies in statsmodels or Stata's regress)
    ``cr1_slopes``  G/(G-1)·(N-1)/(N-K), K = slopes + 1: no effect is counted
    ==============  ==============================================================================

    Examples
    --------
    >>> round(small_sample_factor("cr1", n_obs=60, n_clusters=10, n_slopes=1, n_nested=10, n_crossed=6), 4)
    1.1111
    """
    if convention not in SMALL_SAMPLE:
        raise InvalidInput(f"small_sample is {convention!r}; choose one of {', '.join(SMALL_SAMPLE)}")
    if convention == "cr0":
        return 1.0
    clusters = n_clusters / (n_clusters - 1) if n_clusters > 1 else 0.0
    if convention == "cr1":
        return clusters
    effects = {"cr1_slopes": 1, "cr1_nested": n_crossed, "cr1_full": n_nested + n_crossed - 1}
    counted = n_slopes + effects[convention]
    if n_obs <= counted:
        raise InvalidInput(
            f"{n_obs} rows cannot bear {counted} coefficients under {convention!r}; use 'cr1' or more periods"
        )
    return clusters * (n_obs - 1) / (n_obs - counted)


def satterthwaite(*parts: tuple[float, float]) -> float:
    """Degrees of freedom of a sum of independent variance estimates, each (variance, dof); 0 where there are none.

    References
    ----------
    Satterthwaite (1946), Biometrics Bulletin 2:110-114.
    """
    total = sum(variance for variance, _ in parts)
    if not total > 0 or min(dof for _, dof in parts) < 1:
        return 0.0
    # shares of the total, so that no variance underflows when squared
    return 1.0 / sum((variance / total) ** 2 / dof for variance, dof in parts)


@dataclass(frozen=True, slots=True)
class Facts:
    """What an estimate rests on; `level` is the outcome's magnitude, against which rounding is judged."""

    n_obs: int
    n_units: int | None
    n_clusters: int | None
    has_baseline: bool
    cell_means: CellMeans
    level: float


def moments_facts(moments: PanelMoments) -> Facts:
    """The facts of a panel known by its moments."""
    arms = (moments.treatment, moments.control)
    return Facts(
        n_obs=moments.n_obs,
        n_units=moments.n_units,
        n_clusters=moments.n_clusters,
        has_baseline=moments.has_baseline,
        cell_means=_cell_means(moments),
        level=max(abs(moments.shift), *(float(np.abs(arm.mean[:2]).max()) for arm in arms)),
    )


def report(
    effect: Effect,
    facts: Facts,
    *,
    method: str,
    confidence_level: float,
    cautions: tuple[Caution, ...] = (),
) -> DidEstimate:
    """Estimate, error, interval and p-value from one computation, absent with a reason where they cannot be."""
    reason = _why_no_inference(effect, facts)
    found: dict[str, Any] = {}
    if reason is None:
        std_error = math.sqrt(effect.variance.effect)
        lower, upper = student.interval(effect.estimate, std_error, effect.dof, confidence_level)
        found = {
            "std_error": std_error,
            "dof": effect.dof,
            "statistic": effect.estimate / std_error,
            "pvalue": student.two_sided_pvalue(effect.estimate / std_error, effect.dof),
            "ci_lower": lower,
            "ci_upper": upper,
        }
    return DidEstimate(
        estimate=effect.estimate,
        confidence_level=confidence_level,
        method=method,
        relative=relative_effect(
            effect.estimate,
            effect.counterfactual,
            effect.variance if reason is None else JointVariance(0.0, 0.0, 0.0),
            dof=effect.dof,
            confidence_level=confidence_level,
        ),
        warnings=cautions,
        reason=reason,
        **found,
        **described(facts),
    )


def report_resampled(
    resampled: Randomization | WildBootstrap,
    effect: Effect,
    facts: Facts,
    *,
    method: str,
    confidence_level: float,
    cautions: tuple[Caution, ...] = (),
) -> DidEstimate:
    """The estimate with error, p-value and interval from re-assignment or resampling."""
    bounded = math.isfinite(resampled.ci_lower) and math.isfinite(resampled.ci_upper)
    relative = relative_effect(effect.estimate, effect.counterfactual, JointVariance(0.0, 0.0, 0.0), dof=0.0)
    if relative.estimate is not None:
        relative = RelativeEffect(estimate=relative.estimate, reason=f"{method} gives no interval for a ratio")
    too_few = f"too few units for an interval at {confidence_level:.0%}: {_smallest(resampled)}"
    return DidEstimate(
        estimate=effect.estimate,
        std_error=resampled.std_error or None,
        pvalue=resampled.pvalue,
        ci_lower=resampled.ci_lower if bounded else None,
        ci_upper=resampled.ci_upper if bounded else None,
        confidence_level=confidence_level,
        method=method,
        relative=relative,
        warnings=cautions,
        reason=None if bounded else too_few,
        **described(facts),
    )


def described(facts: Facts) -> dict[str, Any]:
    """The fields of an estimate that say what it rests on."""
    return {
        "estimator": "difference_in_differences" if facts.has_baseline else "difference_in_means",
        "n_obs": facts.n_obs,
        "n_units": facts.n_units,
        "n_clusters": facts.n_clusters,
        "cell_means": facts.cell_means,
    }


def _cell_means(moments: PanelMoments) -> CellMeans:
    windows: dict[str, float] = {}
    for name, arm in (("treatment", moments.treatment), ("control", moments.control)):
        pre = float(arm.mean[1]) + moments.shift
        windows[f"{name}_post"] = pre + float(arm.mean[0])
        if moments.has_baseline:
            windows[f"{name}_pre"] = pre
    return CellMeans(**windows)


def has_spread(effect: Effect, facts: Facts) -> bool:
    """Whether units differ by more than rounding, and there are more than two of them."""
    return (facts.n_clusters or facts.n_obs) > 2 and effect.variance.effect > (_ROUNDING * facts.level) ** 2


def _why_no_inference(effect: Effect, facts: Facts) -> str | None:
    if not has_spread(effect, facts):
        if (facts.n_clusters or facts.n_obs) <= 2:
            return (
                "two independent units cannot tell an effect from the difference between any two units; add units"
            )
        return "the units of each arm all changed by the same amount, so there is no spread to judge by"
    if effect.dof < 1:
        return "an arm of a single unit has no spread to judge by; use method='placebo', or add units"
    return None


def _smallest(resampled: Randomization | WildBootstrap) -> str:
    if isinstance(resampled, Randomization):
        return f"there are only {resampled.n_assignments} ways to assign the treatment"
    return "no effect can be excluded by resampling them"
