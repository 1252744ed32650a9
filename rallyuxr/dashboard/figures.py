"""Figures: data in, Plotly figure out. Pure, and readable on light and dark ground alike.

Colours are mid-tones with a contrast above 3:1 on white and on near-black; blue and vermilion stay apart for every
kind of colour blindness, and no meaning hangs on colour alone: lines are named, dashed or marked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from html import escape

import numpy as np
import plotly.graph_objects as go

from rallyuxr.dashboard.accrual import Accrual
from rallyuxr.dashboard.curves import extremes, local_times, student_density, window_mask, with_gaps
from rallyuxr.dashboard.formatting import currency_mark, money, short_money
from rallyuxr.models import AnalysisPeriod, DidResult, EconomicImpact, EventStudy, Interval, MetricSeries
from rallyuxr.models.columns import Floats, Hours, utc64

TREATMENT = "#3a86c8"
CONTROL = "#d4700f"
NEUTRAL = "#8a8f98"
GAIN = "#2a9d7f"
LOSS = "#c8553d"
TRUTH = "#b0578d"
SIMULATED = "#9a62d0"
HEIGHT = 340
LONGEST_NAME = 40
FONT = "Arial, Helvetica, sans-serif"
"""A font that saved pictures have too: a web font is gone in them, and wider letters are cut off."""


def arms(
    series: MetricSeries,
    did: DidResult,
    period: AnalysisPeriod,
    *,
    unit: str,
    scale: float,
    zone: tzinfo,
    axis: str = "Time",
) -> go.Figure:
    """Both arms over time, the baseline shaded; the dashed line is control moved by the baseline's difference."""
    figure = _frame(f"Mean ({_axis_unit(unit)})", f"{axis} ({zone})")
    for name, values, colour, symbol in (
        ("Control", series.control, CONTROL, "dot"),
        ("Treatment", series.treatment, TREATMENT, "solid"),
    ):
        _line(figure, series.timestamps, values * scale, zone, name=name, color=colour, dash=symbol)
    cells = did.estimate.cell_means
    if cells.treatment_pre is not None and cells.control_pre is not None:
        post = window_mask(series.timestamps, period.start_date, period.end_date)
        expected = (series.control[post] + cells.treatment_pre - cells.control_pre) * scale
        _line(figure, series.timestamps[post], expected, zone, name="Without the change", dash="dash")
    if period.baseline_start is not None:
        start, end = local_times(np.array([utc64(period.baseline_start), utc64(period.start_date)]), zone)
        figure.add_vrect(start, end, fillcolor=NEUTRAL, opacity=0.14, line_width=0, layer="below")
        figure.add_annotation(x=start, y=1, yref="paper", text="Baseline", showarrow=False, xanchor="left")
    return figure


def event_study(study: EventStudy, period: AnalysisPeriod, *, unit: str, scale: float) -> go.Figure:
    """The effect of each day against the reference period, with a band that covers all days at once."""
    figure = _frame(f"Effect ({_axis_unit(unit, points=True)})", "Day (UTC)")
    days = np.array([utc64(day) for day in study.days])
    lower, upper, middle = (
        _floats(column) * scale for column in (study.band_lower, study.band_upper, study.estimate)
    )
    _band(figure, days, lower, upper, name=f"{100 * study.confidence_level:.0f}% band, all days at once")
    figure.add_scatter(
        x=days, y=middle, mode="lines+markers", name="Daily effect", line={"color": TREATMENT}, marker={"size": 5}
    )
    _zero(figure)
    figure.add_vline(
        x=utc64(period.start_date).astype("datetime64[ms]").item(), line={"color": NEUTRAL, "dash": "dot"}
    )
    return figure


def cumulative_dollars(accrued: Accrual, currency: str) -> go.Figure:
    """Dollars by the end of each day; the last day is the observed impact with its interval."""
    figure = _frame(f"Observed so far ({currency})", "End of day (UTC)").update_yaxes(_money(currency))
    _band(figure, accrued.days, accrued.lower, accrued.upper, name="Interval of each day")
    figure.add_scatter(
        x=accrued.days, y=accrued.amount, name="Observed impact", line={"color": TREATMENT, "width": 2.5}
    )
    _zero(figure)
    return figure


