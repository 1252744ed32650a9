"""A report a manager can read: one HTML file that works offline and prints well. Pure.

Plotly's script is inlined once, so the file needs no network; each chart saves itself as PNG or SVG.
"""

from collections.abc import Iterable
from datetime import datetime, tzinfo
from html import escape
from pathlib import Path

from plotly.io import to_html
from plotly.offline import get_plotlyjs

from rallyuxr.dashboard import assumptions, derivation, evidence, metric_table, tables
from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard.figures import FONT
from rallyuxr.dashboard.reading import reading
from rallyuxr.models import ExperimentAnalysis, ExperimentData, ExperimentDefinition

STYLE = "".join(
    sheet.read_text(encoding="utf-8") for sheet in (Path(__file__).with_name("report.css"), tables.STYLE)
)
SAVE_BUTTONS = """<p class="save">
<button data-format="png">Save as PNG</button> <button data-format="svg">Save as SVG</button></p>"""
SCRIPT = """
document.querySelectorAll("figure").forEach(figure => {
  const plot = figure.querySelector(".js-plotly-plot");
  figure.querySelectorAll("button").forEach(button => button.onclick = () =>
    Plotly.downloadImage(plot, {format: button.dataset.format, filename: figure.id, scale: 2}));
});
const fit = () => document.querySelectorAll(".js-plotly-plot").forEach(plot => Plotly.Plots.resize(plot));
addEventListener("beforeprint", fit); addEventListener("afterprint", fit);
"""


def html_report(
    experiment: ExperimentDefinition,
    analysis: ExperimentAnalysis,
    data: ExperimentData | None,
    *,
    made_at: datetime,
    zone: tzinfo,
) -> str:
    """The whole report as one HTML document."""
    simulated = analysis.data_source == "simulator"
    sections = (
        _heading(experiment, made_at, zone, simulated=simulated),
        _verdict(analysis),
        _figures(evidence.total_exhibits(analysis, data)),
        "<h2>Every metric</h2>",
        f"<p class='quiet'>{escape(metric_table.participants(analysis))}</p>",
        tables.html_table(metric_table.rows(analysis)),
        _figures(evidence.comparison_exhibits(analysis)),
        *(_metric(analysis, data, metric_id, zone) for metric_id in analysis.did_results),
        "<h2>How the total was made</h2>",
        tables.html_table(derivation.rows(derivation.total_steps(analysis))),
        "<h2>Made from</h2>",
        tables.html_table(derivation.rows(derivation.provenance(analysis))),
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(experiment.name)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style>'
        f"<script>{get_plotlyjs()}</script></head><body><main>{''.join(sections)}</main>"
        f"<script>{SCRIPT}</script></body></html>"
    )


def _heading(experiment: ExperimentDefinition, made_at: datetime, zone: tzinfo, *, simulated: bool) -> str:
    label = '<strong class="simulated">SIMULATED: the simulator made this data</strong>' if simulated else ""
    window = f.window(experiment.start_date, experiment.end_date, zone)
    return (
        f"<header><h1>{escape(experiment.name)}</h1>{label}<p>{escape(experiment.description)}</p>"
        f"<p class='quiet'>{window}. Status {experiment.status}. Report of {f.moment(made_at, zone)}.</p></header>"
    )


def _verdict(analysis: ExperimentAnalysis) -> str:
    impact, currency = analysis.economic_impact, analysis.economic_impact.currency
    horizon = f"Projected over {impact.horizon_days} days" if impact.horizon_days else "Projected"
    observed, projected = (
        f.money(impact.total_impact, currency, signed=True),
        f.about(impact.annualized_impact, currency, signed=True),
    )
    cards = (
        ("Observed impact", observed, f.money_interval(impact.total_interval, currency)),
        (horizon, projected, f.about_interval(impact.annualized_interval, currency)),
    )
    shown = "".join(f"<div><h2>{name}</h2><b>{amount}</b><p>{bounds}</p></div>" for name, amount, bounds in cards)
    truths = "".join(f"<li>{escape(sentence)}</li>" for sentence in evidence.truth_sentences(analysis))
    return f'<p class="verdict">{escape(f.said(analysis.verdict.sentence))}</p><div class="cards">{shown}</div>' + (
        f"<h2>Against the planted truth</h2><ul>{truths}</ul>" if truths else ""
    )


def _metric(analysis: ExperimentAnalysis, data: ExperimentData | None, metric_id: str, zone: tzinfo) -> str:
    did, metric = analysis.did_results[metric_id], reading(analysis, metric_id)
    steps = derivation.rows(derivation.metric_steps(analysis, metric_id))
    checks = "".join(
        f"<li{' class=doubt' if found.doubt else ''}><b>{escape(found.title)}.</b> {escape(found.sentence)}</li>"
        for found in assumptions.findings(did, metric)
    )
    return (
        f'<section class="metric"><h2>{escape(metric.name)}</h2>'
        f"<p>{escape(f.said(did.verdict.sentence))}</p>"
        + _figures(evidence.metric_exhibits(analysis, data, metric_id, zone=zone, daily=True))
        + f"<h3>How this number was made</h3>{tables.html_table(steps)}"
        f"<h3>Assumptions</h3><ul>{checks}</ul></section>"
    )


def _figures(exhibits: Iterable[evidence.Exhibit]) -> str:
    return "".join(
        f'<figure id="{escape(exhibit.name)}"><figcaption>{escape(exhibit.title)}</figcaption>'
        f'<div role="img" aria-label="{escape(exhibit.alt)}">{_chart(exhibit)}</div>{SAVE_BUTTONS}</figure>'
        for exhibit in exhibits
    )


def _chart(exhibit: evidence.Exhibit) -> str:
    figure = exhibit.figure.update_layout(template="plotly_white", font_family=FONT)
    chart: str = to_html(
        figure, full_html=False, include_plotlyjs=False, config={"displayModeBar": False, "responsive": True}
    )
    return chart
