"""A metric observed on units: people, stores, states."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rallyuxr.analysis.findings import Finding, absent_finding, shown
from rallyuxr.errors import InvalidInput
from rallyuxr.models.columns import Floats, UnitPanel, utc64
from rallyuxr.models.diagnostics import EventStudy
from rallyuxr.models.estimate import AlwaysValid
from rallyuxr.stats.panel import did_panel
from rallyuxr.stats.panel_event_study import panel_event_study
from rallyuxr.stats.regular_grid import Span, moment_of


def panel_finding(panel: UnitPanel, span: Span, *, confidence_level: float = 0.95) -> Finding:
    """The effect on one metric observed on units; periods outside the span are ignored."""
    rows = _PanelRows.within(panel, span)
    try:
        estimate = did_panel(
            rows.columns(),
            unit="unit",
            period="period",
            treated="treated",
            post="post",
            outcome="outcome",
            confidence_level=confidence_level,
        )
    except InvalidInput as refusal:
        return absent_finding(refusal.message, confidence_level)
    before = rows.outcome[~rows.treated & ~rows.post]
    units, arms = np.unique(rows.unit, return_index=True)
    running = panel_seen_until(panel, span) < span.end
    return shown(
        Finding(
            estimate=estimate,
            participants_treatment=float(rows.treated[arms].sum()),
            participants_control=float(units.size - rows.treated[arms].sum()),
            control_spread=float(before.std(ddof=1)) or None if before.size > 1 else None,
            spread_of="units' outcomes",
            event_study=_panel_event_study(panel, rows, confidence_level),
        ),
        AlwaysValid(reason="units have no interval that may be looked at before the end") if running else None,
    )


def panel_seen_until(panel: UnitPanel, span: Span) -> datetime:
    """Up to when a panel is known: to the look at it, or to the end of its newest period where that is later.

    A period lasts as long as the last one but one did. Never looked at means complete.
    """
    if span.seen_until is None or panel.periods.size < 2:
        return min(span.seen_until or span.end, span.end)
    newest = moment_of(panel.periods[-1] + (panel.periods[-1] - panel.periods[-2]))
    return min(max(span.seen_until, newest), span.end)


@dataclass(frozen=True, slots=True)
class _PanelRows:
    """The rows of a panel that lie in an experiment's span, each (N,)."""

    unit: NDArray[np.int32]
    period: NDArray[np.int32]
    treated: NDArray[np.bool_]
    post: NDArray[np.bool_]
    outcome: Floats

    @classmethod
    def within(cls, panel: UnitPanel, span: Span) -> "_PanelRows":
        inside = (panel.periods >= utc64(span.baseline_start)) & (panel.periods < utc64(span.end))
        rows = inside[panel.period]
        unit, period = panel.unit[rows], panel.period[rows]
        post = panel.periods >= utc64(span.start)
        return cls(unit, period, panel.treated[unit].astype(bool), post[period], panel.outcome[rows])

    def columns(self) -> dict[str, NDArray[Any]]:
        """The rows by column name."""
        return {name: getattr(self, name) for name in ("unit", "period", "treated", "post", "outcome")}


def _panel_event_study(panel: UnitPanel, rows: _PanelRows, confidence_level: float) -> EventStudy:
    """The effect by period, relative to the last period before the start."""
    before = rows.period[~rows.post]
    if not before.size:
        return EventStudy(reason="no period before the start to refer to", confidence_level=confidence_level)
    reference = int(before.max())
    try:
        path = panel_event_study(
            rows.columns(),
            unit="unit",
            period="period",
            treated="treated",
            outcome="outcome",
            reference=reference,
            confidence_level=confidence_level,
        ).path
    except InvalidInput as refusal:
        return EventStudy(reason=refusal.message, confidence_level=confidence_level)
    begin = moment_of(panel.periods[reference])
    return EventStudy(
        days=tuple(moment_of(panel.periods[effect.at]) for effect in path.effects),
        estimate=tuple(effect.estimate for effect in path.effects),
        std_error=tuple(effect.std_error for effect in path.effects),
        band_lower=tuple(effect.band_lower for effect in path.effects),
        band_upper=tuple(effect.band_upper for effect in path.effects),
        reference=f"the period that began {begin:%d %B %Y}, the last before the start",
        critical_value=path.critical_value,
        confidence_level=confidence_level,
    )
