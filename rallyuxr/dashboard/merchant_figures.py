"""Figures of a merchant's orders: aggregates in, Plotly figure out."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from rallyuxr.aggregation.calendar import period_starts, running_start
from rallyuxr.dashboard.figures import GAIN, HEIGHT, NEUTRAL, TREATMENT
from rallyuxr.models.aggregate import Analytics, AnalyticsGranularity, AnalyticsRange, AnalyticsRow

MOST_BARS = 10
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SO_FAR: dict[AnalyticsGranularity, str] = {"daily": "Today so far", "hourly": "This hour so far"}
Measure = Callable[[AnalyticsRow], float]
Point = tuple[datetime, float]


def over_time(analytics: Analytics, measure: Measure, *, title: str, until: datetime) -> go.Figure:
    """A measure by hour or day; the comparison is drawn dashed, moved to the days it is compared with.

    A period without orders is drawn as zero, one that begins after `until` not at all. The one that is not over
    then has a hollow point of its own, dotted to the line, so that it does not read as a fall.
    """
    figure = _frame(title)
    if analytics.comparison is not None:
        shift = analytics.range.first - analytics.comparison.first
        earlier = _points(analytics, analytics.comparison, measure, until)
        _line(figure, earlier, shift, name="Comparison", colour=NEUTRAL, dash="dash")
    current = _points(analytics, analytics.range, measure, until)
    finished = current[:-1] if runs(analytics, until) else current
    if finished:
        _line(figure, finished, timedelta(), name="This range", colour=TREATMENT, dash="solid")
    if len(finished) < len(current):
        _so_far(figure, current[-2:], SO_FAR[analytics.granularity])
    return figure


def runs(analytics: Analytics, now: datetime) -> bool:
    """Whether the range holds an hour or day of the merchant that has begun and is not over."""
    running = running_start(analytics.merchant, analytics.granularity, now)
    return running < now and analytics.range.first <= analytics.merchant.day_of(running) < analytics.range.last


def finished(analytics: Analytics, now: datetime) -> tuple[list[AnalyticsRow], list[AnalyticsRow]]:
    """The rows of the hours or days that are over, and those of the comparison that stand in their place."""
    merchant, part, before = analytics.merchant, analytics.range, analytics.comparison
    end = running_start(merchant, analytics.granularity, now)
    over = [row for row in part.rows if row.start < end]
    if before is None:
        return over, []
    shift, zone = part.first - before.first, ZoneInfo(merchant.time_zone)
    earlier_end = end.astimezone(zone) - shift
    return over, [row for row in before.rows if row.start < earlier_end]


ABOVE = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "len": 0.5, "thickness": 8}
"""A scale of colours above its chart, whose width it leaves to the chart on a phone too."""


def hour_of_week(orders: NDArray[np.float64]) -> go.Figure:
    """Mean orders by weekday and hour of day, shape (7, 24)."""
    figure = _frame("", legend=False)
    figure.add_heatmap(
        z=orders,
        x=[f"{hour:02d}:00" for hour in range(24)],
        y=WEEKDAYS,
        colorscale=[[0, "rgba(58, 134, 200, 0.06)"], [1, TREATMENT]],
        colorbar=ABOVE | {"title": {"text": "Orders an hour", "side": "top"}},
        hovertemplate="%{y} %{x}<br>%{z:.2f} orders an hour<extra></extra>",
    )
    return figure.update_yaxes(autorange="reversed").update_xaxes(dtick=4, tickangle=0)


def shares(names: Sequence[str], amounts: Sequence[float], *, title: str) -> go.Figure:
    """Amounts by name, the largest on top, at most ten."""
    ranked = sorted(zip(amounts, names, strict=True), reverse=True)[:MOST_BARS]
    figure = _frame("", legend=False)
    figure.add_bar(
        x=[amount for amount, _ in ranked],
        y=[name for _, name in ranked],
        orientation="h",
        marker={"color": TREATMENT},
        hovertemplate="%{y}: %{x:,.2f}<extra></extra>",
    )
    return figure.update_yaxes(autorange="reversed", type="category").update_xaxes(title=title)


def customers(analytics: Analytics, *, until: datetime) -> go.Figure:
    """New and returning customers, stacked by hour or day; the bar of the one that is not over is hatched."""
    figure = _frame("Customers").update_layout(barmode="stack")
    rows, running = analytics.range.rows, running_start(analytics.merchant, analytics.granularity, until)
    starts = [_local(row.start, analytics.merchant.time_zone) for row in rows]
    hatch = {"shape": ["/" if row.start == running else "" for row in rows]}
    for name, values, colour in (
        ("Returning", [row.returning_customers for row in rows], NEUTRAL),
        ("New", [row.new_customers for row in rows], GAIN),
    ):
        figure.add_bar(x=starts, y=values, name=name, marker={"color": colour, "pattern": hatch})
    return figure


def _points(analytics: Analytics, part: AnalyticsRange, measure: Measure, until: datetime) -> list[Point]:
    """The measure at each period's start on the merchant's clock."""
    merchant = analytics.merchant
    values = {row.start: measure(row) for row in part.rows}
    starts = period_starts(merchant, analytics.granularity, part.first, part.last, until)
    return [(_local(start, merchant.time_zone), values.get(start, 0.0)) for start in starts]


def _line(figure: go.Figure, points: list[Point], shift: timedelta, *, name: str, colour: str, dash: str) -> None:
    figure.add_scatter(
        x=[start + shift for start, _ in points],
        y=[value for _, value in points],
        mode="lines",
        name=name,
        line={"color": colour, "dash": dash},
    )


def _so_far(figure: go.Figure, points: list[Point], name: str) -> None:
    """The last of these points, hollow, and a dotted way to it from the one before."""
    figure.add_scatter(
        x=[start for start, _ in points],
        y=[value for _, value in points],
        mode="lines",
        line={"color": TREATMENT, "dash": "dot"},
        showlegend=False,
        hoverinfo="skip",
    )
    start, value = points[-1]
    figure.add_scatter(
        x=[start],
        y=[value],
        mode="markers",
        name=name,
        cliponaxis=False,
        marker={"symbol": "circle-open", "color": TREATMENT, "size": 9, "line": {"width": 2}},
    )


def _local(moment: datetime, time_zone: str) -> datetime:
    """The merchant's wall clock; Plotly would otherwise draw UTC."""
    return moment.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)


def _frame(title: str, *, legend: bool = True) -> go.Figure:
    return go.Figure(
        layout={
            "height": HEIGHT,
            "margin": {"l": 8, "r": 8, "t": 30, "b": 8},
            "yaxis": {"title": title, "rangemode": "tozero"},
            "legend": {"orientation": "h", "y": 1.12},
            "showlegend": legend,
            "hovermode": "x unified" if legend else "closest",
        }
    )
