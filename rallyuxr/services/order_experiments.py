"""Experiments whose data are merchants' orders: they follow the orders as these come, also late or refunded."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from rallyuxr.aggregation.experiment_series import HOUR, Rows, experiment_data, first_assigned_hour
from rallyuxr.errors import NotFound, RallyError, VersionConflict
from rallyuxr.models import ExperimentData, ExperimentDefinition
from rallyuxr.models.aggregate import Aggregate
from rallyuxr.models.order import Merchant
from rallyuxr.services.analytics import read_rows
from rallyuxr.services.context import Context
from rallyuxr.services.experiments import get_experiment
from rallyuxr.services.merchants import experiment_merchants
from rallyuxr.services.results import PublishedVersion, publish_results
from rallyuxr.store import pause

QUIET = timedelta(seconds=60)
PUBLISH_ATTEMPTS = 10
RESOLUTION = datetime.resolution


@dataclass(frozen=True, slots=True)
class PendingPublished:
    """Which experiments got a new data version, and which could not, and why."""

    published: tuple[str, ...]
    failed: Mapping[str, str]


def publish_orders(ctx: Context, experiment_id: str) -> PublishedVersion | None:
    """Make the orders known now the experiment's newest data version; equal data make no new one.

    None where no order lies within the experiment's time yet. The version is read first, the orders second, so
    orders read earlier never replace those read later.

    Raises:
        VersionConflict: others published meanwhile, each of `PUBLISH_ATTEMPTS` times.
    """
    for attempt in range(PUBLISH_ATTEMPTS):
        experiment = get_experiment(ctx, experiment_id)
        newest = ctx.store.results.newest(experiment_id)
        data = orders_data(ctx, experiment)
        if not any(series.timestamps.size for series in data.series.values()):
            return None
        try:
            return publish_results(ctx, experiment_id, data, after=newest.data_version if newest else 0)
        except VersionConflict:
            pause(attempt)
    raise VersionConflict(f"Experiment {experiment_id} is being published by too many at once; try again.")


def publish_pending(ctx: Context, *, quiet: timedelta = QUIET) -> PendingPublished:
    """Publish every experiment whose orders changed, unless it was published within `quiet`.

    What is passed over or fails stays marked and is tried again by a later call; what was never created, or is
    archived, is forgotten.
    """
    published, failed = [], {}
    for experiment_id, mark in ctx.store.experiments_behind.pending().items():
        newest = ctx.store.results.newest(experiment_id)
        if newest and ctx.clock() - newest.published_at < quiet:
            continue
        try:
            version = publish_orders(ctx, experiment_id) if _takes_data(ctx, experiment_id) else None
        except RallyError as problem:
            failed[experiment_id] = problem.message
            continue
        ctx.store.experiments_behind.clear(experiment_id, mark)
        if version and version.created:
            published.append(experiment_id)
    return PendingPublished(tuple(published), failed)


def _takes_data(ctx: Context, experiment_id: str) -> bool:
    try:
        return get_experiment(ctx, experiment_id).status != "archived"
    except NotFound:
        return False


def orders_data(ctx: Context, experiment: ExperimentDefinition) -> ExperimentData:
    """The experiment's data as the merchants' aggregates give them now."""
    merchants = experiment_merchants(ctx, experiment)
    rows = {merchant.merchant_id: _hourly_rows(ctx, merchant, experiment) for merchant in merchants}
    first = _observed_from(ctx, experiment, merchants, rows)
    return experiment_data(experiment, rows, first, max(first, _observed_until(ctx, experiment, rows)))


def _hourly_rows(ctx: Context, merchant: Merchant, experiment: ExperimentDefinition) -> tuple[Aggregate, ...]:
    first, last = merchant.day_of(experiment.baseline_start), merchant.day_of(experiment.end_date)
    return read_rows(ctx, merchant, "hourly", first, last + timedelta(days=1))


def _observed_from(
    ctx: Context, experiment: ExperimentDefinition, merchants: Iterable[Merchant], rows: Rows
) -> datetime:
    """The first hour that can be compared: all merchants sell by then, or arms are assigned.

    Before that an hour without orders is no zero, it was not observed.
    """
    if experiment.orders and experiment.orders.by == "arm":
        assigned = first_assigned_hour(experiment.id, rows)
        known = min(assigned, experiment.start_date) if assigned else experiment.start_date
    else:
        known = max(_first_sale(ctx, merchant, experiment) for merchant in merchants)
    return _whole_hour(max(known, experiment.baseline_start) + HOUR - RESOLUTION)


def _first_sale(ctx: Context, merchant: Merchant, experiment: ExperimentDefinition) -> datetime:
    first_day = next(ctx.store.orders.days(merchant.merchant_id), None)
    return merchant.midnight(first_day) if first_day else experiment.end_date


def _observed_until(ctx: Context, experiment: ExperimentDefinition, rows: Rows) -> datetime:
    """The end of the experiment once it is over; before, of the last whole hour known to have orders."""
    now = ctx.clock()
    if now >= experiment.end_date:
        return _whole_hour(experiment.end_date)
    newest = max(
        (row.start for each in rows.values() for row in each if row.statuses), default=experiment.baseline_start
    )
    return min(_whole_hour(now), _whole_hour(newest) + HOUR)


def _whole_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
