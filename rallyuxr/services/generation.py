"""Give a simulated experiment its data."""

from contextlib import suppress

from rallyuxr.errors import VersionConflict
from rallyuxr.models import ExperimentCreated, GeneratedRange, ResultsGenerated
from rallyuxr.services.context import Context
from rallyuxr.services.results import publish_results
from rallyuxr.simulation import simulate


def generate_results(ctx: Context, message: ExperimentCreated) -> ResultsGenerated:
    """Simulate and publish an experiment's results, unless it has any already.

    The simulator is seeded by the plan, and existing data is never replaced, so the message may come twice or late.
    """
    experiment = ctx.store.experiments.get(message.experiment_id)
    time_range = GeneratedRange(start_date=experiment.baseline_start, end_date=experiment.end_date)
    made = 0
    if ctx.store.results.newest(experiment.id) is None:
        data = simulate(experiment)
        with suppress(VersionConflict):
            publish_results(ctx, experiment.id, data, after=0)
            made = sum(len(series.timestamps) for series in data.series.values())
    return ResultsGenerated(
        success=True,
        experiment_id=experiment.id,
        results_generated=made,
        metrics_processed=experiment.metrics,
        time_range=time_range,
    )
