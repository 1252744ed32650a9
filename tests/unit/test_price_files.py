"""Prices as files: the same entries from JSON, TOML and CSV, exact amounts, every mistake named."""

from decimal import Decimal
from pathlib import Path

import pytest

from rallyuxr.errors import InvalidInput
from rallyuxr.ingest.price_files import read_price_file
from rallyuxr.models import CreateMetricValue

JSON = """[{"metricId": "ctr", "name": "Clicks", "dollarsPerUnit": 0.1234567891, "unit": "%",
  "description": "What one more point of clicks earns", "category": "engagement", "countsTowardTotal": false,
  "validationRules": {"minValue": 0.01, "decimalPlaces": 10}, "version": 7, "lastUpdated": "2025-01-01",
  "updatedBy": "ann"}]"""
TOML = """
[ctr]   # a comment says why
name = "Clicks"
dollarsPerUnit = 0.1234567891
unit = "%"
description = "What one more point of clicks earns"
category = "engagement"
countsTowardTotal = false
validationRules = { minValue = 0.01, decimalPlaces = 10 }
"""
CSV = (
    "metricId,name,dollarsPerUnit,unit,description,category,family,countsTowardTotal,minValue,maxValue,decimalPlaces\n"
    "ctr,Clicks,0.1234567891,%,What one more point of clicks earns,engagement,,FALSE,0.01,,10\n"
)


@pytest.mark.parametrize(("suffix", "text"), [("json", JSON), ("toml", TOML), ("csv", CSV)])
def test_every_form_holds_the_same_metric_with_its_exact_price(tmp_path: Path, suffix: str, text: str) -> None:
    file = tmp_path / f"prices.{suffix}"
    file.write_text(text)
    value = CreateMetricValue.from_json(read_price_file(file)["ctr"])
    assert value.dollars_per_unit == Decimal("0.1234567891")
    assert (value.unit_scale, value.counts_toward_total, value.family) == (100, False, None)
    assert value.validation_rules
    assert (value.validation_rules.min_value, value.validation_rules.max_value) == (Decimal("0.01"), None)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("p.yaml", "", "p.yaml is not one of .json, .toml, .csv"),
        ("p.json", "{", "give a file of metric values"),
        ("p.json", '{"ctr": 1}', "it holds no list of metric values"),
        ("p.json", '[{"name": "x"}]', "entry 1 names no metricId"),
        ("p.json", '[{"metricId": "a"}, {"metricId": "a"}]', "entry 2: a is there already"),
        ("p.json", '[{"metricId": "a", "price": 1, "cost": 2}]', "a: there is no field cost, price"),
        ("p.toml", "ctr = 1", "ctr stands outside a table; begin each metric with [ctr]"),
        ("p.toml", "[ctr", "give a file of metric values"),
        ("p.csv", "metricId,unit\nctr,%,3\n", "a row has 1 cells more than the header"),
        ("p.csv", "metricId,preis\nctr,3\n", "ctr: there is no field preis"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInput) as refusal:
        read_price_file(tmp_path / name)
    assert says in refusal.value.message


def test_every_entry_with_a_mistake_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('[{"name": "x"}, {"metricId": "a", "price": 1}, {"metricId": "b"}]')
    with pytest.raises(InvalidInput) as refusal:
        read_price_file(tmp_path / "p.json")
    assert refusal.value.message.splitlines() == ["entry 1 names no metricId", "a: there is no field price"]


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        read_price_file(tmp_path / "none.json")
