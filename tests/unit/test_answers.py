"""What estimators answer: frozen dataclasses that are read and written under the contract's names."""

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from rallyuxr.models.diagnostics import Coverage, Diagnostics, Slope
from rallyuxr.models.estimate import CellMeans, DidEstimate, RelativeEffect

FOUND = DidEstimate(method="ewc", estimate=1.5, std_error=0.5, cell_means=CellMeans(treatment_pre=10.0))


def test_an_answer_reads_back_from_the_contracts_names():
    written = FOUND.to_json()
    assert written["stdError"] == 0.5
    assert written["cellMeans"] == {"treatmentPre": 10.0}
    assert "pvalue" not in written
    assert DidEstimate.from_json(written) == FOUND
    assert repr(DidEstimate.from_json(written)) == repr(FOUND), "whatever filled the fields, and in which order"


def test_times_are_written_in_utc():
    hour = datetime(2025, 1, 15, 14, tzinfo=UTC)
    written = Coverage(missing=(hour,)).to_json()
    assert written["missing"] == ["2025-01-15T14:00:00Z"]
    assert Coverage.from_json(written).missing == (hour,)


def test_an_answer_stays_as_it_is():
    with pytest.raises(FrozenInstanceError):
        FOUND.estimate = 2.0
    assert replace(FOUND, estimate=2.0) != FOUND
    assert hash(replace(FOUND)) == hash(FOUND)


def test_what_is_left_out_has_its_default():
    assert Slope().estimate is None
    assert FOUND.relative == RelativeEffect()
    assert Diagnostics().pre_trend == Slope()


@pytest.mark.parametrize("fields", [{}, {"method": "ewc", "p_value": 0.05}])
def test_a_field_too_few_or_too_many_is_refused_with_the_names(fields):
    with pytest.raises(TypeError, match=r"DidEstimate has the fields .*'method'.*; got"):
        DidEstimate(**fields)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [({"method": "ewc", "stdErr": 1}, "stdErr"), ({"method": "ewc", "estimate": float("nan")}, "finite")],
)
def test_what_was_stored_is_checked_when_it_is_read(fields, problem):
    with pytest.raises(ValidationError, match=problem):
        DidEstimate.from_json(fields)
