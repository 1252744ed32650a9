"""The split of participants: reference rows, another program, and looking every day."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.sample_ratio import ALARM, Counts, fixed_pvalue, sample_ratio


def test_the_reference_rows_come_out():
    assert fixed_pvalue(Counts(47, 53), 0.5) == pytest.approx(0.6172994, abs=5e-8)
    large = sample_ratio(821_588, 815_482)
    assert f"{large.pvalue:.2e}" == "1.82e-06"
    assert large.mismatch


@given(st.integers(0, 400), st.integers(0, 400))
def test_scipys_exact_test_agrees_on_even_splits(treatment, control):
    if treatment + control:
        expected = binomtest(treatment, treatment + control).pvalue
        assert fixed_pvalue(Counts(treatment, control), 0.5) == pytest.approx(expected, rel=1e-9)


def test_looking_every_day_seldom_alarms_on_a_fair_split():
    rng = np.random.default_rng(11)
    days, experiments = 60, 3000
    treated = rng.binomial(2000, 0.5, size=(experiments, days))
    sequential = np.array([sample_ratio(row, 2000 - row).sequential_pvalue for row in treated])
    for alpha in (0.05, 0.2):
        assert (sequential < alpha).mean() < alpha + 3 * np.sqrt(alpha / experiments)


def test_a_broken_split_is_found_within_days():
    rng = np.random.default_rng(12)
    treated = rng.binomial(2000, 0.47, size=14)
    found = sample_ratio(treated, 2000 - treated)
    assert found.mismatch
    assert found.sequential_pvalue < ALARM


def test_a_planned_unequal_split_is_no_mismatch():
    treated = np.full(14, 200)
    assert not sample_ratio(treated, 9 * treated, treatment_share=0.1).mismatch
    assert sample_ratio(treated, 9 * treated).mismatch


def test_nobody_and_nonsense_are_said_so():
    assert sample_ratio(0, 0).reason == "no participant was counted"
    with pytest.raises(InvalidInput, match="planned share"):
        sample_ratio(1, 1, treatment_share=1.0)
