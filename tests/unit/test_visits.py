"""Counts of visits: what is accepted, files of them, and the measure that experiments take from them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from rallyuxr.aggregation.experiment_series import experiment_data
from rallyuxr.aggregation.rows import hour_rows
from rallyuxr.aggregation.tallies import count_visits, tally_orders
from rallyuxr.errors import InvalidInput
from rallyuxr.ingest.visit_files import read_visits
from rallyuxr.models import ExperimentDefinition
from rallyuxr.models.aggregate import Aggregate
from rallyuxr.models.order import Merchant, Order
from rallyuxr.models.visits import VisitCount

HOUR = datetime(2025, 1, 15, 14, tzinfo=UTC)
LATER = HOUR + timedelta(hours=1)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"visits": -1}, "greater than or equal to 0"),
        ({"visits": 1.5}, "valid integer"),
        ({"hour": "2025-01-15T14:00:00"}, "no time zone"),
        ({"arm": "treatment"}, "experimentId and arm go together"),
        ({"experimentId": "x"}, "experimentId and arm go together"),
        ({"visitors": 3}, "not permitted"),
    ],
)
def test_what_cannot_be_a_count_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        VisitCount.from_json({"hour": "2025-01-15T14:00:00Z", "visits": 3, **changes})


def test_a_file_of_visits_is_read_by_row(tmp_path: Path) -> None:
    file = tmp_path / "visits.csv"
    file.write_text(
        "hour,visits,experiment_id,arm\n2025-01-15T14:00:00Z,120,,\n2025-01-15T14:00:00Z,61,x,treatment\n"
    )
    whole, part = map(VisitCount.from_json, read_visits(file))
    assert (whole.hour, whole.visits, whole.arm) == (HOUR, 120, None)
    assert (part.visits, part.experiment_id, part.arm) == (61, "x", "treatment")


def test_a_file_without_visits_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "visits.csv"
    file.write_text("hour,sessions\n2025-01-15T14:00:00Z,120\n")
    with pytest.raises(InvalidInput, match="has no column visits"):
        list(read_visits(file))


def an_hour(merchant: str, start: datetime, orders: dict[str, int], visits: dict[str, int]) -> Aggregate:
    """A row with so many orders and visits by arm; under "" those of the merchant, without an arm."""
    sold = [
        Order.model_validate(
            {
                "merchant_id": merchant,
                "order_id": f"{arm}{number}",
                "time": start,
                "customer_id": "ann",
                "currency": "USD",
                "items": [{"sku": "tea", "quantity": 1, "unit_price": 1}],
                **({"experiment_id": "x", "arm": arm} if arm else {}),
            }
        )
        for arm, count in orders.items()
        for number in range(count)
    ]
    counts = [
        VisitCount.model_validate(
            {"hour": start, "visits": n, "arm": arm or None, "experiment_id": (arm and "x") or None}
        )
        for arm, n in visits.items()
    ]
    shop = Merchant(merchant_id=merchant, name="Shop")
    return hour_rows(shop, {start: count_visits(tally_orders(sold), counts)})[0]


def an_experiment(**plan: Any) -> ExperimentDefinition:
    return ExperimentDefinition.model_validate(
        {
            "id": "x",
            "name": "Checkout",
            "description": "",
            "metrics": ["conversion_rate"],
            "start_date": HOUR,
            "end_date": HOUR + timedelta(days=1),
            "expected_outcome": "positive",
            "data_source": "orders",
            "created_at": HOUR,
            "updated_at": HOUR,
            "orders": {"measures": {"conversion_rate": "conversion"}, **plan},
        }
    )


def test_conversion_by_arm_is_orders_per_visit_with_visits_as_participants() -> None:
    rows = {
        "shop": (
            an_hour("shop", HOUR, {"treatment": 3, "control": 1}, {"treatment": 60, "control": 50}),
            an_hour("shop", LATER, {"treatment": 2, "control": 4}, {"": 100}),
        )
    }
    data = experiment_data(an_experiment(by="arm", merchants=["shop"]), rows, HOUR, HOUR + timedelta(hours=3))
    series = data.series["conversion_rate"]
    assert series.timestamps.tolist() == [HOUR.replace(tzinfo=None)]  # the second hour's arms were not counted
    assert (series.treatment.tolist(), series.control.tolist()) == ([3 / 60], [1 / 50])
    assert (series.treatment_n.tolist(), series.control_n.tolist()) == ([60], [50])
    assert series.treatment_denominator is None


def test_conversion_by_merchant_adds_up_those_whose_visits_were_counted() -> None:
    rows = {
        "a": (an_hour("a", HOUR, {"": 2}, {"": 40}),),
        "b": (an_hour("b", HOUR, {"": 1}, {"": 60}),),
        "uncounted": (an_hour("uncounted", HOUR, {"": 9}, {}),),
        "c": (an_hour("c", HOUR, {}, {"": 10}),),
    }
    plan = {"by": "merchant", "merchants": list(rows), "treated_merchants": ["a", "b", "uncounted"]}
    series = experiment_data(an_experiment(**plan), rows, HOUR, LATER).series["conversion_rate"]
    assert (series.treatment.tolist(), series.treatment_n.tolist()) == ([3 / 100], [100])
    assert (series.control.tolist(), series.control_n.tolist()) == ([0.0], [10])
    assert np.isfinite(series.treatment).all()
