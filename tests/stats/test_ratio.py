"""Ratio metrics: the delta method by hand, against another package, and by simulation."""

import numpy as np
import pytest

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.panel import did_panel
from rallyuxr.stats.ratio import did_ratio
from tests.stats.panel_reference import AGREEMENT, panel, peers

COLUMNS = {"unit": "unit", "period": "period", "treated": "treated", "post": "post"}
RATIO = {**COLUMNS, "numerator": "orders", "denominator": "visits"}


def test_a_difference_of_ratios_agrees_with_tea_tasting():
    data = {name: values[panel()["post"] == 1] for name, values in panel().items()}
    result = did_ratio(data, **RATIO)
    assert result.estimator == "difference_in_means"
    found = (result.estimate, result.std_error, result.pvalue)
    assert found == pytest.approx(peers()["ratios"]["tea-tasting"], rel=AGREEMENT)


def test_with_a_denominator_of_one_it_is_the_panel_of_means():
    data = panel() | {"visits": np.ones(480), "orders": panel()["outcome"]}
    ratio, means = did_ratio(data, **RATIO), did_panel(data, **COLUMNS, outcome="outcome")
    found, expected = (
        [result.estimate, result.std_error, result.dof, result.pvalue, result.relative.ci_upper]
        for result in (ratio, means)
    )
    assert found == pytest.approx(expected, rel=1e-10)


def test_four_ratios_by_hand():
    result = did_ratio(panel(), **RATIO)
    data = panel()
    cells = [
        data["orders"][(data["treated"] == arm) & (data["post"] == post)].sum()
        / data["visits"][(data["treated"] == arm) & (data["post"] == post)].sum()
        for arm in (1, 0)
        for post in (1, 0)
    ]
    assert result.estimate == pytest.approx(cells[0] - cells[1] - cells[2] + cells[3], rel=1e-12)
    assert result.cell_means.control_post == pytest.approx(cells[2])


def test_size_holds_where_the_numerator_alone_would_reject():
    """Seeded: arms with the same rate but more visits after the start in one of them."""
    rng = np.random.default_rng(8)
    unit, period = np.repeat(np.arange(80), 2), np.tile([0, 1], 80)
    arm = unit % 2
    base = {"unit": unit, "period": period, "treated": arm, "post": period}
    ratio_rejections = numerator_rejections = 0
    for _ in range(300):
        visits = rng.poisson(np.where((arm == 1) & (period == 1), 40, 20)) + 1
        rate = np.clip(0.2 + 0.05 * rng.normal(size=80)[unit], 0.01, 0.99)
        data = base | {"visits": visits, "orders": rng.binomial(visits, rate)}
        ratio_rejections += did_ratio(data, **RATIO).pvalue < 0.05
        numerator_rejections += did_panel(data, **COLUMNS, outcome="orders").pvalue < 0.05
    assert 0.02 <= ratio_rejections / 300 <= 0.08
    assert numerator_rejections > 290


def test_clusters_are_the_independent_units():
    result = did_ratio(panel(), **RATIO, cluster="cluster")
    assert (result.n_units, result.n_clusters) == (60, 20)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"visits": -panel()["visits"]}, {}, "negative"),
        ({"visits": panel()["visits"] * panel()["post"]}, {}, "sums to zero"),
        ({"treated": panel()["unit"] % 2}, {"cluster": "cluster"}, "holds treated and control"),
        ({"treated": np.ones(480)}, {}, "sums to zero"),
    ],
)
def test_ratios_that_do_not_exist_are_refused(columns, options, message):
    with pytest.raises(InvalidInput, match=message):
        did_ratio(panel() | columns, **RATIO, **options)
