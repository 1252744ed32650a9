"""Publish results from Python: read, check against the experiment, store; the analysis follows by itself."""

from typing import Any

from rallyuxr.ingest import read_results
from rallyuxr.models import ExperimentData
from rallyuxr.services import results
from rallyuxr.services.context import Context, connect
from rallyuxr.services.experiments import get_experiment
from rallyuxr.services.metric_values import list_metric_values
from rallyuxr.services.results import PublishedVersion


def publish_results(
    experiment_id: str,
    source: Any,
    *,
    actor: str | None = None,
    context: Context | None = None,
    **options: Any,
) -> PublishedVersion:
    """Make this file, data frame or data the newest results of an experiment.

    The deployment is the one that the environment names (`AWS_ENDPOINT_URL` or `RALLYUXR_STAGE`), unless a
    `context` is given. Publishing the same content again changes nothing.

    Args:
        experiment_id: the experiment.
        source: anything `read_results` reads, or `ExperimentData`.
        actor: who publishes; it goes into the audit trail.
        options: further fields of `ReadOptions`, such as `mapping` or `time_zone`.

    Raises:
        InvalidData: the content has problems, or does not fit the experiment; nothing was stored.
        NotFound: there is no such experiment.
        NotConfigured: the environment names no deployment.

    Examples:
        >>> import rallyuxr
        >>> rallyuxr.publish_results("3f2c…", "results.csv")  # doctest: +SKIP
        PublishedVersion(data_version=1, ...)
    """
    ctx = context or connect(actor=actor)
    if isinstance(source, ExperimentData):
        return results.publish_results(ctx, experiment_id, source)
    experiment = get_experiment(ctx, experiment_id)
    value_types = {value.metric_id: value.value_type for value in list_metric_values(ctx)}
    known = {"experiment": experiment, "value_types": value_types, "now": ctx.clock()}
    return results.publish_results(ctx, experiment_id, read_results(source, **known | options))
