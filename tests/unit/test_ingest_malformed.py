"""Every malformed upload is refused with a problem that says where, what and what to do."""

from datetime import timedelta
from typing import Any

import pytest

from rallyuxr.errors import InvalidData
from rallyuxr.ingest import ReadOptions, Upload, inspect_results
from rallyuxr.models import ExperimentPlan
from tests.data.malformed import MALFORMED, Malformed, well_formed


def plan(start: str, **changes: Any) -> ExperimentPlan:
    fields: dict[str, Any] = {
        "name": "Checkout",
        "description": "",
        "metrics": ("conversion_rate",),
        "start_date": start,
        "end_date": start.replace("-15", "-29"),
        "expected_outcome": "positive",
        "data_source": "upload",
    }
    return ExperimentPlan(**fields | changes)


def inspect(case: Malformed) -> Upload:
    options = dict(case.options)
    if "experiment" in options:
        options["experiment"] = plan(options["experiment"])
    return inspect_results(case.build(), ReadOptions(**options))


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_upload_names_its_problem(name: str) -> None:
    case = MALFORMED[name]
    upload = inspect(case)
    assert upload.data is None
    [problem] = [problem for problem in upload.problems if problem.message.startswith(case.message)][:1]
    assert case.remedy in problem.remedy
    for expected, found in ((case.row, problem.row), (case.column, problem.column), (case.value, problem.value)):
        assert expected is None or expected == found
    with pytest.raises(InvalidData) as refusal:
        upload.require()
    assert refusal.value.problems == upload.problems


def test_the_rows_the_table_starts_from_are_fine() -> None:
    assert inspect_results(well_formed()).problems == ()
    assert timedelta(days=14) == plan("2025-01-15").end_date - plan("2025-01-15").start_date


def test_an_end_before_the_start_is_refused_when_the_experiment_is_planned() -> None:
    with pytest.raises(ValueError, match="endDate must be after startDate"):
        plan("2025-01-15", end_date="2025-01-14")
