"""What would a price change do to every experiment? Computed from the stored analyses; nothing is stored."""

from decimal import Decimal

from rallyuxr.economics import reprice
from rallyuxr.models import ExperimentDefinition, Interval, MetricValue, Money, Record
from rallyuxr.services.context import Context
from rallyuxr.services.metric_values import repriced

LARGEST_PREVIEW = 200
MOST_CONSIDERED = 1_000
"""How many experiments one preview reads, whatever number uses the metric."""


class RepriceRow(Record):
    """One experiment's total before and after."""

    experiment_id: str
    name: str
    before: float | None = None
    before_interval: Interval | None = None
    before_verdict: str | None = None
    after: float | None = None
    after_interval: Interval | None = None
    after_verdict: str | None = None


class RepricePreview(Record):
    """Analysed experiments that use the metric, newest first.

    `omitted` are beyond the preview's size. It is not `complete` where so many use the metric that some are unread.
    """

    metric_id: str
    current_dollars_per_unit: Money
    proposed_dollars_per_unit: Money
    experiments: tuple[RepriceRow, ...]
    omitted: int = 0
    complete: bool = True


def preview_reprice(ctx: Context, metric_id: str, dollars_per_unit: Decimal) -> RepricePreview:
    """Compare every experiment's total at today's price with the total at another one.

    Raises:
        NotFound: no such metric.
        InvalidInput: the price breaks the metric's rules.
    """
    current = ctx.store.metric_values.get(metric_id)
    proposed = repriced(current, dollars_per_unit)
    names, more = ctx.store.usage.members(metric_id, MOST_CONSIDERED)
    experiments = ctx.store.experiments.get_many(sorted(set(names)))
    analysed = [(one, one.finding.analysis_id) for one in experiments if one.finding]
    shown = analysed[:LARGEST_PREVIEW]
    rows = (_row(ctx, experiment, analysis_id, proposed) for experiment, analysis_id in shown)
    return RepricePreview(
        metric_id=metric_id,
        current_dollars_per_unit=current.dollars_per_unit,
        proposed_dollars_per_unit=dollars_per_unit,
        experiments=tuple(rows),
        omitted=len(analysed) - len(shown),
        complete=not more,
    )


def _row(ctx: Context, experiment: ExperimentDefinition, analysis_id: str, proposed: MetricValue) -> RepriceRow:
    analysis = ctx.store.analyses.get(experiment.id, analysis_id)
    before, after = analysis.economic_impact, reprice(analysis, {proposed.metric_id: proposed})
    return RepriceRow(
        experiment_id=experiment.id,
        name=experiment.name,
        before=before.total_impact,
        before_interval=before.total_interval,
        before_verdict=before.verdict.outcome if before.verdict else None,
        after=after.total_impact,
        after_interval=after.total_interval,
        after_verdict=after.verdict.outcome if after.verdict else None,
    )
