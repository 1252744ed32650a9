"""Everything stored about an experiment, or a line about each, as files for other programs.

Simulated data is labelled SIMULATED in every file. Text that a spreadsheet would run as a formula gets an
apostrophe in front.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np

from rallyuxr.errors import NotFound
from rallyuxr.models import ExperimentData, ExperimentDefinition, MetricSeries, UnitPanel, iso_z
from rallyuxr.models.experiment import DataSource
from rallyuxr.models.safe_csv import safe_cell
from rallyuxr.services.analyses import current_analysis
from rallyuxr.services.context import Context
from rallyuxr.services.listing import list_experiments
from rallyuxr.services.metric_values import metric_history
from rallyuxr.services.results import load_results, result_record
from rallyuxr.store import AuditEntry

MOST_LINES = 2_000
"""Experiments in one answer, read in a second or two."""
TIDY = ("timestamp", "metric", "arm", "value", "sample_size", "denominator", "unit", "data_source")
FINDING_COLUMNS = (
    "total_impact",
    "total_lower",
    "total_upper",
    "annualized_impact",
    "annualized_lower",
    "annualized_upper",
    "verdict",
    "sentence",
)
PRICE_VERSION = ("version", "dollars_per_unit", "updated_at", "updated_by", "change_reason")
PORTFOLIO = (
    "id",
    "name",
    "status",
    "start_date",
    "end_date",
    "metrics",
    "data_source",
    "created_at",
    "created_by",
    "cost",
    "currency",
    *FINDING_COLUMNS,
)


@dataclass(frozen=True, slots=True)
class FilePage:
    """A file of a part of something, and where the next part begins; None at the end."""

    content: bytes
    next_token: str | None


def experiment_csv(ctx: Context, experiment_id: str) -> bytes:
    """The newest results in the tidy long form, one row per period (or unit) and arm; can be uploaded again."""
    return results_csv(load_results(ctx, experiment_id).data)


def results_csv(data: ExperimentData) -> bytes:
    """Results in the tidy long form, stored or not."""
    return _csv(TIDY, _tidy_rows(data))


def experiment_parquet(ctx: Context, experiment_id: str) -> bytes:
    """The same rows as Parquet; timestamps are UTC."""
    import pyarrow as pa  # not in the Lambdas' bundle: only who asks for Parquet needs it
    import pyarrow.parquet as pq

    kinds = {
        "timestamp": pa.timestamp("s", tz="UTC"),
        **dict.fromkeys(("value", "sample_size", "denominator"), pa.float64()),
    }
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in TIDY])
    rows = [dict(zip(TIDY, row, strict=True)) for row in _tidy_rows(load_results(ctx, experiment_id).data)]
    for row in rows:
        row["timestamp"] = np.datetime64(str(row["timestamp"]).removesuffix("Z"), "s").item()
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    return sink.getvalue()


def experiment_json(ctx: Context, experiment_id: str) -> bytes:
    """Definition, newest results and newest analysis under the contract's names, as far as they are there."""
    experiment = ctx.store.experiments.get(experiment_id)
    content: dict[str, Any] = {"experiment": experiment.to_json()}
    try:
        published = load_results(ctx, experiment_id)
    except NotFound:
        pass
    else:
        content["dataLabel"] = source_label(published.data.source)
        content["results"] = result_record(experiment, published).to_json()
    if analysis := current_analysis(ctx, experiment_id):
        content["analysis"] = analysis.to_json()
    return json.dumps(content, allow_nan=False).encode()


def portfolio_csv(ctx: Context) -> bytes:
    """A line for each experiment, newest first, with its current finding."""
    return _lines_csv(ctx.store.experiments.walk())


def portfolio_json(ctx: Context) -> bytes:
    """Every experiment's definition with its current finding, newest first, under the contract's names."""
    return _lines_json(ctx.store.experiments.walk(), None)


