"""Texts that people type: control characters are refused with their place, and the documents say so."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rallyuxr.models import CreateExperiment, CreateMetricValue, UpdateMetricValue
from rallyuxr.models.order import Merchant

EXPERIMENT: dict[str, Any] = {
    "name": "Button",
    "description": "Red against blue",
    "metrics": ["ctr"],
    "startDate": "2025-01-15",
    "endDate": "2025-01-29",
    "expectedOutcome": "positive",
}
METRIC: dict[str, Any] = {
    "metricId": "ctr",
    "name": "Click-through",
    "dollarsPerUnit": 2,
    "unit": "%",
    "description": "What one more point of clicks earns",
    "category": "engagement",
    "family": "clicks",
}
ONE_LINE = (
    (CreateExperiment, EXPERIMENT, "name"),
    (CreateMetricValue, METRIC, "name"),
    (CreateMetricValue, METRIC, "unit"),
    (CreateMetricValue, METRIC, "family"),
    (UpdateMetricValue, {}, "name"),
    (Merchant, {"merchantId": "m", "name": "Shop"}, "name"),
)
PROSE = (
    (CreateExperiment, EXPERIMENT, "description"),
    (CreateMetricValue, METRIC, "description"),
    (UpdateMetricValue, {}, "description"),
    (UpdateMetricValue, {}, "changeReason"),
)
PATTERN = CreateExperiment.model_json_schema()["properties"]["name"]["pattern"].strip("^$")


@pytest.mark.parametrize(("model", "fields", "field"), ONE_LINE + PROSE)
@pytest.mark.parametrize("character", ["\x00", "\x07", "\x0b", "\x1b", "\x1f", "\x7f"])
def test_a_control_character_is_refused_with_its_place(model: Any, fields: Any, field: str, character: str) -> None:
    with pytest.raises(ValidationError, match=rf"character 12 is the control character U\+{ord(character):04X}"):
        model.from_json({**fields, field: f"eleven more{character} and so on"})


@pytest.mark.parametrize(("model", "fields", "field"), ONE_LINE)
def test_one_line_of_text_has_no_line_break(model: Any, fields: Any, field: str) -> None:
    with pytest.raises(ValidationError, match="this is one line of text"):
        model.from_json({**fields, field: "two\nlines"})


@pytest.mark.parametrize(("model", "fields", "field"), PROSE)
def test_running_text_keeps_its_lines_and_tabs(model: Any, fields: Any, field: str) -> None:
    text = "First line,\r\nsecond line,\n\tindented: é ü 漢字 🙂"
    assert model.from_json({**fields, field: text}).to_json()[field] == text


@given(st.text(st.characters(codec="utf-8", max_codepoint=0x2FF), min_size=1, max_size=30))
def test_the_documented_pattern_says_what_is_taken(name: str) -> None:
    try:
        CreateExperiment.from_json({**EXPERIMENT, "name": name})
        taken = True
    except ValidationError:
        taken = False
    assert taken == bool(re.fullmatch(PATTERN, name))
