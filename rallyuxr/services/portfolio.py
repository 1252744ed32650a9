"""All experiments together: what they were worth, as measured and with the winners' luck taken out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from rallyuxr.models import CurrentFinding, ExperimentDefinition
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
            key = (experiment.data_source == "simulator", experiment.currency)
            groups.setdefault(key, []).append(experiment)
    return tuple(_worth(currency, simulated, members) for (simulated, currency), members in sorted(groups.items()))


def _worth(currency: str, simulated: bool, members: Sequence[ExperimentDefinition]) -> Worth:
    findings = {one.id: one.finding for one in members if one.finding}
    observed = [impact for name, found in findings.items() if (impact := _observed(name, found))]
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


def _observed(experiment_id: str, found: CurrentFinding) -> Impact | None:
    if found.total_impact is None or not found.total_std_error:
        return None
    return Impact(experiment_id, found.total_impact, found.total_std_error)


def _projected(impact: Impact, found: CurrentFinding) -> Impact | None:
    """The same impact ahead: the projection is linear, so its error widens as its interval does."""
    bounds = (found.total_lower, found.total_upper, found.annualized_lower, found.annualized_upper)
    if found.annualized_impact is None or any(bound is None for bound in bounds):
        return None
    lower, upper, lower_ahead, upper_ahead = (float(bound or 0) for bound in bounds)
    factor = (upper_ahead - lower_ahead) / (upper - lower)
    return replace(impact, total=found.annualized_impact, std_error=impact.std_error * factor)
