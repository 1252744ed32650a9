"""What an analysis is made from, brought into one shape, and the identity that follows from it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import numpy as np

from rallyuxr.economics import price_snapshot
from rallyuxr.errors import InvalidInput
from rallyuxr.models.analysis import PriceSnapshot
from rallyuxr.models.columns import ExperimentData, MetricSeries, PublishedData, UnitPanel, utc64
from rallyuxr.models.experiment import ExperimentPlan
from rallyuxr.models.metric_value import MetricValue
from rallyuxr.models.results import ExperimentResult, MetricResult

Results = ExperimentResult | ExperimentData | PublishedData
Price = MetricValue | PriceSnapshot | Decimal | float | int
DESIGN_FIELDS = {
    "metrics",
    "start_date",
    "end_date",
    "expected_outcome",
    "baseline_days",
    "confidence_level",
    "cost",
    "currency",
    "metric_plans",
    "multiplicity",
    "projection",
}
"""The fields of a plan that an analysis depends on."""


@dataclass(frozen=True, slots=True)
class Source:
    """Results with their origin; `published_at` is None for data that were never stored."""

    data: ExperimentData
    experiment_id: str
    data_version: int
    published_at: datetime | None


def source_of(results: Results, experiment: ExperimentPlan) -> Source:
    """The data behind any kind of results."""
    if isinstance(results, PublishedData):
        return Source(results.data, results.experiment_id, results.data_version, results.published_at)
    if isinstance(results, ExperimentResult):
        return Source(_columns(results), results.experiment_id, results.data_version, results.generated_at)
    return Source(results, getattr(experiment, "id", "unsaved"), 1, None)


def snapshots_of(prices: Mapping[str, Price], experiment: ExperimentPlan) -> dict[str, PriceSnapshot]:
    """The prices of the experiment's metrics as used; a bare number is one unit's worth over the experiment."""
    return {
        metric: _snapshot(metric, prices[metric], experiment.currency)
        for metric in experiment.metrics
        if metric in prices
    }


def analysis_id(
    experiment: ExperimentPlan,
    source: Source,
    snapshots: Mapping[str, PriceSnapshot],
    *,
    moment: datetime,
    algorithm_version: str,
) -> str:
    """An id that sorts by time and is a function of all that the analysis depends on (layout of a UUID version 7).

    The first 48 bits are `moment` in milliseconds, the rest a hash of the data's identity, the prices,
    the design and the algorithm, so that a repeated delivery of the same inputs names the same analysis.
    """
    inputs = {
        "algorithm": algorithm_version,
        "experiment": source.experiment_id,
        "data": source.data_version if source.published_at else _fingerprint(source.data),
        "prices": {metric: price.to_json() for metric, price in snapshots.items()},
        "design": experiment.model_dump(mode="json", include=DESIGN_FIELDS),
    }
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).digest()
    bits = round(moment.timestamp() * 1000) << 80 | int.from_bytes(digest[:10], "big")
    bits = bits & ~(0xF << 76) | 0x7 << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=bits))


def moment_of(prices: Mapping[str, Price], source: Source, default: datetime) -> datetime:
    """When the last of the inputs came to be: the data or a price."""
    changes = [price.last_updated for price in prices.values() if isinstance(price, MetricValue)]
    return max([source.published_at or default, *changes])


def _snapshot(metric: str, price: Price, currency: str) -> PriceSnapshot:
    if isinstance(price, MetricValue | PriceSnapshot):
        return price_snapshot(price)
    amount = Decimal(str(price))
    if not (amount.is_finite() and amount > 0):
        raise InvalidInput(f"the price of {metric} is {price}; give a positive number of {currency} per unit")
    return PriceSnapshot(
        dollars_per_unit=amount,
        description="a number given to the analysis",
        unit="unit",
        name=metric,
        version=1,
        currency=currency,
        unit_scale=1.0,
        exposure="experiment",
        direction="higher_is_better",
        value_type="mean",
    )


def _columns(results: ExperimentResult) -> ExperimentData:
    """The contract's points as columns."""
    return ExperimentData(
        series={metric: _series(one) for metric, one in results.metrics.items()},
        granularity=results.granularity,
        source=results.data_source,
        truth=results.truth,
    )


def _series(result: MetricResult) -> MetricSeries:
    points = sorted(result.time_series, key=lambda point: point.timestamp)
    ratio = any(point.treatment_denominator is not None for point in points)

    def column(field: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([getattr(point, field) for point in points], dtype=float)

    return MetricSeries(
        timestamps=np.array([utc64(point.timestamp) for point in points], dtype="datetime64[s]"),
        treatment=column("treatment_value"),
        control=column("control_value"),
        treatment_n=column("treatment_sample_size"),
        control_n=column("control_sample_size"),
        treatment_denominator=column("treatment_denominator") if ratio else None,
        control_denominator=column("control_denominator") if ratio else None,
    )


def _fingerprint(data: ExperimentData) -> str:
    """A hash of every column of data that have no version."""
    digest = hashlib.sha256()
    records: dict[str, MetricSeries | UnitPanel] = {**data.series, **data.panels}
    for metric, record in sorted(records.items()):
        digest.update(metric.encode())
        for column in fields(record):
            value = getattr(record, column.name)
            digest.update(column.name.encode())
            digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return digest.hexdigest()
