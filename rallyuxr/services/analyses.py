"""Analyse a data version: load, compute, price, store; once per set of inputs."""

from datetime import datetime
from itertools import islice

from rallyuxr.analysis import analyze
from rallyuxr.errors import Conflict, InvalidInput, NotFound, VersionConflict
from rallyuxr.models import (
    CurrentFinding,
    ExperimentAnalysis,
    ExperimentDefinition,
    PublishedData,
    Status,
)
from rallyuxr.services.context import Context
from rallyuxr.services.results import last_period_end
from rallyuxr.store import AnalysisSummary, analysis_writes, pause

ATTEMPTS = 40
STAMP_LENGTH = 13
"""Characters of an analysis id that tell its time; the rest is a hash of its inputs."""


def analyze_version(ctx: Context, experiment_id: str, data_version: int) -> ExperimentAnalysis:
    """Analyse a data version with the prices in force when it was published.

    This is what the stream does. Doing it again, late, or out of order gives the stored analysis back and
    changes nothing.

    Raises:
        NotFound: no such experiment or data version.
        InvalidInput: the data cannot be analysed.
    """
    published_at = ctx.store.results.manifest(experiment_id, data_version).published_at
    for stored in ctx.store.analyses.starting_with(experiment_id, _stamp(published_at)):
        if stored.data_version == data_version:
            return stored
    experiment = ctx.store.experiments.get(experiment_id)
    prices = ctx.store.metric_values.in_force(experiment.metrics, published_at)
    published = ctx.store.results.load(experiment_id, data_version)
    return _store(ctx, analyze(published, prices, experiment=experiment), published)


def rerun_analysis(ctx: Context, experiment_id: str) -> ExperimentAnalysis:
    """Analyse the newest data with today's prices; if the current analysis has the same inputs, give that.

    Raises:
        NotFound: no such experiment.
        Conflict: it has no data yet, or data that cannot be analysed for the reason given.
    """
    experiment = ctx.store.experiments.get(experiment_id)
    try:
        published = ctx.store.results.load(experiment_id)
    except NotFound as missing:
        raise Conflict(f"{missing.message} Upload some first.") from None
    prices = {value.metric_id: value for value in ctx.store.metric_values.get_many(experiment.metrics)}
    try:
        analysis = analyze(published, prices, experiment=experiment)
    except InvalidInput as problem:
        raise Conflict(f"Data version {published.data_version} cannot be analysed: {problem.message}") from None
    current = experiment.finding.analysis_id if experiment.finding else None
    if current and _inputs(current) == _inputs(analysis.analysis_id):
        return ctx.store.analyses.get(experiment_id, current)
    renamed = _stamp(ctx.clock()) + analysis.analysis_id[STAMP_LENGTH:]
    return _store(ctx, analysis.model_copy(update={"analysis_id": renamed}), published)


def current_analysis(ctx: Context, experiment_id: str) -> ExperimentAnalysis | None:
    """The newest analysis, or None."""
    return ctx.store.analyses.newest(experiment_id)


def get_analysis(ctx: Context, experiment_id: str, analysis_id: str) -> ExperimentAnalysis:
    """One analysis; raises `NotFound`."""
    return ctx.store.analyses.get(experiment_id, analysis_id)


def list_analyses(
    ctx: Context, experiment_id: str, *, limit: int | None = None, before: str | None = None
) -> tuple[AnalysisSummary, ...]:
    """An experiment's analyses in a line each, newest first; at most `limit`, from the one before `before` on.

    Raises:
        NotFound: no such experiment.
    """
    ctx.store.experiments.get(experiment_id)
    return tuple(islice(ctx.store.analyses.summaries(experiment_id, before=before, page_size=limit), limit))


def _store(ctx: Context, analysis: ExperimentAnalysis, published: PublishedData) -> ExperimentAnalysis:
    """Store the analysis together with what the experiment says of itself; an older one only beside it."""
    analysis = analysis.model_copy(update={"analysis_timestamp": ctx.clock()})
    for attempt in range(ATTEMPTS):
        before = ctx.store.experiments.get(analysis.experiment_id)
        if before.finding and before.finding.analysis_id >= analysis.analysis_id:
            ctx.store.analyses.add(analysis)
            return ctx.store.analyses.get(analysis.experiment_id, analysis.analysis_id)
        try:
            ctx.store.experiments.replace(
                before,
                _with_finding(before, analysis, published),
                ctx.change(),
                action="analysis.completed",
                along=analysis_writes(analysis),
                analysed=True,
            )
        except VersionConflict:
            pause(attempt)
        else:
            return analysis
    raise Conflict(f"Experiment {analysis.experiment_id} is being changed by too many at once; try again.")


def _with_finding(
    experiment: ExperimentDefinition, analysis: ExperimentAnalysis, published: PublishedData
) -> ExperimentDefinition:
    impact = analysis.economic_impact
    total, annual = impact.total_interval, impact.annualized_interval
    finding = CurrentFinding(
        analysis_id=analysis.analysis_id,
        data_version=analysis.data_version,
        data_source=analysis.data_source,
        currency=impact.currency,
        total_impact=impact.total_impact,
        total_std_error=impact.total_std_error,
        total_dof=impact.total_dof,
        total_lower=total.lower if total else None,
        total_upper=total.upper if total else None,
        annualized_impact=impact.annualized_impact,
        annualized_lower=annual.lower if annual else None,
        annualized_upper=annual.upper if annual else None,
        verdict=analysis.verdict.outcome,
        sentence=analysis.verdict.sentence,
    )
    participants = (one.sample_size_control + one.sample_size_treatment for one in analysis.did_results.values())
    return experiment.model_copy(
        update={
            "finding": finding,
            "participant_count": round(max(participants, default=0)),
            "status": _status_after(experiment, published),
        }
    )


def _status_after(experiment: ExperimentDefinition, published: PublishedData) -> Status:
    """Running once there is data, complete once it reaches the end; a function of the data, not of the clock."""
    if experiment.status not in ("draft", "running"):
        return experiment.status
    ended = max(published.published_at, last_period_end(published.data)) >= experiment.end_date
    return "complete" if ended else "running"


def _stamp(moment: datetime) -> str:
    """How the ids of that millisecond begin: the time part of a UUID version 7."""
    milliseconds = f"{round(moment.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"


def _inputs(analysis_id: str) -> str:
    """The part of an id that is a function of what the analysis was made from."""
    return analysis_id[STAMP_LENGTH:]
