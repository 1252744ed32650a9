"""What the pages say: money, units, diagnostics, derivations and the report, from a real analysis."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyuxr.analysis import analyze
from rallyuxr.analysis_text import as_text
from rallyuxr.dashboard import assumptions, comparison, derivation, evidence, figures, metric_table
from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard.reading import Reading, reading
from rallyuxr.dashboard.report import html_report
from rallyuxr.models import (
    CreateExperiment,
    DidEstimate,
    DidResult,
    ExperimentAnalysis,
    ExperimentDefinition,
    Interval,
    MetricPlan,
    MetricValue,
    PublishedData,
    SimulatedMetric,
    SimulationPlan,
    Verdict,
)
from rallyuxr.models.diagnostics import Coverage, Diagnostics, Placebo, SampleRatio, Slope
from rallyuxr.simulation import simulate

NOW = datetime(2025, 2, 1, tzinfo=UTC)
PLAN = CreateExperiment(
    name="<One-page> checkout & more",
    description="All steps on one page",
    metrics=("conversion_rate", "task_completion_time"),
    start_date="2025-01-15",
    end_date="2025-01-29",
    expected_outcome="positive",
    metric_plans={"task_completion_time": MetricPlan(role="guardrail", non_inferiority_margin=5)},
    simulation=SimulationPlan(
        seed=3,
        metrics={
            "conversion_rate": SimulatedMetric(baseline=0.12, effect=0.006, kind="proportion"),
            "task_completion_time": SimulatedMetric(baseline=95, effect=-3),
        },
    ),
)


def metric_value(metric_id: str, price: str, **terms: object) -> MetricValue:
    fields = {"unit": "%", "category": "conversion", "description": "What one unit is worth", **terms}
    name = f.words(metric_id)
    return MetricValue(
        metric_id=metric_id, name=name, dollars_per_unit=Decimal(price), last_updated=NOW, version=3, **fields
    )


PRICES = {
    "conversion_rate": metric_value("conversion_rate", "1200"),
    "task_completion_time": metric_value(
        "task_completion_time",
        "15.5",
        unit="seconds",
        unit_scale=1.0,
        exposure="day",
        direction="lower_is_better",
    ),
}
DATA = simulate(PLAN)
EXPERIMENT = ExperimentDefinition(**dict(PLAN), id="e1", status="complete", created_at=NOW, updated_at=NOW)


@pytest.fixture(scope="module")
def analysis() -> ExperimentAnalysis:
    return analyze(PublishedData("e1", 1, NOW, DATA), PRICES, experiment=PLAN)


def numbers_of(text: str) -> float:
    return float(text.replace(f.MINUS, "-").replace("$", "").replace(",", "").replace("+", "").split()[0])


@given(st.floats(-1e12, 1e12), st.sampled_from(["USD", "JPY", "BHD", "CHF"]))
def test_money_keeps_the_minor_unit_of_its_currency_and_never_an_ascii_minus(amount: float, currency: str):
    text = f.money(amount, currency)
    assert "-" not in text
    if abs(amount) < 999:
        assert len(text.partition(".")[2]) == {"JPY": 0, "BHD": 3}.get(currency, 2)


@pytest.mark.parametrize("amount", [-0.001, 0.0, 0.004])
def test_an_amount_that_rounds_to_nothing_has_no_sign(amount: float):
    assert f.money(amount, signed=True) == "$0.00"


@given(st.text(max_size=60))
def test_any_text_survives_markdown(text: str):
    assert re.sub(r"\\(.)", r"\1", f.plain(text), flags=re.DOTALL) == text


def test_the_derivation_multiplies_out_to_the_dollars_it_shows(analysis: ExperimentAnalysis):
    for metric_id in analysis.did_results:
        steps = {step.what: step for step in derivation.metric_steps(analysis, metric_id)}
        sign = -1 if "× −1" in steps else 1
        product = sign * numbers_of(steps["Effect"].number) * numbers_of(steps["× price"].number)
        product *= numbers_of(steps["× exposure"].number)
        assert product == pytest.approx(numbers_of(steps["= dollars"].number), rel=0.01)
        assert "version 3" in steps["× price"].source


def test_the_derivation_says_why_a_metric_does_not_count_and_why_nothing_is_projected(analysis):
    impact = analysis.economic_impact
    left_out = impact.metric_breakdown["task_completion_time"].model_copy(
        update={"counts": False, "reason": "the same effect is counted already"}
    )
    changed = impact.model_copy(
        update={
            "metric_breakdown": {**impact.metric_breakdown, "task_completion_time": left_out},
            "annualized_impact": None,
        }
    )
    steps = derivation.total_steps(analysis.model_copy(update={"economic_impact": changed}))
    assert any("not counted: the same effect is counted already" in step.source for step in steps)
    assert steps[-1].what == "Projected"


def test_the_table_names_role_guardrail_and_adjusted_p(analysis: ExperimentAnalysis):
    rate, guard = metric_table.rows(analysis)
    assert (rate["Role"], guard["Role"]) == ("Primary", "Guardrail")
    assert guard["Verdict"] == "Guardrail holds"
    assert rate["Effect"].endswith("percentage points")


def test_a_metrics_money_is_in_the_currency_of_its_price_whatever_the_experiments():
    abroad = analyze(
        PublishedData("e1", 1, NOW, DATA), PRICES, experiment=PLAN.model_copy(update={"currency": "EUR"})
    )
    assert abroad.economic_impact.total_impact is None
    for row in metric_table.rows(abroad):
        assert row["Dollars"].startswith("+$")
    printed = as_text(abroad, PLAN)
    assert "$" in printed
    assert "€" not in printed
    exhibits = list(evidence.metric_exhibits(abroad, DATA, "conversion_rate", zone=UTC))
    told = " ".join(f"{exhibit.alt} {exhibit.figure.to_json()}" for exhibit in exhibits)
    assert "$" in told
    assert "€" not in told + html_report(EXPERIMENT, abroad, DATA, made_at=NOW, zone=UTC)


def test_every_picture_of_simulated_data_says_so(analysis: ExperimentAnalysis):
    exhibits = [
        *evidence.total_exhibits(analysis, DATA),
        *evidence.metric_exhibits(analysis, DATA, "conversion_rate", zone=UTC),
    ]
    assert all("SIMULATED" in exhibit.figure.layout.xaxis.title.text for exhibit in exhibits)
    real = analysis.model_copy(update={"data_source": "upload"})
    assert not any("SIMULATED" in exhibit.figure.to_json() for exhibit in evidence.total_exhibits(real, DATA))


def test_days_are_drawn_as_utc_days_and_hours_in_the_readers_zone(analysis: ExperimentAnalysis):
    berlin = ZoneInfo("Europe/Berlin")
    axes = [
        next(evidence.metric_exhibits(analysis, DATA, "conversion_rate", zone=berlin, daily=daily)).figure
        for daily in (True, False)
    ]
    titles = [figure.layout.xaxis.title.text.split("<br>")[0] for figure in axes]
    assert titles == ["Day (UTC)", "Time (Europe/Berlin)"]
    assert [figure.data[0].x[0] for figure in axes] == [datetime(2025, 1, 1), datetime(2025, 1, 1, 1)]  # noqa: DTZ001


def test_while_running_the_always_valid_interval_is_the_one_shown(analysis: ExperimentAnalysis):
    running = analysis.model_copy(update={"running": True})
    rate = metric_table.rows(running)[0]
    valid = analysis.did_results["conversion_rate"].always_valid
    shown = reading(analysis, "conversion_rate").interval(valid.ci_lower, valid.ci_upper)
    assert rate["95% interval"] == shown


def test_doubtful_assumptions_come_first_and_absent_ones_say_why():
    did = DidResult(
        confidence_level=95,
        sample_size_control=1,
        sample_size_treatment=1,
        estimate=DidEstimate(estimate=0.01, method="test"),
        verdict=Verdict(outcome="better", sentence="Better."),
        diagnostics=Diagnostics(
            pre_trend=Slope(estimate=0.001, ci_lower=0.0005, ci_upper=0.0015),
            placebo=Placebo(reason="the baseline is shorter than two weeks"),
            sample_ratio=SampleRatio(observed_treatment_share=0.6, pvalue=1e-9, mismatch=True),
            coverage=Coverage(expected_pre=336, expected_post=336, missing_post=5),
        ),
    )
    found = assumptions.findings(did, Reading("Conversion", "%", 100.0))
    assert [finding.doubt for finding in found] == sorted((x.doubt for x in found), reverse=True)
    said = {finding.title: finding.sentence for finding in found}
    assert "+0.1 percentage points" in said["Parallel trends before the start"]
    assert said["Placebo start inside the baseline"].endswith("shorter than two weeks.")
    assert "mismatch" in said["Participants split as planned"]
    assert "5 of 672 periods are missing" in said["Complete data and whole weeks"]


def test_the_planted_truth_is_held_against_every_interval(analysis: ExperimentAnalysis):
    sentences = list(evidence.truth_sentences(analysis))
    assert len(sentences) == 1 + len(PLAN.metrics)
    assert "planted effect +0.6 percentage points" in sentences[1]
    real = analysis.model_copy(
        update={
            "did_results": {
                key: did.model_copy(update={"true_effect": None}) for key, did in analysis.did_results.items()
            }
        }
    )
    assert not list(evidence.truth_sentences(real))


def test_every_exhibit_has_its_own_file_name_and_words(analysis: ExperimentAnalysis):
    shown = [*evidence.total_exhibits(analysis, DATA), *evidence.comparison_exhibits(analysis)]
    for metric_id in PLAN.metrics:
        shown += evidence.metric_exhibits(analysis, DATA, metric_id, zone=UTC)
    assert len({exhibit.name for exhibit in shown}) == len(shown) == 4 + 4 * len(PLAN.metrics)
    assert all(exhibit.alt.strip() and exhibit.title for exhibit in shown)


def test_all_metrics_stand_on_one_scale_and_say_where_less_is_better(analysis: ExperimentAnalysis):
    (exhibit,) = evidence.comparison_exhibits(analysis)
    relative = [did.estimate.relative.estimate for did in analysis.did_results.values()]
    assert exhibit.figure.data[0].x.tolist() == pytest.approx([100 * effect for effect in relative])
    assert "Task completion time (less is better)" in exhibit.alt
    assert not list(evidence.comparison_exhibits(analysis.model_copy(update={"running": True})))


def test_the_table_says_how_many_took_part(analysis: ExperimentAnalysis):
    did = analysis.did_results["conversion_rate"]
    assert metric_table.participants(analysis) == (
        f"Participants: {did.sample_size_treatment:,.0f} treated, {did.sample_size_control:,.0f} control."
    )


def test_without_data_the_figures_that_need_none_are_left(analysis: ExperimentAnalysis):
    titles = [exhibit.title for exhibit in evidence.metric_exhibits(analysis, None, "conversion_rate", zone=UTC)]
    assert titles == ["Daily effect", "Plausible totals of this metric"]


def test_the_counterfactual_lies_below_treatment_by_the_effect(analysis: ExperimentAnalysis):
    did = analysis.did_results["conversion_rate"]
    figure = figures.arms(
        DATA.series["conversion_rate"], did, analysis.experiment_period, unit="%", scale=100, zone=UTC
    )
    series = DATA.series["conversion_rate"].window(PLAN.start_date, PLAN.end_date)
    expected = figure.data[2].y
    weighted = (series.treatment * series.treatment_n).sum() / series.treatment_n.sum()
    control = (expected * series.control_n).sum() / series.control_n.sum()
    assert 100 * weighted - control == pytest.approx(100 * did.estimate.estimate, rel=1e-9)


def test_two_analyses_compare_line_by_line(analysis: ExperimentAnalysis):
    newer = analysis.model_copy(update={"data_version": 2})
    lines = {line["What"]: line["Change"] for line in comparison.differences(newer, analysis)}
    assert lines["Data version"] == "differs"
    assert lines["Total"] == "same"


class _Links(HTMLParser):
    """Collects what a document would fetch, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_report_stands_alone_escapes_names_and_says_simulated(analysis: ExperimentAnalysis):
    report = html_report(EXPERIMENT, analysis, DATA, made_at=NOW, zone=ZoneInfo("Europe/Berlin"))
    links = _Links()
    links.feed(report)
    assert not links.fetched
    assert "&lt;One-page&gt; checkout &amp; more" in report
    assert "<One-page>" not in report
    assert "SIMULATED" in report
    assert report.count("<figure") == 4 + 4 * len(PLAN.metrics)
    assert "CET" in report


