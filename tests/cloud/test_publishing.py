"""Publishing from Python: what was read is what is stored, and what is malformed changes nothing."""

import pytest
from causaldata import organ_donations

import rallyuxr
from rallyuxr.local import Endpoint
from rallyuxr.services.analyses import analyze_version
from rallyuxr.services.context import Context
from rallyuxr.services.experiments import create_experiment
from rallyuxr.services.results import load_results
from tests.cloud.spine_samples import bare_tables, plan, raw_items
from tests.data.malformed import MALFORMED, well_formed

ORGAN_DONATIONS = -0.0224590
"""Two-way fixed effects of Kessler and Roth's data, as other programs print it."""
FINE_FOR_THIS_EXPERIMENT = {"no metric named", "no overlap with the experiment"}
"""An experiment with one metric names it, and this one's window is the data's."""


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    return bare_tables(cloud, "publishing")


def test_a_published_file_is_stored_as_it_was_read_and_only_once(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan(metrics=("conversion_rate",)))
    first = rallyuxr.publish_results(experiment.id, well_formed(), context=ctx)
    again = rallyuxr.publish_results(experiment.id, well_formed(), context=ctx)
    assert (first.created, again.created, again.data_version) == (True, False, first.data_version)
    stored = load_results(ctx, experiment.id).data.series["conversion_rate"]
    read = rallyuxr.read_results(well_formed()).series["conversion_rate"]
    assert stored.treatment.tolist() == read.treatment.tolist()
    assert stored.control_n.tolist() == read.control_n.tolist()


def test_real_units_published_from_a_data_frame_give_the_published_effect(ctx: Context) -> None:
    frame = organ_donations.load_pandas().data
    frame["Treated"] = frame["State"] == "California"
    dates = {"start_date": "2011-07-01", "end_date": "2012-04-01", "baseline_days": 273}
    experiment = create_experiment(ctx, plan(metrics=("rate",), **dates))
    version = rallyuxr.publish_results(experiment.id, frame, context=ctx, mapping={"period": "Quarter"})
    stored = analyze_version(ctx, experiment.id, version.data_version).did_results["rate"].estimate
    here = rallyuxr.analyze(rallyuxr.read_results(frame), {}, experiment=experiment).did_results["rate"].estimate
    assert stored == here
    assert stored.estimate == pytest.approx(ORGAN_DONATIONS, abs=5e-8)


def test_no_malformed_upload_changes_anything_that_is_stored(ctx: Context) -> None:
    experiment = create_experiment(ctx, plan(metrics=("conversion_rate",)))
    rallyuxr.publish_results(experiment.id, well_formed(), context=ctx)
    tables = ("experimentResults", "experimentDefinition")
    before = {table: raw_items(ctx, table) for table in tables}
    for name in MALFORMED.keys() - FINE_FOR_THIS_EXPERIMENT:
        case = MALFORMED[name]
        options = {option: value for option, value in case.options.items() if option != "experiment"}
        with pytest.raises(rallyuxr.InvalidData):
            rallyuxr.publish_results(experiment.id, case.build(), context=ctx, **options)
    assert {table: raw_items(ctx, table) for table in tables} == before
