"""What goes into the portfolio's totals, and what must never be added up."""

from datetime import UTC, datetime

import pytest

from rallyuxr.models import CurrentFinding, ExperimentDefinition
from rallyuxr.services.portfolio import worth

MADE = datetime(2025, 2, 1, tzinfo=UTC)


def experiment(
    name: str,
    total: float | None,
    *,
    currency: str = "USD",
    source: str = "upload",
    status: str = "complete",
    dof: float | None = None,
):
    bounds = {} if total is None else {"total_impact": total, "total_std_error": 10.0}
    bounds |= {} if total is None else {"total_lower": total - 20, "total_upper": total + 20}
    bounds |= {} if total is None or dof is None else {"total_dof": dof}
    bounds |= {} if total is None else {"annualized_impact": 26 * total}
    bounds |= (
        {} if total is None else {"annualized_lower": 26 * (total - 20), "annualized_upper": 26 * (total + 20)}
    )
    return ExperimentDefinition(
        id=name,
        name=name,
        description="",
        metrics=("conversion_rate",),
        start_date="2025-01-01",
        end_date="2025-01-15",
        expected_outcome="positive",
        currency=currency,
        data_source=source,
        status=status,
        created_at=MADE,
        updated_at=MADE,
        finding=CurrentFinding(
            analysis_id="a", data_version=1, currency=currency, verdict="better", sentence="Better.", **bounds
        ),
    )


def test_currencies_and_simulated_money_are_never_added_up():
    listed = [
        experiment("a", 100),
        experiment("b", 50),
        experiment("c", 7_000, currency="JPY"),
        experiment("d", 900, source="simulator"),
    ]
    found = {(one.currency, one.simulated): one.observed.total for one in worth(listed)}
    assert found == {("JPY", False): 7_000, ("USD", False): 150, ("USD", True): 900}


def test_archived_experiments_do_not_count_and_those_without_a_total_are_counted_as_such():
    (found,) = worth([experiment("a", 100), experiment("b", None), experiment("c", 5, status="archived")])
    assert (found.observed.total, found.counted, found.omitted) == (100, 1, 1)


def test_the_projections_error_widens_as_its_interval_does():
    (found,) = worth([experiment("a", 100)])
    observed, projected = found.observed.total_interval, found.projected.total_interval
    assert observed is not None
    assert projected is not None
    assert found.projected.total == 2_600
    assert projected.upper - projected.lower == pytest.approx(26 * (observed.upper - observed.lower))


def test_one_experiment_alone_has_its_own_interval_now_and_ahead():
    (found,) = worth([experiment("a", 100, dof=8.5)])
    observed, projected = found.observed.total_interval, found.projected.total_interval
    assert observed is not None
    assert projected is not None
    assert (observed.lower, observed.upper) == pytest.approx((80, 120), rel=1e-12)
    assert (projected.lower, projected.upper) == pytest.approx((26 * 80, 26 * 120), rel=1e-12)
