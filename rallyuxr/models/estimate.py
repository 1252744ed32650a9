"""What an estimator answers: effect, uncertainty and the doubts, from one computation at one level."""

from dataclasses import field
from typing import Literal

from rallyuxr.models.contract import Answer, answer

Estimator = Literal["difference_in_differences", "difference_in_means"]


@answer
class Caution(Answer):
    """Something the reader must know about a number; `code` is stable, `message` a sentence."""

    code: str
    message: str


@answer
class CellMeans(Answer):
    """The four window means behind a difference-in-differences; the pre cells are absent without a baseline."""

    treatment_pre: float | None = None
    treatment_post: float | None = None
    control_pre: float | None = None
    control_post: float | None = None


@answer
class RelativeEffect(Answer):
    """The effect over the absolute counterfactual mean of the treated arm, with an interval of its own.

    Fractions: 0.1 is ten percent. `ci_lower` and `ci_upper` are absent, with a `reason`, where the
    interval is unbounded (a baseline not distinguishable from zero).
    """

    estimate: float | None = None
    ci_lower: float | None = None
    ci_upper: float | None = None
    method: str = "fieller"
    reason: str | None = None


@answer
class DidEstimate(Answer):
    """One effect with everything needed to judge it.

    All numbers are in the outcome's own unit. `estimate` and whatever rests on it are `None`, with
    `reason` saying why, where the data cannot bear them; they are never 0 or 1 in disguise.

    Attributes:
        estimate: the average effect on the treated over the post window.
        std_error: its standard error.
        dof: degrees of freedom of the reference t distribution; absent where it is the normal one.
        statistic: estimate / std_error.
        pvalue: two-sided, 2·sf(|t|).
        ci_lower, ci_upper: interval at `confidence_level`.
        method: the inference used, for instance ``"prewhitened_ewc"`` or ``"welch_units"``.
        estimator: difference-in-differences, or a difference in means where there is no baseline.
        n_obs, n_units, n_clusters: what the computation rested on.
        long_run_variance: variance rate of the mean (series designs): Var(mean over T) ≈ lrv / T.
        warnings: what the reader must know.
        reason: why something is absent.
    """

    estimate: float | None = None
    std_error: float | None = None
    dof: float | None = None
    statistic: float | None = None
    pvalue: float | None = None
    ci_lower: float | None = None
    ci_upper: float | None = None
    confidence_level: float = 0.95
    method: str
    estimator: Estimator = "difference_in_differences"
    n_obs: int = 0
    n_units: int | None = None
    n_clusters: int | None = None
    relative: RelativeEffect = field(default_factory=RelativeEffect)
    cell_means: CellMeans = field(default_factory=CellMeans)
    long_run_variance: float | None = None
    warnings: tuple[Caution, ...] = ()
    reason: str | None = None


@answer
class AlwaysValid(Answer):
    """An interval that may be looked at every hour while the experiment runs."""

    ci_lower: float | None = None
    ci_upper: float | None = None
    pvalue: float | None = None
    method: str = ""
    reason: str | None = None
