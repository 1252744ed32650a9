"""Analyse a data version: load, compute, price, store; once per set of inputs."""

import hashlib
import uuid
from collections.abc import Mapping
from datetime import datetime

from rallyuxr.errors import Conflict, VersionConflict
from rallyuxr.models import (
    CurrentFinding,
    ExperimentAnalysis,
    ExperimentDefinition,
    ExperimentPlan,
    MetricValue,
    PublishedData,
    Status,
)
from rallyuxr.services.context import Context
from rallyuxr.services.results import last_period_end
from rallyuxr.store import AnalysisSummary, analysis_writes, pause

ATTEMPTS = 40


def analyze_version(ctx: Context, experiment_id: str, data_version: int) -> ExperimentAnalysis:
    """Analyse a data version with the prices in force when it was published.

    This is what the stream does. Doing it again, late, or out of order gives the stored analysis back and
    changes nothing.

    Raises:
        NotFound: no such experiment or data version.
        InvalidInput: the data cannot be analysed.
    """
    published_at = ctx.store.results.manifest(experiment_id, data_version).published_at
    if stored := ctx.store.analyses.starting_with(experiment_id, _time_part(published_at)):
        return stored
    experiment = ctx.store.experiments.get(experiment_id)
    prices = ctx.store.metric_values.in_force(experiment.metrics, published_at)
    published = ctx.store.results.load(experiment_id, data_version)
    return _analyze_and_store(ctx, experiment, published, prices, published_at)


def rerun_analysis(ctx: Context, experiment_id: str) -> ExperimentAnalysis:
    """Analyse the newest data with today's prices; if the current analysis has the same inputs, give that."""
    experiment = ctx.store.experiments.get(experiment_id)
    published = ctx.store.results.load(experiment_id)
    prices = {value.metric_id: value for value in ctx.store.metric_values.get_many(experiment.metrics)}
    current = experiment.finding
    if current and _digest_part(current.analysis_id) == _digest(experiment, published, prices):
        return ctx.store.analyses.get(experiment_id, current.analysis_id)
    return _analyze_and_store(ctx, experiment, published, prices, ctx.clock())


def current_analysis(ctx: Context, experiment_id: str) -> ExperimentAnalysis | None:
    """The newest analysis, or None."""
    return ctx.store.analyses.newest(experiment_id)


def get_analysis(ctx: Context, experiment_id: str, analysis_id: str) -> ExperimentAnalysis:
    """One analysis; raises `NotFound`."""
    return ctx.store.analyses.get(experiment_id, analysis_id)


def list_analyses(ctx: Context, experiment_id: str) -> tuple[AnalysisSummary, ...]:
    """Every analysis of an experiment in a line, newest first; raises `NotFound` for an unknown experiment."""
    ctx.store.experiments.get(experiment_id)
    return tuple(ctx.store.analyses.summaries(experiment_id))


def _analyze_and_store(
    ctx: Context,
    experiment: ExperimentDefinition,
    published: PublishedData,
    prices: Mapping[str, MetricValue],
    moment: datetime,
) -> ExperimentAnalysis:
    from rallyuxr.analysis import analyze

    analysis = analyze(published, prices, experiment=experiment).model_copy(
        update={
            "analysis_id": _analysis_id(moment, _digest(experiment, published, prices)),
            "analysis_timestamp": ctx.clock(),
        }
    )
    return _store(ctx, analysis, published)


def _store(ctx: Context, analysis: ExperimentAnalysis, published: PublishedData) -> ExperimentAnalysis:
    """Store the analysis together with what the experiment says of itself; an older one only beside it."""
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
        currency=impact.currency,
        total_impact=impact.total_impact,
        total_std_error=impact.total_std_error,
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


def _digest(experiment: ExperimentDefinition, published: PublishedData, prices: Mapping[str, MetricValue]) -> str:
    """A name for all that an analysis is made from: data, prices, design and algorithm."""
    from rallyuxr.analysis import ALGORITHM_VERSION

    design = experiment.model_dump_json(include=set(ExperimentPlan.model_fields))
    versions = sorted((metric_id, value.version) for metric_id, value in prices.items())
    inputs = f"{published.data_version}|{versions}|{design}|{ALGORITHM_VERSION}"
    return hashlib.sha256(inputs.encode()).hexdigest()[:18]


def _analysis_id(moment: datetime, digest: str) -> str:
    """A UUID in the layout of version 7 that sorts by `moment` and carries the digest of the inputs."""
    return str(uuid.UUID(hex=f"{_milliseconds(moment):012x}7{digest[:3]}8{digest[3:]}"))


def _digest_part(analysis_id: str) -> str:
    name = uuid.UUID(analysis_id).hex
    return name[13:16] + name[17:]


def _time_part(moment: datetime) -> str:
    """How the ids of that moment begin."""
    return _analysis_id(moment, "0" * 18)[:13]


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
