"""Finish what was interrupted: lost events, unanswered requests for data, chunks of dead uploads."""

from datetime import timedelta

from pydantic import Field

from rallyuxr.errors import RallyError, Unavailable
from rallyuxr.models import ExperimentDefinition, Record
from rallyuxr.services.analyses import analyze_version
from rallyuxr.services.context import Context
from rallyuxr.services.experiments import start_generation
from rallyuxr.services.order_experiments import publish_pending

UNANALYSED_AFTER = timedelta(minutes=2)
UNGENERATED_AFTER = timedelta(minutes=10)


class ReconcileReport(Record):
    """What a reconciliation did."""

    experiments: int = 0
    analysed: tuple[str, ...] = ()
    regenerated: tuple[str, ...] = ()
    followed_orders: tuple[str, ...] = ()
    chunks_tidied: int = 0
    problems: dict[str, str] = Field(default_factory=dict)


def reconcile(ctx: Context) -> ReconcileReport:
    """Finish what was interrupted: analyse data whose event was lost, ask again for simulated data, follow orders.

    A fault with one experiment is reported and the others go on.
    """
    analysed, regenerated, problems = [], [], {}
    experiments = tidied = 0
    for experiment in ctx.store.experiments.walk():
        experiments += 1
        try:
            if _analyse_if_missed(ctx, experiment):
                analysed.append(experiment.id)
            if _generate_if_missed(ctx, experiment):
                regenerated.append(experiment.id)
            tidied += ctx.store.results.tidy(experiment.id, ctx.clock())
        except Unavailable:
            raise
        except RallyError as error:
            problems[experiment.id] = error.message
    orders = publish_pending(ctx)
    return ReconcileReport(
        experiments=experiments,
        followed_orders=orders.published,
        analysed=tuple(analysed),
        regenerated=tuple(regenerated),
        chunks_tidied=tidied,
        problems={**problems, **orders.failed},
    )


def _analyse_if_missed(ctx: Context, experiment: ExperimentDefinition) -> bool:
    manifest = ctx.store.results.newest(experiment.id)
    known = experiment.finding.data_version if experiment.finding else 0
    if manifest is None or manifest.data_version <= known:
        return False
    if ctx.clock() - manifest.published_at < UNANALYSED_AFTER:
        return False
    analyze_version(ctx, experiment.id, manifest.data_version)
    return True


def _generate_if_missed(ctx: Context, experiment: ExperimentDefinition) -> bool:
    waiting = experiment.status == "draft" and experiment.data_source == "simulator"
    if not waiting or ctx.clock() - experiment.created_at < UNGENERATED_AFTER:
        return False
    if ctx.store.results.newest(experiment.id):
        return False
    start_generation(ctx, experiment, experiment.id)
    return True
