"""Adjusted p-values: reference rows, another program, and what a family of true nulls does."""

import gc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.multiplicity import adjust, benjamini_hochberg, holm

PUBLISHED = [0.005, 0.06, 0.007, 0.04, 0.01, 0.03]
pvalue_families = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_the_reference_rows_come_out_to_the_digit():
    assert benjamini_hochberg(PUBLISHED).tolist() == pytest.approx(
        [0.02, 0.06, 0.02, 0.048, 0.02, 0.045], abs=1e-12
    )
    assert holm(PUBLISHED).tolist() == pytest.approx([0.03, 0.09, 0.035, 0.09, 0.04, 0.09], abs=1e-12)


@pytest.fixture(scope="module")
def nothing_to_collect() -> Iterator[None]:
    """statsmodels collects garbage at every call, which takes long among the objects of a whole suite."""
    gc.freeze()
    yield
    gc.unfreeze()


@given(pvalues=pvalue_families)
def test_statsmodels_agrees(nothing_to_collect, pvalues):
    for method, theirs in (("holm", "holm"), ("benjamini_hochberg", "fdr_bh")):
        assert adjust(pvalues, method) == pytest.approx(multipletests(pvalues, method=theirs)[1], abs=1e-12)


@given(pvalue_families, st.randoms())
def test_the_order_of_metrics_does_not_matter_and_no_p_value_shrinks(pvalues, random):
    order = list(range(len(pvalues)))
    random.shuffle(order)
    for method in ("holm", "benjamini_hochberg"):
        adjusted = adjust(pvalues, method)
        shuffled = adjust([pvalues[index] for index in order], method)
        assert shuffled.tolist() == [adjusted[index] for index in order]
        assert (adjusted >= np.array(pvalues) - 1e-15).all()
        assert (adjusted <= 1).all()


def test_holm_keeps_the_chance_of_any_false_finding():
    pvalues = np.random.default_rng(7).uniform(size=(4000, 6))
    false_findings = np.mean([holm(row).min() < 0.05 for row in pvalues])
    assert false_findings == pytest.approx(0.05, abs=0.012)  # 3.5 standard errors of 4,000 draws


def test_bad_families_are_refused():
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        holm([0.1, float("nan")])
    with pytest.raises(InvalidInput, match="bonferroni"):
        adjust([0.1], "bonferroni")
