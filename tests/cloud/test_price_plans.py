"""Prices as code: a file is compared with what is stored, applied once, and applied again it changes nothing."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rallyuxr import cli
from rallyuxr.errors import VersionConflict
from rallyuxr.local import Endpoint
from rallyuxr.models import UpdateMetricValue
from rallyuxr.services.audit import audit_trail
from rallyuxr.services.context import Context
from rallyuxr.services.metric_values import (
    create_metric_value,
    get_metric_value,
    list_metric_values,
    metric_history,
    update_metric_value,
)
from rallyuxr.services.price_plans import apply_prices, plan_prices
from tests.cloud.spine_samples import bare_tables, price, raw_items

CTR = {
    "metricId": "ctr",
    "name": "Clicks",
    "dollarsPerUnit": 12.5,
    "unit": "%",
    "description": "What one more point of clicks earns",
    "category": "engagement",
}
TABLES = ("metricValues", "metricValueHistory", "audit", "metricUsage")


@pytest.fixture
def ctx(cloud: Endpoint, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A stage of its own with two priced metrics, named by the environment."""
    stage = f"p-{abs(hash(request.node.name)) % 10**9}"
    monkeypatch.setenv("RALLYUXR_STAGE", stage)
    ctx = bare_tables(cloud, stage)
    for metric_id in ("aov", "signups"):
        create_metric_value(ctx, price(metric_id))
    return ctx


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[str], str]:
    code = cli.main(["prices", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out.splitlines(), err


def stored(ctx: Context) -> dict[str, list[dict[str, Any]]]:
    return {table: raw_items(ctx, table) for table in TABLES}


def test_a_file_is_planned_applied_and_then_changes_nothing(ctx: Context, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps([CTR, {"metricId": "aov", "dollarsPerUnit": 0.5, "exposure": "day"}]))
    before = stored(ctx)
    code, said, aside = run(capsys, "apply", file, "--dry-run")
    planned = [
        "create ctr",
        "change aov",
        "    dollarsPerUnit: 0.42 -> 0.5",
        "    exposure: participant -> day",
    ]
    assert (code, said) == (1, [*planned, "2 changes to make, 0 unchanged"])
    assert aside == "not in the file, left as they are: signups\n"
    assert stored(ctx) == before

    code, said, _ = run(capsys, "apply", file, "--reason", "margin of May", "--actor", "deploy")
    assert (code, said) == (0, [*planned, "2 changes made, 0 unchanged"])
    aov = get_metric_value(ctx, "aov")
    assert (aov.dollars_per_unit, aov.exposure, aov.version, aov.updated_by) == (Decimal("0.5"), "day", 2, "deploy")
    assert metric_history(ctx, "aov")[0].change_reason == "margin of May"
    assert get_metric_value(ctx, "ctr").unit_scale == 100
    today = ctx.clock().date()
    actions = {(entry.action, entry.subject) for entry in audit_trail(ctx, today, today) if entry.actor == "deploy"}
    assert actions == {("metric_value.created", "ctr"), ("metric_value.changed", "aov")}

    after = stored(ctx)
    assert run(capsys, "apply", file, "--dry-run")[:2] == (0, ["0 changes to make, 2 unchanged"])
    assert run(capsys, "apply", file)[:2] == (0, ["0 changes made, 2 unchanged"])
    assert stored(ctx) == after


def test_what_is_exported_can_be_applied_elsewhere(
    ctx: Context, cloud: Endpoint, tmp_path: Path, capsys: Any
) -> None:
    rules = {"minValue": 0.1, "maxValue": 9, "decimalPlaces": 4}
    update_metric_value(ctx, "aov", UpdateMetricValue.from_json({"validationRules": rules, "family": "money"}))
    code, lines, _ = run(capsys, "export")
    assert code == 0
    file = tmp_path / "prices.json"
    file.write_text("\n".join(lines))
    assert run(capsys, "apply", file, "--dry-run")[:2] == (0, ["0 changes to make, 2 unchanged"])

    there = bare_tables(cloud, f"{ctx.store.settings.stage}-b")
    apply_prices(
        there, plan_prices(there, {entry["metricId"]: entry for entry in json.loads(file.read_text())}).steps
    )
    own = [value.model_dump(exclude={"version", "last_updated", "updated_by"}) for value in list_metric_values(ctx)]
    other = [
        value.model_dump(exclude={"version", "last_updated", "updated_by"}) for value in list_metric_values(there)
    ]
    assert other == own


def test_entries_that_cannot_be_stored_are_named_at_once_and_none_is(
    ctx: Context, tmp_path: Path, capsys: Any
) -> None:
    file = tmp_path / "prices.json"
    wrong = [
        CTR,
        {**CTR, "metricId": "bad", "dollarsPerUnit": -1, "unit": ""},
        {"metricId": "new", "dollarsPerUnit": 3},
        {"metricId": "aov", "currency": "EUR"},
        {"metricId": "signups", "validationRules": {"minValue": 5}},
    ]
    file.write_text(json.dumps(wrong))
    before = stored(ctx)
    code, said, problems = run(capsys, "apply", file)
    assert (code, said) == (2, [])
    assert stored(ctx) == before
    for part in ("bad: dollarsPerUnit", "bad: unit", "new: name", "aov: it is priced in USD", "signups: "):
        assert part in problems


def test_a_reason_that_cannot_be_kept_changes_nothing(ctx: Context, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps([CTR]))
    before = stored(ctx)
    code, said, problem = run(capsys, "apply", file, "--reason", "red \x1b[31m")
    assert (code, said) == (2, [])
    assert "U+001B" in problem
    assert stored(ctx) == before


def test_a_price_that_someone_changed_since_it_was_planned_is_not_overwritten(ctx: Context) -> None:
    plan = plan_prices(ctx, {"ctr": CTR, "aov": {"metricId": "aov", "dollarsPerUnit": 1}})
    update_metric_value(ctx, "aov", UpdateMetricValue(dollars_per_unit=Decimal(7)))
    made = []
    with pytest.raises(VersionConflict, match="aov is at version 2, not 1"):
        apply_prices(ctx, plan.steps, tell=made.append)
    assert [step.metric_id for step in made] == ["ctr"], "what came before stands, and applying again goes on"
    assert get_metric_value(ctx, "aov").dollars_per_unit == 7


def test_an_emptied_rule_is_taken_away(ctx: Context) -> None:
    update_metric_value(ctx, "aov", UpdateMetricValue.from_json({"validationRules": {"maxValue": 1}}))
    plan = plan_prices(ctx, {"aov": {"metricId": "aov", "validationRules": None}})
    apply_prices(ctx, plan.steps)
    assert get_metric_value(ctx, "aov").validation_rules is None