def total_distribution(
    centre: float,
    std_error: float,
    dof: float | None,
    interval: Interval,
    currency: str,
    *,
    truth: float | None = None,
) -> go.Figure:
    """How plausible each total is: the t density around the estimate, its interval filled."""
    figure = _frame("", f"Total impact ({currency})")
    grid = np.linspace(centre - 4 * std_error, centre + 4 * std_error, 301)
    density = student_density(grid, centre, std_error, dof)
    inside = (grid >= interval.lower) & (grid <= interval.upper)
    figure.add_scatter(x=grid, y=density, line={"color": TREATMENT}, name="Plausibility", hoverinfo="x")
    figure.add_scatter(
        x=grid[inside], y=density[inside], fill="tozeroy", line={"width": 0}, fillcolor=_faint(TREATMENT),
        name=" to ".join(short_money(bound, currency) for bound in (interval.lower, interval.upper)),
        hoverinfo="skip",
    )  # fmt: skip
    figure.add_vline(x=0, line={"color": NEUTRAL, "dash": "dot"})
    if truth is not None:
        figure.add_scatter(
            x=[truth, truth], y=[0, density.max()], mode="lines", line={"color": TRUTH, "dash": "dash"},
            name="Planted truth", hoverinfo="x",
        )  # fmt: skip
    return figure.update_xaxes(_money(currency)).update_yaxes(showticklabels=False, showgrid=False)


def waterfall(impact: EconomicImpact, names: Mapping[str, str]) -> go.Figure:
    """The counted metrics' dollars, stacked up to the total."""
    counted = {key: part.dollar_impact for key, part in impact.metric_breakdown.items() if part.counts}
    bars = [(names.get(key, key), amount or 0.0) for key, amount in counted.items()]
    bars.append(("Total", sum(amount for _, amount in bars)))
    figure = _frame("", f"Observed impact ({impact.currency})")
    figure.add_waterfall(
        orientation="h",
        y=[f"{name}<br>{money(amount, impact.currency, signed=True)}" for name, amount in bars],
        x=[amount for _, amount in bars],
        measure=[*("relative" for _ in counted), "total"],
        increasing={"marker": {"color": GAIN}},
        decreasing={"marker": {"color": LOSS}},
        totals={"marker": {"color": TREATMENT}},
        connector={"line": {"color": NEUTRAL, "width": 1}},
    )
    figure.update_xaxes(_money(impact.currency)).update_yaxes(autorange="reversed")
    return figure.update_layout(showlegend=False, hovermode="closest")


@dataclass(frozen=True, slots=True)
class Estimate:
    """One row of a forest plot: a named value with its interval, and the same in words."""

    name: str
    value: float
    lower: float | None
    upper: float | None
    words: str


def steps(
    times: Sequence[datetime], values: Sequence[float], *, until: datetime, axis: str, zone: tzinfo
) -> go.Figure:
    """A value that stays as it is until it is changed; the newest holds `until` then. A dot for each change."""
    figure = _frame(axis, f"Time ({zone})").update_yaxes(rangemode="tozero")
    *changes, end = (at.astimezone(zone).replace(tzinfo=None) for at in (*times, max(until, times[-1])))
    line = {"shape": "hv", "color": TREATMENT}
    figure.add_scatter(x=[*changes, end], y=[*values, values[-1]], mode="lines", line=line, hoverinfo="skip")
    figure.add_scatter(x=changes, y=list(values), mode="markers", marker={"color": TREATMENT, "size": 9}, name=axis)
    figure.update_layout(showlegend=False)
    return figure


def detectable(days: Sequence[int], effects: Sequence[float], *, axis: str) -> go.Figure:
    """The smallest effect that experiments of different lengths would find."""
    figure = _frame(axis, "Days of the experiment")
    figure.add_trace(go.Scatter(x=list(days), y=list(effects), mode="lines+markers", line={"color": TREATMENT}))
    figure.update_layout(showlegend=False)
    return figure