def test_a_year_of_hours_draws_in_few_points(analysis: ExperimentAnalysis):
    year = simulate(PLAN.model_copy(update={"start_date": PLAN.start_date.replace(year=2024)}))
    did = analysis.did_results["conversion_rate"]
    figure = figures.arms(
        year.series["conversion_rate"], did, analysis.experiment_period, unit="%", scale=100, zone=UTC
    )
    assert max(len(trace.x) for trace in figure.data) <= 1300
    assert len(json.dumps(figure.to_plotly_json(), default=str)) < 400_000


def test_a_forest_shows_asymmetric_intervals_and_names_that_are_no_markup():
    rows = [
        figures.Estimate("<b>a</b>", 2.0, 1.0, 5.0, "+$2 ($1 to $5)"),
        figures.Estimate("a name that goes on and on for more than a phone is wide", 1.0, None, None, "+$1 (—)"),
    ]
    figure = figures.forest(rows, "USD")
    assert figure.data[0].error_x.array.tolist()[0] == 3.0
    assert figure.data[0].error_x.arrayminus.tolist()[0] == 1.0
    first, second = (annotation.text for annotation in figure.layout.annotations)
    assert first == "&lt;b&gt;a&lt;/b&gt;  <b>+$2</b>"
    assert second == "a name that goes on and on for more tha…  <b>+$1</b>"
    assert figure.data[0].text[1].endswith("wide: +$1 (—)")


def test_an_interval_reads_aloud():
    assert f.money_interval(Interval(lower=-5, upper=10)) == "−$5.00 to $10.00"
