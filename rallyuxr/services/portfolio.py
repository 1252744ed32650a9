"""All experiments together: what they were worth, as measured and with the winners' luck taken out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from rallyuxr.models import CurrentFinding, ExperimentDefinition, Interval
from rallyuxr.portfolio import Impact, PortfolioImpact, portfolio_impact
from rallyuxr.services.context import Context
from rallyuxr.store import Portfolio

MOST_EXPERIMENTS = 2_000


@dataclass(frozen=True, slots=True)
class Worth:
    """What the experiments of one currency were worth while they were measured, and projected ahead.

    `omitted` have no total yet. Simulated money is never added to real money: `simulated` says which it is.
    """

    currency: str
    simulated: bool
    counted: int
    omitted: int
    observed: PortfolioImpact
    projected: PortfolioImpact


def portfolio_state(ctx: Context) -> Portfolio:
    """Counts and totals, one small read; equal states mean equal lists."""
    return ctx.store.experiments.portfolio()


def newest_experiments(ctx: Context, most: int = MOST_EXPERIMENTS) -> tuple[ExperimentDefinition, ...]:
    """The newest experiments, at most `most` of them."""
    return tuple(islice(ctx.store.experiments.walk(), most))


def worth(experiments: Iterable[ExperimentDefinition]) -> tuple[Worth, ...]:
    """The totals by currency, real ones first; archived experiments are left out."""
    groups: dict[tuple[bool, str], list[ExperimentDefinition]] = {}
    for experiment in experiments:
        if experiment.status != "archived":
            key = (experiment.is_simulated, experiment.currency)
            groups.setdefault(key, []).append(experiment)
    return tuple(_worth(currency, simulated, members) for (simulated, currency), members in sorted(groups.items()))


def _worth(currency: str, simulated: bool, members: Sequence[ExperimentDefinition]) -> Worth:
    findings = {one.id: one.finding for one in members if one.finding}
    observed = [impact for one in members if (impact := _observed(one)) is not None]
    projected = [
        ahead for impact in observed if (ahead := _projected(impact, findings[impact.experiment_id])) is not None
    ]
    return Worth(
        currency=currency,
        simulated=simulated,
        counted=len(observed),
        omitted=len(members) - len(observed),
        observed=portfolio_impact(observed),
        projected=portfolio_impact(projected),
    )


def _observed(experiment: ExperimentDefinition) -> Impact | None:
    """The experiment's total, as wide as its own interval; while it runs that is the always-valid one."""
    found = experiment.finding
    if found is None or found.total_impact is None or not found.total_std_error:
        return None
    if found.total_lower is None or found.total_upper is None or found.total_dof is None:
        return Impact(experiment.id, found.total_impact, found.total_std_error)
    return Impact.from_interval(
        experiment.id,
        found.total_impact,
        Interval(lower=found.total_lower, upper=found.total_upper),
        dof=found.total_dof,
        confidence_level=experiment.confidence_level / 100,
    )


def _projected(impact: Impact, found: CurrentFinding) -> Impact | None:
    """The same impact ahead: the projection is linear, so its error widens as its interval does."""
    bounds = (found.total_lower, found.total_upper, found.annualized_lower, found.annualized_upper)
    if found.annualized_impact is None or any(bound is None for bound in bounds):
        return None
    lower, upper, lower_ahead, upper_ahead = (float(bound or 0) for bound in bounds)
    factor = (upper_ahead - lower_ahead) / (upper - lower)
    return replace(impact, total=found.annualized_impact, std_error=impact.std_error * factor)
