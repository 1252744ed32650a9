"""What all experiments together were worth, with and without the winner's curse.

Experiments that look best look better than they are: whoever adds up the winners adds up their luck
too. Shrinking every impact toward nothing, by as much as it is noise, takes that out.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rallyuxr.models.analysis import Interval
from rallyuxr.stats.student import t_quantile

Floats = NDArray[np.float64]

MIN_EXPERIMENTS = 3
ITERATIONS = 500
LARGEST_DOF = 1e9


@dataclass(frozen=True, slots=True)
class Impact:
    """One experiment's total in money, its positive standard error, and how well that is known."""

    experiment_id: str
    total: float
    std_error: float
    dof: float = math.inf

    @classmethod
    def from_interval(
        cls, experiment_id: str, total: float, interval: Interval, *, dof: float, confidence_level: float
    ) -> "Impact":
        """The impact whose t interval is this one; an always-valid interval gives the wider error it stands for.

        Examples
        --------
        >>> Impact.from_interval("a", 0.0, Interval(lower=-2.228139, upper=2.228139), dof=10, confidence_level=0.95)
        ... # doctest: +ELLIPSIS
        Impact(experiment_id='a', total=0.0, std_error=1.0000000..., dof=10)
        """
        half = (interval.upper - interval.lower) / 2
        return cls(experiment_id, total, half / t_quantile(0.5 + confidence_level / 2, dof), dof)


@dataclass(frozen=True, slots=True)
class ShrunkImpact:
    """An impact before and after shrinking; `weight` is the share of it that is kept."""

    experiment_id: str
    total: float
    shrunk: float
    std_error: float
    weight: float


@dataclass(frozen=True, slots=True)
class PortfolioImpact:
    """The sum of all experiments' impacts.

    Attributes:
        total, total_interval: the plain sum.
        shrunk, shrunk_interval: the sum of the shrunk impacts.
        winners, winners_shrunk: the same for the experiments whose interval lies above zero, where the
            plain sum is biased upwards.
        true_spread: standard deviation of the true impacts around nothing, as the portfolio shows it.
        experiments: each one's share, by id.
        reason: why the shrunk figures are absent.
    """

    total: float
    total_interval: Interval | None = None
    shrunk: float | None = None
    shrunk_interval: Interval | None = None
    winners: float = 0.0
    winners_shrunk: float | None = None
    true_spread: float | None = None
    experiments: tuple[ShrunkImpact, ...] = ()
    reason: str | None = None


def portfolio_impact(impacts: Iterable[Impact], *, confidence_level: float = 0.95) -> PortfolioImpact:
    """What were these experiments worth together?

    Experiments are taken as independent. Empirical Bayes: true impacts come from N(0, τ²), most
    changes do little, and estimates scatter around them with their standard errors s. τ² maximises
    the marginal likelihood, and an impact keeps τ²/(τ² + s²) of itself. Such figures need no
    correction for picking the best of them. The order of the impacts does not matter, not even in
    the last digit.

    A sum's variance Σs² is as well known as its parts: its t distribution has Satterthwaite's
    (Σs²)² / Σ(s⁴/ν) degrees of freedom, so that one experiment alone has its own interval.

    References
    ----------
    Lee and Shen (2018), KDD: Winner's curse: bias estimation for total effects of features in online
    controlled experiments. Efron (2011), Journal of the American Statistical Association 106:1602-1614.
    Satterthwaite (1946), Biometrics Bulletin 2:110-114.

    Examples
    --------
    >>> found = portfolio_impact([Impact("a", 100.0, 50.0), Impact("b", -20.0, 40.0), Impact("c", 10.0, 45.0)])
    >>> found.total, found.shrunk < 100, found.winners, found.winners_shrunk < found.winners
    (90.0, True, 100.0, True)
    """
    known = sorted(impacts, key=lambda one: one.experiment_id)
    if not known:
        return PortfolioImpact(total=0.0, reason="no experiment has a total yet")
    totals = np.array([one.total for one in known])
    errors = np.array([one.std_error for one in known])
    dofs = np.array([one.dof for one in known])
    p = 0.5 + confidence_level / 2
    won = totals > errors * np.array([_quantile(p, one.dof) for one in known])
    plain = PortfolioImpact(
        total=math.fsum(totals),
        total_interval=_interval(math.fsum(totals), errors**2, dofs, p),
        winners=math.fsum(totals[won]),
        reason=f"it takes {MIN_EXPERIMENTS} experiments to see how impacts scatter",
    )
    if len(known) < MIN_EXPERIMENTS:
        return plain
    variance = _true_variance(totals, errors)
    weights = variance / (variance + errors**2)
    shrunk = weights * totals
    return replace(
        plain,
        shrunk=math.fsum(shrunk),
        shrunk_interval=_interval(math.fsum(shrunk), weights * errors**2, dofs, p),
        winners_shrunk=math.fsum(shrunk[won]),
        true_spread=math.sqrt(variance),
        experiments=tuple(
            ShrunkImpact(one.experiment_id, one.total, value, one.std_error, weight)
            for one, value, weight in zip(known, shrunk.tolist(), weights.tolist(), strict=True)
        ),
        reason=None,
    )


def _true_variance(totals: Floats, errors: Floats) -> float:
    """τ² of N(0, τ² + s²) by expectation and maximisation: the mean of E[impact² | estimate]."""
    variance = float(np.mean(totals**2))
    for _ in range(ITERATIONS):
        weights = variance / (variance + errors**2)
        variance = math.fsum((weights * totals) ** 2 + weights * errors**2) / totals.size
    return variance


def _interval(middle: float, variances: Floats, dofs: Floats, p: float) -> Interval:
    """Around a sum of independent parts, each with the degrees of freedom of its variance."""
    variance = math.fsum(variances)
    doubt = math.fsum(variances**2 / dofs)
    half = _quantile(p, variance**2 / doubt if doubt else math.inf) * math.sqrt(variance)
    return Interval(lower=middle - half, upper=middle + half)


def _quantile(p: float, dof: float) -> float:
    """Of t; beyond any number of degrees of freedom that matters, of the normal distribution."""
    return t_quantile(p, min(dof, LARGEST_DOF))
