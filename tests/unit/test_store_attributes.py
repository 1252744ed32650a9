"""Records survive storage: numbers exactly, times in UTC, absent fields absent."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyuxr.models import CreateExperiment, ExperimentDefinition
from rallyuxr.store.attributes import (
    SMALLEST,
    from_attributes,
    read_record,
    record_item,
    to_attribute,
    to_attributes,
)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100))
def test_a_float_reads_back_as_the_same_float_and_next_to_nothing_as_zero(value: float) -> None:
    kept = value if abs(value) >= SMALLEST else 0.0
    assert float(from_attributes(to_attributes({"x": value}))["x"]) == kept


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20))
def test_money_reads_back_to_the_digit(amount: Decimal) -> None:
    assert Decimal(from_attributes(to_attributes({"x": amount}))["x"]) == amount


def test_a_record_reads_back_equal_and_ignores_what_only_storage_uses() -> None:
    plan = CreateExperiment(
        name="Red button",
        description="",
        metrics=("ctr",),
        start_date="2025-01-15",
        end_date="2025-01-29",
        expected_outcome="positive",
        cost=Decimal("1200.10"),
    )
    moment = datetime(2025, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
    experiment = ExperimentDefinition(**plan.model_dump(), id="a", created_at=moment, updated_at=moment)
    item = from_attributes(to_attributes({**record_item(experiment), "createdMonth": "2025-01"}))
    assert read_record(ExperimentDefinition, item) == experiment


def test_what_has_no_attribute_type_is_refused() -> None:
    with pytest.raises(TypeError, match="set has no DynamoDB attribute type"):
        to_attribute({1, 2})
