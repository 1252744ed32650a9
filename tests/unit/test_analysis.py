"""The whole analysis: one object that agrees with itself, from data to verdict."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rallyuxr.analysis import analyze
from rallyuxr.economics import reprice
from rallyuxr.errors import InvalidInput
from rallyuxr.models import (
    ExperimentAnalysis,
    ExperimentData,
    ExperimentPlan,
    MetricPlan,
    MetricSeries,
    MetricValue,
    Projection,
    PublishedData,
    UnitPanel,
)

START, END = datetime(2025, 1, 15, tzinfo=UTC), datetime(2025, 1, 29, tzinfo=UTC)
HOURS = np.arange("2025-01-01", "2025-01-29", dtype="datetime64[h]").astype("datetime64[s]")
POST = np.datetime64("2025-01-15") <= HOURS


def series(effect=0.0, *, seed=1, level=10.0, hours=HOURS):
    rng = np.random.default_rng(seed)
    n = rng.integers(400, 600, (2, hours.size)).astype(float)
    noise = rng.standard_normal((2, hours.size)) * 0.5
    post = hours >= np.datetime64("2025-01-15")
    return MetricSeries(hours, level + effect * post + noise[0], level + noise[1], n[0], n[1])


def plan(*metrics, **changes):
    terms = {
        "name": "A test",
        "description": "",
        "metrics": metrics,
        "start_date": START,
        "end_date": END,
        "expected_outcome": "positive",
    }
    return ExperimentPlan(**(terms | changes))


def price(metric, dollars="2.5", **changes):
    terms = {
        "metric_id": metric,
        "name": metric.title(),
        "dollars_per_unit": Decimal(dollars),
        "unit": "minutes",
        "description": "what one unit is worth",
        "category": "other",
        "last_updated": datetime(2024, 12, 1, tzinfo=UTC),
        "version": 4,
    }
    return MetricValue(**(terms | changes))


def published(data, at=datetime(2025, 2, 1, tzinfo=UTC)):
    return PublishedData("exp_1", 7, at, data)


def three_metrics():
    return ExperimentData(series={"a": series(0.2, seed=1), "b": series(0.0, seed=2), "c": series(-0.2, seed=3)})


PRICES = {metric: price(metric) for metric in "abc"}


def test_the_same_inputs_give_the_same_bytes():
    first, again = (analyze(published(three_metrics()), PRICES, experiment=plan(*"abc")) for _ in range(2))
    assert json.dumps(first.to_json()) == json.dumps(again.to_json())
    assert ExperimentAnalysis.from_json(json.loads(json.dumps(first.to_json()))) == first


def test_the_identity_follows_the_inputs_and_sorts_by_time():
    data = three_metrics()
    base = analyze(published(data), PRICES, experiment=plan(*"abc")).analysis_id
    later_price = PRICES | {"a": price("a", "3", version=5, last_updated=datetime(2025, 3, 1, tzinfo=UTC))}
    others = [
        analyze(published(data), later_price, experiment=plan(*"abc")),
        analyze(published(data), PRICES, experiment=plan(*"abc", cost=Decimal(5))),
        analyze(replace(published(data), data_version=8), PRICES, experiment=plan(*"abc")),
    ]
    assert len({base, *(one.analysis_id for one in others)}) == 4
    assert others[0].analysis_id > base
    assert others[0].analysis_timestamp == datetime(2025, 3, 1, tzinfo=UTC)
    assert base[14] == "7"


def test_stored_numbers_give_back_the_total_and_answer_for_other_prices():
    analysis = analyze(
        published(three_metrics()),
        PRICES,
        experiment=plan(*"abc", cost=Decimal(3), projection=Projection(annual_decay=0.2, coverage=2.0)),
    )
    stored = ExperimentAnalysis.from_json(json.loads(json.dumps(analysis.to_json())))
    assert reprice(stored, PRICES) == analysis.economic_impact
    assert reprice(stored, {}) == analysis.economic_impact
    doubled = reprice(stored, {metric: price(metric, "5") for metric in "abc"})
    assert doubled.total_impact == pytest.approx(2 * analysis.economic_impact.total_impact)
    assert doubled.total_std_error == pytest.approx(2 * analysis.economic_impact.total_std_error)
    once = reprice(stored, {}, projection=Projection(recurring=False))
    assert once.annualized_impact is None
    with_price = analyze(published(three_metrics()), {"a": price("a")}, experiment=plan(*"abc"))
    added = reprice(with_price, {"b": price("b")})
    assert set(added.covariance) == {"a", "b", "c"}
    assert added.metric_breakdown["b"].counts


def test_another_cost_moves_the_return_alone_and_no_cost_leaves_none():
    analysis = analyze(published(three_metrics()), PRICES, experiment=plan(*"abc", cost=Decimal(3)))
    stored = analysis.economic_impact
    dearer, free = (reprice(analysis, {}, cost=cost) for cost in (Decimal(6), None))
    assert dearer.roi_percentage == pytest.approx(100 * (stored.total_impact - 6) / 6)
    assert (free.cost, free.roi_percentage, free.roi_interval) == (None, None, None)
    assert free.break_even.reason == "without a cost any gain breaks even"
    assert stored.total_impact == dearer.total_impact == free.total_impact
    assert stored.total_interval == dearer.total_interval == free.total_interval


@settings(max_examples=25)
@given(st.floats(-0.3, 0.3), st.integers(1, 10_000), st.sampled_from([80, 90, 95, 99]))
def test_p_value_interval_and_verdict_never_contradict_each_other(effect, seed, level):
    data = ExperimentData(series={"a": series(effect, seed=seed)})
    analysis = analyze(published(data), {"a": price("a")}, experiment=plan("a", confidence_level=level))
    result, money = analysis.did_results["a"], analysis.economic_impact
    excludes = result.confidence_interval.lower > 0 or result.confidence_interval.upper < 0
    assert (result.p_value < 1 - level / 100) == excludes
    assert (result.verdict.outcome in ("better", "worse")) == excludes
    assert money.verdict.outcome == result.verdict.outcome
    assert money.total_interval.lower == pytest.approx(result.confidence_interval.lower * 2.5, rel=1e-9)
    assert result.confidence_interval.lower <= result.estimate.estimate <= result.confidence_interval.upper


def test_nothing_after_the_end_changes_a_finished_analysis():
    longer = np.arange("2025-01-01", "2025-03-01", dtype="datetime64[h]").astype("datetime64[s]")
    tail = series(0.2, hours=longer)
    cut = tail.window(START - timedelta(days=14), END)
    one, other = (
        analyze(published(ExperimentData(series={"a": data})), PRICES, experiment=plan("a")) for data in (tail, cut)
    )
    assert one == other


def test_a_running_experiment_is_judged_by_its_always_valid_interval():
    half = {"a": series(0.2).window(START - timedelta(days=14), START + timedelta(days=7))}
    analysis = analyze(
        published(ExperimentData(series=half), at=START + timedelta(days=7)), PRICES, experiment=plan("a")
    )
    result = analysis.did_results["a"]
    assert analysis.running
    assert result.confidence_interval.lower == result.always_valid.ci_lower
    assert result.p_value == result.always_valid.pvalue
    width = result.confidence_interval.upper - result.confidence_interval.lower
    assert width > 1.2 * (result.estimate.ci_upper - result.estimate.ci_lower)
    money = analysis.economic_impact
    assert money.observed_days == 7
    assert money.total_interval.upper - money.total_interval.lower == pytest.approx(2.5 * width, rel=1e-6)
    assert reprice(analysis, {}) == money


def test_hours_that_should_be_there_and_are_not_are_missing():
    early = {"a": series(0.2).window(START - timedelta(days=14), END - timedelta(days=1))}
    over = analyze(published(ExperimentData(series=early)), PRICES, experiment=plan("a"))
    assert not over.running
    assert over.did_results["a"].diagnostics.coverage.missing_post == 24


def test_a_metric_without_a_price_or_without_data_is_shown_with_its_reason():
    data = ExperimentData(series={"a": series(0.5)})
    analysis = analyze(published(data), {}, experiment=plan("a", "b"))
    assert analysis.economic_impact.metric_breakdown["a"].reason == "no price is set for this metric"
    assert analysis.economic_impact.total_impact is None
    assert analysis.verdict == analysis.did_results["a"].verdict
    assert analysis.did_results["b"].estimate.reason == "no data came for this metric"
    assert analysis.did_results["b"].verdict.outcome == "cannot_tell"
    with pytest.raises(InvalidInput, match="the experiment needs data of z"):
        analyze(published(data), {}, experiment=plan("z"))


def test_without_a_baseline_it_is_a_difference_in_means_and_the_main_doubt():
    result = analyze(
        published(ExperimentData(series={"a": series(0.5)})), PRICES, experiment=plan("a", baseline_days=0)
    ).did_results["a"]
    assert result.estimate.estimator == "difference_in_means"
    assert "without a baseline" in result.verdict.main_doubt
    assert result.diagnostics.pre_trend.reason == "no baseline"


def test_a_broken_split_is_the_main_doubt_of_metric_and_money():
    good = series(0.5)
    broken = replace(good, treatment_n=np.where(POST, 0.9, 1.0) * good.treatment_n)
    analysis = analyze(published(ExperimentData(series={"a": broken})), PRICES, experiment=plan("a"))
    assert "of the participants instead of 50.0%" in analysis.did_results["a"].verdict.main_doubt
    assert analysis.verdict.main_doubt.startswith("in A, the treated arm received")


def test_arms_that_were_unequal_before_are_not_called_a_mismatch():
    good = series(0.5)
    data = ExperimentData(series={"a": replace(good, control_n=9 * good.control_n)})
    found = analyze(published(data), PRICES, experiment=plan("a")).did_results["a"].diagnostics.sample_ratio
    assert found.mismatch is None
    assert "state the planned share" in found.reason
    stated = analyze(published(data), PRICES, experiment=plan("a"), treatment_share=0.1)
    assert stated.did_results["a"].diagnostics.sample_ratio.mismatch is False


def test_only_primary_metrics_share_a_family_of_tests():
    roles = {"c": MetricPlan(role="guardrail", non_inferiority_margin=0.5)}
    results = analyze(published(three_metrics()), PRICES, experiment=plan(*"abc", metric_plans=roles)).did_results
    assert results["a"].adjusted_p_value == pytest.approx(min(1, 2 * results["a"].p_value))
    assert results["a"].adjustment == "holm"
    assert results["c"].adjusted_p_value is None
    assert results["c"].non_inferior is True
    strict = {"c": MetricPlan(role="guardrail", non_inferiority_margin=0.1)}
    results = analyze(published(three_metrics()), PRICES, experiment=plan(*"abc", metric_plans=strict)).did_results
    assert results["c"].non_inferior is False
    assert results["a"].non_inferior is None


def test_less_is_better_reads_a_fall_as_better():
    prices = {"c": price("c", direction="lower_is_better")}
    analysis = analyze(published(ExperimentData(series={"c": series(-0.5)})), prices, experiment=plan("c"))
    assert analysis.did_results["c"].verdict.outcome == "better"
    assert analysis.economic_impact.total_impact > 0
    assert analysis.did_results["c"].estimate.estimate < 0


def test_effect_sizes_by_hand():
    rng = np.random.default_rng(5)
    rate = MetricSeries(
        HOURS,
        0.1 + 0.1 * POST + 1e-4 * rng.standard_normal(672),
        0.1 + 1e-4 * rng.standard_normal(672),
        *np.ones((2, 672)),
    )
    data = ExperimentData(series={"a": rate, "b": series(0.5)})
    prices = {"a": price("a", value_type="proportion"), "b": price("b")}
    results = analyze(published(data), prices, experiment=plan("a", "b")).did_results
    assert results["a"].effect_size == pytest.approx(2 * (np.arcsin(0.2**0.5) - np.arcsin(0.1**0.5)), abs=1e-3)
    assert results["a"].effect_size_method == "Cohen's h"
    assert results["b"].effect_size == pytest.approx(0.5 / 0.5, rel=0.15)
    assert results["b"].effect_size_method == "Glass's delta over the control's hourly means"


def test_zero_variance_gives_reasons_not_numbers():
    flat = MetricSeries(HOURS, np.ones(672), np.ones(672), *np.full((2, 672), 100.0))
    analysis = analyze(published(ExperimentData(series={"a": flat})), PRICES, experiment=plan("a"))
    result = analysis.did_results["a"]
    assert (result.p_value, result.effect_size, result.confidence_interval) == (None, None, None)
    assert result.verdict.outcome == "cannot_tell"
    assert analysis.economic_impact.total_impact is None


def test_units_are_analysed_as_units():
    rng = np.random.default_rng(6)
    units, periods = 60, 8
    treated = (np.arange(units) < 30).astype(np.int8)
    unit, period = (codes.ravel().astype(np.int32) for codes in np.mgrid[:units, :periods])
    starts = np.datetime64("2025-01-07") + np.arange(periods) * np.timedelta64(2, "D")
    outcome = (
        rng.standard_normal(units)[unit]
        + 0.2 * rng.standard_normal(unit.size)
        + 0.4 * treated[unit] * (period >= 4)
    )
    panel = UnitPanel(
        tuple(f"u{code}" for code in range(units)), starts.astype("datetime64[s]"), unit, period, treated, outcome
    )
    data = ExperimentData(panels={"a": panel}, series={"b": series(0.2)}, granularity="units")
    analysis = analyze(
        published(data), {"a": price("a", exposure="participant"), "b": price("b")}, experiment=plan("a", "b")
    )
    result = analysis.did_results["a"]
    assert result.estimate.estimate == pytest.approx(0.4, abs=0.1)
    assert result.sample_size_treatment == 30
    assert len(result.event_study.days) == periods
    assert result.event_study.estimate[3] == 0.0
    money = analysis.economic_impact
    parts = [money.metric_breakdown[metric].std_error for metric in "ab"]
    assert money.total_std_error == pytest.approx(sum(parts), rel=1e-9)  # the worst case: errors move together
    assert money.metric_breakdown["a"].exposure_quantity == 30


def test_units_seen_before_the_end_give_no_verdict_and_units_complete_from_the_start_do():
    rng = np.random.default_rng(7)
    starts = np.array(["2025-01-08", "2025-01-15", "2025-01-22"], dtype="datetime64[s]")
    treated = (np.arange(40) < 20).astype(np.int8)
    unit, period = (codes.ravel().astype(np.int32) for codes in np.mgrid[:40, :3])
    outcome = rng.standard_normal(unit.size) + 3 * treated[unit] * (period > 0)
    panel = UnitPanel(tuple(f"u{code}" for code in range(40)), starts, unit, period, treated, outcome)
    early = START - timedelta(days=3)
    complete = analyze(published(ExperimentData(panels={"a": panel}), at=early), PRICES, experiment=plan("a"))
    assert (complete.running, complete.economic_impact.observed_days) == (False, 14)
    assert complete.verdict.outcome == "better"
    longer = plan("a", end_date=END + timedelta(days=14))
    running = analyze(published(ExperimentData(panels={"a": panel}), at=early), PRICES, experiment=longer)
    assert running.running
    assert running.verdict.outcome == "cannot_tell"


def test_a_panel_that_cannot_be_analysed_says_why():
    starts = np.array(["2025-01-10", "2025-01-20"], dtype="datetime64[s]")
    codes = np.array([0, 0, 1, 1], dtype=np.int32), np.array([0, 1, 0, 1], dtype=np.int32)
    panel = UnitPanel(("x", "y"), starts, *codes, np.zeros(2, dtype=np.int8), np.arange(4.0))
    analysis = analyze(published(ExperimentData(panels={"a": panel})), PRICES, experiment=plan("a"))
    assert "treated" in analysis.did_results["a"].estimate.reason


def test_daily_data_are_analysed_by_days():
    days = np.arange("2024-12-18", "2025-02-12", dtype="datetime64[D]").astype("datetime64[s]")
    rng = np.random.default_rng(8)
    one = np.full(days.size, 100.0)
    daily = MetricSeries(
        days,
        5 + (days >= np.datetime64("2025-01-15")) + 0.1 * rng.standard_normal(56),
        5 + 0.1 * rng.standard_normal(56),
        one,
        one,
    )
    analysis = analyze(
        published(ExperimentData(series={"a": daily}, granularity="daily"), at=datetime(2025, 3, 1, tzinfo=UTC)),
        {"a": 100},
        experiment=plan("a", baseline_days=28, end_date=datetime(2025, 2, 12, tzinfo=UTC)),
    )
    result = analysis.did_results["a"]
    assert result.estimate.n_obs == 56
    assert result.verdict.outcome == "better"
    assert analysis.economic_impact.total_impact == pytest.approx(100, abs=10)
    assert result.effect_size_method == "Glass's delta over the control's daily means"


def test_a_price_that_is_no_price_is_refused():
    with pytest.raises(InvalidInput, match="give a positive number"):
        analyze(published(three_metrics()), {"a": -3}, experiment=plan(*"abc"))
