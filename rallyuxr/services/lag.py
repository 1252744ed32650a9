"""How far the analyses are behind the data."""

from datetime import timedelta
from itertools import islice

from rallyuxr.models import Record, Timestamp
from rallyuxr.services.context import Context

NEWEST = 20


class StreamLag(Record):
    """Which of the newest experiments have data that is not analysed yet, and since when the oldest waits."""

    looked_at: int
    waiting: tuple[str, ...] = ()
    waiting_since: Timestamp | None = None
    last_took: timedelta | None = None


def stream_lag(ctx: Context) -> StreamLag:
    """Compare the newest experiments' data with their analyses; one read each."""
    waiting = {}
    looked_at = 0
    last_took = None
    for experiment in islice(ctx.store.experiments.walk(), NEWEST):
        looked_at += 1
        manifest = ctx.store.results.newest(experiment.id)
        if manifest is None:
            continue
        finding = experiment.finding
        if finding is None or finding.data_version < manifest.data_version:
            waiting[experiment.id] = manifest.published_at
        elif last_took is None:
            analysed = ctx.store.analyses.get(experiment.id, finding.analysis_id).analysis_timestamp
            last_took = max(analysed - manifest.published_at, timedelta())
    return StreamLag(
        looked_at=looked_at,
        waiting=tuple(waiting),
        waiting_since=min(waiting.values(), default=None),
        last_took=last_took,
    )
