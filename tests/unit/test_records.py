"""The records carry the contract's names, types and rules; tests/golden is written from the contract."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rallyuxr.models import (
    CreateExperiment,
    CreateMetricValue,
    ExperimentAnalysis,
    ExperimentCreated,
    ExperimentDefinition,
    ExperimentResult,
    MetricValue,
    Record,
    ResultsGenerated,
)

GOLDEN = Path(__file__).parents[1] / "golden"
VERDICT = {"outcome": "better", "sentence": "Conversion rose."}
ADDITIONS: dict[type[Record], dict[str, Any]] = {
    ExperimentDefinition: {},
    ExperimentResult: {"dataVersion": 1, "dataSource": "upload"},
    ExperimentAnalysis: {
        "dataVersion": 1,
        "dataSource": "upload",
        "verdict": VERDICT,
        "confidenceLevel": 0.95,
        "expectedOutcome": "positive",
    },
    MetricValue: {},
    ExperimentCreated: {},
    ResultsGenerated: {},
}
"""What our records need beyond the contract, where it has no sensible default."""


def golden(record: type[Record]) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((GOLDEN / f"{record.__name__}.json").read_text())
    if record is ExperimentAnalysis:
        data["didResults"]["conversion_rate"] |= {"estimate": {"method": "day_means"}, "verdict": VERDICT}
        data["metricValuesSnapshot"]["conversion_rate"] |= {
            "name": "Conversion rate",
            "version": 3,
            "currency": "USD",
            "unitScale": 100,
            "exposure": "experiment",
            "direction": "higher_is_better",
            "valueType": "proportion",
        }
    return data | ADDITIONS[record]


def contains(larger: object, smaller: object) -> bool:
    if isinstance(smaller, dict):
        return isinstance(larger, dict) and all(
            key in larger and contains(larger[key], value) for key, value in smaller.items()
        )
    if isinstance(smaller, list):
        return isinstance(larger, list) and all(map(contains, larger, smaller)) and len(larger) == len(smaller)
    return bool(larger == smaller)


@pytest.mark.parametrize("record", ADDITIONS, ids=lambda record: record.__name__)
def test_every_record_reads_and_writes_the_contracts_json(record: type[Record]) -> None:
    data = golden(record)
    written = record.from_json(data).to_json()
    assert contains(written, data)
    assert record.from_json(written).to_json() == written


def create(**changes: object) -> CreateExperiment:
    valid = {
        "name": "Button Color A/B Test",
        "description": "Testing red vs blue CTA button",
        "metrics": ["conversion_rate", "ctr"],
        "startDate": "2025-01-15",
        "endDate": "2025-01-29",
        "expectedOutcome": "positive",
    }
    return CreateExperiment.from_json({**valid, **changes})


def price(**changes: object) -> CreateMetricValue:
    valid = {
        "metricId": "conversion_rate",
        "name": "Conversion rate",
        "dollarsPerUnit": 0.42,
        "unit": "%",
        "description": "Margin of one more point",
        "category": "conversion",
    }
    return CreateMetricValue.from_json({**valid, **changes})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 201),
        ("description", "x" * 1001),
        ("metrics", []),
        ("metrics", [f"m_{letter}" for letter in "abcdefghijk"]),
        ("metrics", ["ctr", "ctr"]),
        ("metrics", ["CTR"]),
        ("startDate", "15.01.2025"),
        ("startDate", "2025-01-15T00:00:00"),
        ("startDate", "0001-01-01T00:00:00+14:00"),
        ("endDate", "2025-01-15"),
        ("endDate", "2030-01-15"),
        ("expectedOutcome", "good"),
        ("surprise", 1),
        ("timeZone", "Mars/Olympus"),
        ("dataSource", "orders"),
        ("metricPlans", {"aov": {"role": "guardrail"}}),
    ],
)
def test_an_experiment_outside_the_contract_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        create(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metricId", "Conversion"),
        ("metricId", "conversion-rate"),
        ("dollarsPerUnit", 0),
        ("dollarsPerUnit", -1),
        ("dollarsPerUnit", float("nan")),
        ("dollarsPerUnit", float("inf")),
        ("unit", ""),
        ("description", "too short"),
        ("description", "x" * 501),
        ("category", "sales"),
        ("currency", "dollars"),
        ("validationRules", {"minValue": 2, "maxValue": 1}),
        ("validationRules", {"minValue": 1}),
        ("validationRules", {"maxValue": 0.1}),
        ("validationRules", {"decimalPlaces": 1}),
    ],
)
def test_a_price_outside_the_contract_or_its_own_rules_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        price(**{field: value})


def test_a_date_is_its_midnight_in_utc_and_offsets_are_converted() -> None:
    made = create(startDate="2025-01-15", endDate="2025-01-29T01:00:00+01:00")
    assert made.start_date == datetime(2025, 1, 15, tzinfo=UTC)
    assert made.end_date == datetime(2025, 1, 29, tzinfo=UTC)


def test_a_percent_metric_stored_as_a_fraction_reads_in_points_unless_told_otherwise() -> None:
    assert price().unit_scale == 100
    assert price(unitScale=1).unit_scale == 1
    assert price(unit="$").unit_scale == 1


def test_money_is_decimal_inside_and_a_number_outside() -> None:
    made = price(dollarsPerUnit=0.1)
    assert made.dollars_per_unit == Decimal("0.1")
    assert made.to_json()["dollarsPerUnit"] == 0.1
