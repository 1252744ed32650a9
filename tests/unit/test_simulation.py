"""The simulator: reproducible, shaped as documented, and its truth is what the data holds."""

import hashlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from rallyuxr.errors import InvalidInput
from rallyuxr.models import ExperimentData, ExperimentPlan, SimulatedMetric, SimulationPlan
from rallyuxr.models.columns import utc64
from rallyuxr.simulation import default_metric, simulate
from rallyuxr.stats.series import did_series

START = datetime(2025, 1, 15, tzinfo=UTC)
FINGERPRINT = "import tests.unit.test_simulation as t; print(t.fingerprint(t.simulate(t.plan())))"


def plan(*metrics: str, days: int = 14, outcome: str = "positive", **simulation: object) -> ExperimentPlan:
    return ExperimentPlan(
        name="Checkout",
        description="",
        metrics=metrics or ("conversion_rate", "revenue_per_user", "clicks"),
        start_date=START,
        end_date=START + timedelta(days=days),
        expected_outcome=outcome,
        simulation=SimulationPlan(**simulation) if simulation else None,
    )


def fingerprint(data: ExperimentData) -> str:
    digest = hashlib.sha256()
    for metric_id, columns in data.series.items():
        digest.update(metric_id.encode())
        for column in (
            columns.timestamps,
            columns.treatment,
            columns.control,
            columns.treatment_n,
            columns.control_n,
        ):
            digest.update(column.tobytes())
    return digest.hexdigest()


def test_the_same_plan_and_seed_give_the_same_bytes_in_another_process() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", FINGERPRINT]
    other = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    assert other.stdout.strip() == fingerprint(simulate(plan()))


def test_another_seed_gives_other_data() -> None:
    assert fingerprint(simulate(plan(), seed=2)) != fingerprint(simulate(plan(), seed=3))


def test_the_seed_argument_replaces_the_plans_seed() -> None:
    assert fingerprint(simulate(plan(seed=8))) == fingerprint(simulate(plan(seed=1), seed=8))


def test_adding_a_metric_changes_no_other_metric() -> None:
    alone = simulate(plan("clicks")).series["clicks"]
    among = simulate(plan("conversion_rate", "clicks", "aov")).series["clicks"]
    np.testing.assert_array_equal(alone.treatment, among.treatment)
    np.testing.assert_array_equal(alone.control, among.control)


def test_hours_cover_the_baseline_and_the_half_open_window() -> None:
    times = simulate(plan()).series["clicks"].timestamps
    assert times[0] == utc64(START - timedelta(days=14))
    assert times[-1] == utc64(START + timedelta(days=14)) - np.timedelta64(1, "h")
    assert set(np.diff(times)) == {np.timedelta64(3600, "s")}


def test_a_start_within_an_hour_begins_with_the_next_full_hour() -> None:
    late = plan().model_copy(update={"start_date": START + timedelta(minutes=20)})
    assert simulate(late).series["clicks"].timestamps[0] == utc64(START - timedelta(days=14) + timedelta(hours=1))


def test_traffic_has_a_daily_and_a_weekly_cycle() -> None:
    columns = simulate(plan(daily_cycle=0.5, weekly_cycle=0.4, participants_per_hour=10_000)).series["clicks"]
    total = columns.treatment_n + columns.control_n
    hour = columns.timestamps.astype("datetime64[h]").astype(int) % 24
    weekend = np.is_busday(columns.timestamps.astype("datetime64[D]"), weekmask="0000011")
    assert total[(hour == 16) & ~weekend].mean() == pytest.approx(15_000, rel=0.01)
    assert total[(hour == 4) & ~weekend].mean() == pytest.approx(5_000, rel=0.01)
    assert total[weekend].sum() / total[~weekend].sum() == pytest.approx(0.6 * 2 / 5, rel=0.01)


def test_the_arms_share_the_planned_traffic() -> None:
    columns = simulate(plan(treatment_share=0.1, daily_cycle=0.0, weekly_cycle=0.0)).series["clicks"]
    assert columns.treatment_n.mean() == pytest.approx(100, rel=0.02)
    assert columns.control_n.mean() == pytest.approx(900, rel=0.02)


def test_slow_noise_has_the_planned_size_and_memory() -> None:
    metric = SimulatedMetric(baseline=10, noise=0.1, autocorrelation=0.8, spread=0.0)
    data = simulate(
        plan("clicks", days=700, common_shock=0.0, daily_cycle=0.0, weekly_cycle=0.0, metrics={"clicks": metric})
    )
    noise = data.series["clicks"].control - 10
    assert noise.std() == pytest.approx(1.0, rel=0.05)
    assert np.corrcoef(noise[1:], noise[:-1])[0, 1] == pytest.approx(0.8, abs=0.02)


