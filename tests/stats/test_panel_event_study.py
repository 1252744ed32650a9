"""The unit-level event study against reference results and another package."""

import causaldata
import numpy as np
import pytest

from rallyuxr.errors import InvalidInput
from rallyuxr.stats.panel_event_study import panel_event_study
from tests.stats.panel_reference import AGREEMENT, panel, peers

COLUMNS = {"unit": "unit", "period": "period", "treated": "treated", "outcome": "outcome"}


def organ_donations():
    data = causaldata.organ_donations.load_pandas().data
    return data.assign(treated=(data["State"] == "California").astype(int)).rename(
        columns={"State": "unit", "Quarter_Num": "period", "Rate": "outcome"}
    )


def test_organ_donations_quarter_by_quarter():
    """The reference counts the slopes and a constant, K = 6 of 162: no fixed effect."""
    study = panel_event_study(organ_donations(), **COLUMNS, reference=3, small_sample="cr1_slopes")
    estimates = [effect.estimate for effect in study.path.effects]
    assert estimates == pytest.approx([-0.002942, 0.006296, 0, -0.021565, -0.020292, -0.022165], abs=5e-7)
    std_errors = [effect.std_error for effect in study.path.effects if effect.at != 3]
    assert std_errors == pytest.approx([0.005002, 0.002229, 0.004952, 0.004401, 0.009851], abs=5e-7)


@pytest.mark.parametrize("seen_only", [False, True], ids=["balanced", "unbalanced"])
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(("peer", "cluster"), [("fereg", None), ("pyfixest", "cluster")])
def test_every_period_agrees_with(peer, cluster, seen_only, shuffled):
    data = panel(seen_only=seen_only)
    if shuffled:
        order = np.random.default_rng(0).permutation(data["unit"].size)
        data = {name: values[order] for name, values in data.items()}
    effects = panel_event_study(data, **COLUMNS, reference=4, cluster=cluster).path.effects
    estimates, std_errors = peers()["event study"][f"{peer} {'unbalanced' if seen_only else 'balanced'}"]
    assert [effect.estimate for effect in effects if effect.at != 4] == pytest.approx(estimates, rel=AGREEMENT)
    assert [effect.std_error for effect in effects if effect.at != 4] == pytest.approx(std_errors, rel=AGREEMENT)


def test_units_as_their_own_clusters_change_nothing():
    plain = panel_event_study(panel(seen_only=True), **COLUMNS, reference=4)
    own = panel_event_study(panel(seen_only=True), **COLUMNS, reference=4, cluster="unit")
    for left, right in zip(plain.path.effects, own.path.effects, strict=True):
        assert left.estimate == right.estimate
        assert left.std_error == (right.std_error and pytest.approx(right.std_error, rel=1e-12))


def test_the_reference_is_zero_without_an_interval_and_bands_are_wider():
    study = panel_event_study(panel(), **COLUMNS, reference=4, cluster="cluster")
    assert study.n_clusters == 20
    for effect in study.path.effects:
        if effect.at == 4:
            assert (effect.estimate, effect.std_error, effect.band_lower) == (0.0, None, None)
        else:
            assert effect.band_lower < effect.ci_lower < effect.ci_upper < effect.band_upper


def test_a_simultaneous_band_covers_the_whole_path():
    """Seeded: 300 panels without effects; about one band in twenty misses zero somewhere."""
    rng = np.random.default_rng(2)
    unit, period = np.repeat(np.arange(60), 8), np.tile(np.arange(8), 60)
    base = {"unit": unit, "period": period, "treated": unit % 2}
    missed = 0
    for _ in range(300):
        study = panel_event_study(base | {"outcome": rng.normal(size=480)}, **COLUMNS, reference=3, reps=999)
        missed += any(
            effect.band_lower > 0 or effect.band_upper < 0 for effect in study.path.effects if effect.at != 3
        )
    assert 0.02 <= missed / 300 <= 0.10


@pytest.mark.parametrize(
    ("keep", "reference", "message"),
    [
        (panel()["unit"] >= 0, 9, "choose one of the periods"),
        (~((panel()["treated"] == 1) & (panel()["period"] == 4)), 4, "one arm was not seen"),
        (panel()["unit"] < 1, 4, "one arm|independent units"),
    ],
)
def test_what_cannot_be_compared_is_refused(keep, reference, message):
    with pytest.raises(InvalidInput, match=message):
        panel_event_study({name: values[keep] for name, values in panel().items()}, **COLUMNS, reference=reference)