def forest(rows: Sequence[Estimate], axis: str, *, currency: str | None = None) -> go.Figure:
    """Values with intervals against zero, one a line, the first on top.

    Names and amounts stand above their lines, so that long ones leave the plot its width on a phone too.
    """
    figure = _frame("", axis, height=90 + 56 * len(rows))
    lines = list(range(len(rows)))
    values = _floats([row.value for row in rows])
    figure.add_scatter(
        x=values, y=lines, mode="markers", name="Estimate", marker={"color": TREATMENT, "size": 10},
        error_x={
            "type": "data", "symmetric": False, "color": TREATMENT, "thickness": 2,
            "array": _floats([row.upper for row in rows]) - values,
            "arrayminus": values - _floats([row.lower for row in rows]),
        },
        text=[escape(f"{row.name}: {row.words}") for row in rows], hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    for line, row in zip(lines, rows, strict=True):
        name = row.name if len(row.name) <= LONGEST_NAME else f"{row.name[: LONGEST_NAME - 1]}…"
        figure.add_annotation(
            x=0, xref="paper", xanchor="left", y=line, yshift=19, showarrow=False, align="left",
            text=f"{escape(name)}  <b>{escape(row.words.split(' (')[0])}</b>",
        )  # fmt: skip
        figure.add_shape(x0=0, x1=0, y0=line - 0.2, y1=line + 0.3, line={"color": NEUTRAL, "dash": "dot"})
    if currency:
        figure.update_xaxes(_money(currency))
    figure.update_yaxes(range=[len(rows) - 0.5, -0.9], showticklabels=False, showgrid=False, zeroline=False)
    return figure.update_layout(hovermode="closest", showlegend=False)


def mark_simulated(figure: go.Figure) -> go.Figure:
    """Say it in the figure itself, under its axis, so that a saved picture says it too and nothing overlaps it."""
    label = f'<span style="color:{SIMULATED};font-size:11px"><b>SIMULATED</b></span>'
    title = figure.layout.xaxis.title.text
    return figure.update_xaxes(title_text=f"{title}<br>{label}" if title else label)


def _money(currency: str) -> dict[str, object]:
    """An axis of amounts."""
    return {"tickprefix": currency_mark(currency), "separatethousands": True, "hoverformat": ",.2f"}


def _frame(y_title: str, x_title: str, *, height: int = HEIGHT) -> go.Figure:
    """An empty figure with room for its legend above and nothing fixed in width."""
    return go.Figure(
        layout={
            "height": height,
            "margin": {"l": 8, "r": 8, "t": 36, "b": 8},
            "hovermode": "x unified",
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "xaxis": {"title": {"text": x_title}, "automargin": True},
            "yaxis": {"title": {"text": y_title}, "automargin": True, "hoverformat": ",.4~r"},
            "dragmode": "pan",
        }
    )


def _line(
    figure: go.Figure,
    times: Hours,
    values: Floats,
    zone: tzinfo,
    *,
    name: str,
    color: str = NEUTRAL,
    dash: str = "solid",
) -> None:
    """A line with gaps where hours are missing, thinned so that extremes stay."""
    times, values = with_gaps(times, values)
    keep = extremes(values)
    figure.add_scatter(
        x=local_times(times[keep], zone), y=values[keep], name=name, mode="lines",
        line={"color": color, "dash": dash, "width": 1.6},
    )  # fmt: skip


def _band(figure: go.Figure, x: Hours, lower: Floats, upper: Floats, *, name: str) -> None:
    """The area between two curves, behind what is drawn next."""
    edge = {"width": 0}
    figure.add_scatter(x=x, y=lower, line=edge, mode="lines", showlegend=False, hoverinfo="skip")
    figure.add_scatter(
        x=x,
        y=upper,
        line=edge,
        mode="lines",
        fill="tonexty",
        fillcolor=_faint(TREATMENT),
        name=name,
        hoverinfo="skip",
    )


def _zero(figure: go.Figure) -> None:
    figure.add_hline(y=0, line={"color": NEUTRAL, "dash": "dot"})


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.22)"


def _floats(column: Sequence[float | None]) -> Floats:
    return np.array(column, dtype=float)


def _axis_unit(unit: str, *, points: bool = False) -> str:
    return "percentage points" if points and unit == "%" else unit
