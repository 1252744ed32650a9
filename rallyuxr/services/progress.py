"""Where an experiment is on its way from saved to analysed."""

from typing import Literal

from rallyuxr.models import ExperimentDefinition, Record, Timestamp
from rallyuxr.services.context import Context
from rallyuxr.store import Manifest, PipelineFailure

StepName = Literal["saved", "data", "analysis", "done"]
FailingStep = Literal["data", "analysis"]
WAITING = {
    "simulator": "The simulator is making the data; this takes a few seconds.",
    "upload": "Waiting for an upload of its results.",
    "api": "Waiting for results: send them to POST /experiments/{id}/results.",
    "orders": "Orders of the chosen merchants within the experiment's dates are gathered; this takes a few seconds "
    "where there are some, and later ones follow as they come.",
}
ANALYSING = "The change stream hands the data to the analysis; this takes a few seconds."
AFTER_FAILURE = "Correct the cause, then send it through again from Operations, or publish the data anew."


class Step(Record):
    """One step: when it was done, or why it failed, or what to expect."""

    name: StepName
    at: Timestamp | None = None
    failed: str | None = None
    hint: str | None = None


class PipelineProgress(Record):
    """The steps in order."""

    experiment_id: str
    steps: tuple[Step, ...]

    @property
    def done(self) -> bool:
        """Whether the newest data is analysed."""
        return self.steps[-1].at is not None

    @property
    def failed(self) -> str | None:
        """Why it stopped, or None."""
        return next((step.failed for step in self.steps if step.failed), None)


def pipeline_progress(ctx: Context, experiment_id: str) -> PipelineProgress:
    """How far the newest data of an experiment has come; raises `NotFound`."""
    experiment = ctx.store.experiments.get(experiment_id)
    manifest = ctx.store.results.newest(experiment_id)
    failure = ctx.store.experiments.failure(experiment_id)
    analysed = _analysed(ctx, experiment, manifest)
    steps = (
        Step(name="saved", at=experiment.created_at),
        _data_step(experiment, manifest, failure),
        _analysis_step(manifest, analysed, failure),
        Step(
            name="done", at=analysed, hint=None if analysed else "Effects and dollars appear here when it is done."
        ),
    )
    return PipelineProgress(experiment_id=experiment_id, steps=steps)


def report_failure(
    ctx: Context, experiment_id: str, step: FailingStep, reason: str, *, data_version: int | None = None
) -> None:
    """Remember why the pipeline of an experiment stopped, for its progress to show."""
    failure = PipelineFailure(step=step, reason=reason, at=ctx.clock(), data_version=data_version)
    ctx.store.experiments.record_failure(experiment_id, failure)


def _analysed(ctx: Context, experiment: ExperimentDefinition, manifest: Manifest | None) -> Timestamp | None:
    finding = experiment.finding
    if manifest is None or finding is None or finding.data_version < manifest.data_version:
        return None
    return ctx.store.analyses.get(experiment.id, finding.analysis_id).analysis_timestamp


def _data_step(
    experiment: ExperimentDefinition, manifest: Manifest | None, failure: PipelineFailure | None
) -> Step:
    if manifest:
        return Step(name="data", at=manifest.published_at)
    if failure and failure.step == "data":
        return Step(name="data", failed=failure.reason, hint=AFTER_FAILURE)
    return Step(name="data", hint=WAITING[experiment.data_source])


def _analysis_step(manifest: Manifest | None, analysed: Timestamp | None, failure: PipelineFailure | None) -> Step:
    if analysed:
        return Step(name="analysis", at=analysed)
    if manifest and failure and failure.step == "analysis" and failure.data_version == manifest.data_version:
        return Step(name="analysis", failed=failure.reason, hint=AFTER_FAILURE)
    return Step(name="analysis", hint=ANALYSING if manifest else "Starts by itself when there is data.")
