"""Prices: every accepted change is a version, none is lost, and old prices can be found again."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from rallyuxr.errors import Conflict, InvalidInput, NotFound, VersionConflict
from rallyuxr.local import Endpoint
from rallyuxr.models import UpdateMetricValue, ValidationRules
from rallyuxr.services.context import Context
from rallyuxr.services.metric_values import (
    create_metric_value,
    get_metric_value,
    list_metric_values,
    metric_history,
    update_metric_value,
)
from tests.cloud.spine_samples import at, bare_tables, price


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    return bare_tables(cloud, "prices")


def dollars(amount: str | int, **more: object) -> UpdateMetricValue:
    return UpdateMetricValue(dollars_per_unit=Decimal(amount), **more)  # type: ignore[arg-type]


def test_a_metric_is_priced_once(ctx: Context) -> None:
    made = create_metric_value(ctx, price("once"))
    assert (made.version, made.updated_by, made.unit_scale) == (1, "ann", 100.0)
    with pytest.raises(Conflict, match="exists already"):
        create_metric_value(ctx, price("once"))
    assert get_metric_value(ctx, "once") == made
    with pytest.raises(NotFound, match="create it first"):
        get_metric_value(ctx, "never")


def test_a_change_keeps_what_it_does_not_name_and_goes_into_the_history(ctx: Context) -> None:
    made = create_metric_value(ctx, price("changed", "1.10"))
    update = update_metric_value(ctx, "changed", dollars("0.123456789012345678", change_reason="New margin"))
    assert (update.previous_value, update.metric.version) == (Decimal("1.10"), 2)
    assert update.metric.description == made.description
    newest, oldest = metric_history(ctx, "changed")
    assert (newest.dollars_per_unit, newest.change_reason) == (Decimal("0.123456789012345678"), "New margin")
    assert (oldest.version, oldest.value) == (1, made)


def test_twenty_editors_without_a_version_all_get_through(ctx: Context) -> None:
    create_metric_value(ctx, price("busy", "1"))
    with ThreadPoolExecutor(20) as pool:
        updates = list(pool.map(lambda n: update_metric_value(ctx, "busy", dollars(n)), range(100, 120)))
    assert sorted(update.metric.version for update in updates) == list(range(2, 22))
    history = metric_history(ctx, "busy")
    assert [line.version for line in history] == list(range(21, 0, -1))
    assert {line.dollars_per_unit for line in history[:-1]} == {Decimal(n) for n in range(100, 120)}
    before = {update.metric.version: update.previous_value for update in updates}
    assert all(before[line.version + 1] == line.dollars_per_unit for line in history[1:])


def test_of_twenty_editors_of_one_version_one_wins(ctx: Context) -> None:
    create_metric_value(ctx, price("contested", "1"))

    def attempt(number: int) -> bool:
        try:
            update_metric_value(ctx, "contested", dollars(number, expected_version=1))
        except VersionConflict:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(attempt, range(2, 22))) == 1
    assert get_metric_value(ctx, "contested").version == 2


def test_a_price_that_breaks_the_rules_is_refused_with_the_rule(ctx: Context) -> None:
    rules = ValidationRules(min_value=Decimal("0.1"), max_value=Decimal(5), decimal_places=2)
    create_metric_value(ctx, price("ruled").model_copy(update={"validation_rules": rules}))
    with pytest.raises(InvalidInput, match="6 is above the largest allowed price, 5"):
        update_metric_value(ctx, "ruled", dollars(6))
    with pytest.raises(InvalidInput, match="names no field"):
        update_metric_value(ctx, "ruled", UpdateMetricValue(change_reason="because"))
    assert get_metric_value(ctx, "ruled").version == 1


def test_all_prices_are_listed_by_name_without_reading_the_whole_table(cloud: Endpoint) -> None:
    ctx = bare_tables(cloud, "many")
    names = [f"metric_{a}{b}" for a in "abcdefghijk" for b in "abcdefghij"]
    for name in reversed(names):
        create_metric_value(ctx, price(name))
    assert [value.metric_id for value in list_metric_values(ctx)] == sorted(names)


def test_the_price_in_force_at_a_time_is_found_again(ctx: Context) -> None:
    start = at("2025-01-01T00:00")
    for day in range(3):
        then = replace(ctx, clock=lambda day=day: start + timedelta(days=day))
        if day == 0:
            create_metric_value(then, price("moving", "1"))
        else:
            update_metric_value(then, "moving", dollars(day + 1))

    def in_force(hours: float) -> list[Decimal]:
        found = ctx.store.metric_values.in_force(["moving", "unknown"], start + timedelta(hours=hours))
        return [value.dollars_per_unit for value in found.values()]

    assert in_force(-1) == []
    assert in_force(0) == [Decimal(1)]
    assert in_force(25) == [Decimal(2)]
    assert in_force(1000) == [Decimal(3)]