def portfolio_page(
    ctx: Context, kind: Literal["csv", "json"], *, limit: int = MOST_LINES, next_token: str | None = None
) -> FilePage:
    """A file of at most `limit` experiments and where the next one begins: for who must answer within seconds.

    Raises:
        InvalidInput: a limit out of range, or a token that is damaged.
    """
    page = list_experiments(ctx, limit=limit, next_token=next_token, most=MOST_LINES)
    lines, following = page.experiments, page.next_token
    return FilePage(_lines_csv(lines) if kind == "csv" else _lines_json(lines, following), following)


def price_history_csv(ctx: Context, metric_id: str) -> bytes:
    """Every version of a price, newest first, with its author and reason."""
    versions = metric_history(ctx, metric_id)
    return _csv(
        ("metric_id", *PRICE_VERSION),
        ([metric_id, *(getattr(version, name) for name in PRICE_VERSION)] for version in versions),
    )


def audit_csv(entries: Iterable[AuditEntry]) -> bytes:
    """A line for each change; what changed stands as JSON before and after."""
    rows = (
        (entry.at, entry.actor, entry.action, entry.subject, _json_cell(entry.before), _json_cell(entry.after))
        for entry in entries
    )
    return _csv(("at", "actor", "action", "subject", "before", "after"), rows)


def source_label(source: DataSource) -> str:
    """How a file names where its numbers come from."""
    return "SIMULATED" if source == "simulator" else source


def _tidy_rows(data: ExperimentData) -> Iterator[tuple[object, ...]]:
    label = source_label(data.source)
    for metric_id, series in data.series.items():
        for row in _series_rows(metric_id, series):
            yield (*row, None, label)
    for metric_id, panel in data.panels.items():
        for row in _panel_rows(metric_id, panel):
            yield (*row, label)


def _series_rows(metric_id: str, series: MetricSeries) -> Iterator[tuple[object, ...]]:
    arms = (
        ("treatment", series.treatment, series.treatment_n, series.treatment_denominator),
        ("control", series.control, series.control_n, series.control_denominator),
    )
    for place, moment in enumerate(series.timestamps):
        for arm, values, sizes, denominators in arms:
            if not np.isnan(values[place]):
                denominator = None if denominators is None else float(denominators[place])
                yield f"{moment}Z", metric_id, arm, float(values[place]), float(sizes[place]), denominator


def _panel_rows(metric_id: str, panel: UnitPanel) -> Iterator[tuple[object, ...]]:
    for unit, period, outcome in zip(panel.unit, panel.period, panel.outcome, strict=True):
        arm = "treatment" if panel.treated[unit] else "control"
        yield f"{panel.periods[period]}Z", metric_id, arm, float(outcome), 1.0, None, panel.units[unit]


def _label(experiment: ExperimentDefinition) -> str:
    """Where the numbers of an experiment's line come from."""
    return source_label("simulator" if experiment.is_simulated else experiment.data_source)


def _lines_csv(experiments: Iterable[ExperimentDefinition]) -> bytes:
    return _csv(PORTFOLIO, map(_portfolio_row, experiments))


def _lines_json(experiments: Iterable[ExperimentDefinition], next_token: str | None) -> bytes:
    lines = [{**experiment.to_json(), "dataLabel": _label(experiment)} for experiment in experiments]
    following = {"nextToken": next_token} if next_token else {}
    return json.dumps({"experiments": lines, **following}, allow_nan=False).encode()


def _portfolio_row(experiment: ExperimentDefinition) -> tuple[object, ...]:
    columns = {name: getattr(experiment, name, None) for name in PORTFOLIO}
    columns |= {name: getattr(experiment.finding, name, None) for name in FINDING_COLUMNS}
    columns |= {"metrics": " ".join(experiment.metrics), "data_source": _label(experiment)}
    return tuple(columns.values())


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return iso_z(value)
    return safe_cell(value)


def _json_cell(fields: Mapping[str, Any] | None) -> str | None:
    return None if fields is None else json.dumps(fields, default=str)