def test_a_common_shock_moves_both_arms_and_cancels_in_their_difference() -> None:
    metric = SimulatedMetric(baseline=10, noise=0.0, spread=0.0)
    columns = simulate(plan("clicks", common_shock=0.2, metrics={"clicks": metric})).series["clicks"]
    assert columns.treatment.std() > 1
    np.testing.assert_allclose(columns.treatment, columns.control)


@pytest.mark.parametrize(
    ("kind", "baseline", "variance"),
    [("proportion", 0.2, 0.2 * 0.8), ("mean", 20.0, 10.0**2), ("skewed", 20.0, 10.0**2)],
)
def test_hourly_values_vary_as_means_of_their_participants(kind: str, baseline: float, variance: float) -> None:
    metric = SimulatedMetric(baseline=baseline, kind=kind, noise=0.0, spread=0.5)
    still = {"common_shock": 0.0, "daily_cycle": 0.0, "weekly_cycle": 0.0, "participants_per_hour": 50}
    columns = simulate(plan("clicks", days=700, metrics={"clicks": metric}, **still)).series["clicks"]
    standardised = (columns.control - baseline) * np.sqrt(columns.control_n)
    assert columns.control.mean() == pytest.approx(baseline, rel=0.01)
    assert standardised.var() == pytest.approx(variance, rel=0.05)


def test_skewed_values_lean_to_the_right() -> None:
    metric = SimulatedMetric(baseline=20, kind="skewed", noise=0.0, spread=2.0)
    still = {"common_shock": 0.0, "daily_cycle": 0.0, "weekly_cycle": 0.0, "participants_per_hour": 20}
    values = simulate(plan("clicks", metrics={"clicks": metric}, **still)).series["clicks"].control
    assert np.mean(((values - values.mean()) / values.std()) ** 3) > 0.5


def test_proportions_are_whole_counts_of_participants() -> None:
    columns = simulate(plan("conversion_rate")).series["conversion_rate"]
    counts = columns.treatment * columns.treatment_n
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)


def test_an_hour_without_participants_has_no_value() -> None:
    columns = simulate(plan(participants_per_hour=1)).series["clicks"]
    assert (columns.treatment_n == 0).any()
    np.testing.assert_array_equal(np.isnan(columns.treatment), columns.treatment_n == 0)


def test_what_the_simulator_made_says_so() -> None:
    data = simulate(plan())
    assert data.source == "simulator"
    assert data.truth == {"conversion_rate": 0.0015, "revenue_per_user": 0.25, "clicks": 0.5}


@pytest.mark.parametrize(("outcome", "sign"), [("positive", 1), ("negative", -1), ("neutral", 0)])
def test_the_default_effect_follows_the_expected_outcome(outcome: str, sign: int) -> None:
    metric = default_metric("aov", outcome)
    assert metric.effect == pytest.approx(sign * 0.05 * metric.baseline)


def test_a_planned_effect_is_in_the_treated_arm_after_the_start_only() -> None:
    metric = SimulatedMetric(baseline=10, effect=2.5, noise=0.0, spread=0.0)
    columns = simulate(plan("clicks", metrics={"clicks": metric})).series["clicks"]
    live = columns.timestamps >= utc64(START)
    difference = columns.treatment - columns.control
    np.testing.assert_allclose(difference[live], 2.5)
    np.testing.assert_allclose(difference[~live], 0, atol=1e-12)


def test_the_truth_of_a_clipped_proportion_is_the_effect_that_remained() -> None:
    metric = SimulatedMetric(baseline=0.9, effect=0.1, kind="proportion", noise=0.0)
    data = simulate(plan("clicks", common_shock=0.1, metrics={"clicks": metric}))
    assert 0.03 < data.truth["clicks"] < 0.099


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        (SimulatedMetric(baseline=1.2, kind="proportion"), "baseline is 1.2"),
        (SimulatedMetric(baseline=0.9, effect=0.2, kind="proportion"), "baseline \\+ effect is 1.1"),
        (SimulatedMetric(baseline=-1, kind="skewed"), "at least 0"),
    ],
)
def test_an_impossible_mean_is_refused(metric: SimulatedMetric, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        simulate(plan("clicks", metrics={"clicks": metric}))


def test_intervals_of_simulated_experiments_cover_the_truth_about_as_often_as_they_say() -> None:
    draws, covered = 120, 0
    for seed in range(draws):
        data = simulate(plan("conversion_rate"), seed=seed)
        columns = data.series["conversion_rate"]
        effect = did_series(
            columns.treatment,
            columns.control,
            columns.timestamps >= utc64(START),
            treatment_n=columns.treatment_n,
            control_n=columns.control_n,
        )
        covered += effect.ci_lower <= data.truth["conversion_rate"] <= effect.ci_upper
    assert 0.89 <= covered / draws <= 0.99  # 95 % ± 3 Monte Carlo standard errors
