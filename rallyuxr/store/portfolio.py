"""The portfolio: one item that knows how many experiments there are, month by month, and their dollars.

It changes in the transaction that changes an experiment, so it never disagrees with them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from rallyuxr.models import ExperimentDefinition, Status
from rallyuxr.store.dynamo import Write, update
from rallyuxr.store.tables import EXPERIMENT_DEFINITION

PORTFOLIO_ID = "#portfolio"
KEY = {"id": PORTFOLIO_ID}


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Counts by month and status, money by currency; simulated money is never added to real money."""

    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    impact: Mapping[str, Decimal] = field(default_factory=dict)
    simulated_impact: Mapping[str, Decimal] = field(default_factory=dict)
    last_analysis_at: datetime | None = None

    def total(self, status: Status | None = None) -> int:
        """All experiments, or those of one status."""
        return sum(number for (_, kept), number in self.counts.items() if status in (None, kept))

    def months(self, status: Status | None = None) -> tuple[tuple[str, int], ...]:
        """The months that hold such experiments, newest first, with how many."""
        numbers: Counter[str] = Counter()
        for (month, kept), number in self.counts.items():
            if status in (None, kept):
                numbers[month] += number
        return tuple(sorted(((month, number) for month, number in numbers.items() if number > 0), reverse=True))


def month_of(experiment: ExperimentDefinition) -> str:
    """The partition of the listing that holds an experiment."""
    return f"{experiment.created_at:%Y-%m}"


def read_portfolio(item: Mapping[str, Any]) -> Portfolio:
    """The portfolio within its item."""
    counts, impact, simulated = {}, {}, {}
    for name, value in item.items():
        match name.split("|"):
            case ["count", month, status]:
                counts[month, status] = int(value)
            case ["impact", currency]:
                impact[currency] = Decimal(value)
            case ["simulated", currency]:
                simulated[currency] = Decimal(value)
    seen = item.get("lastAnalysisAt")
    return Portfolio(counts, impact, simulated, datetime.fromisoformat(seen) if seen else None)


def portfolio_write(
    before: ExperimentDefinition | None, after: ExperimentDefinition, *, analysed_at: datetime | None = None
) -> Write | None:
    """What the change from `before` to `after` does to the portfolio; None where it does nothing."""
    old, new = _contribution(before) if before else {}, _contribution(after)
    deltas = {name: new.get(name, Decimal(0)) - old.get(name, Decimal(0)) for name in {**old, **new}}
    changed = {name: delta for name, delta in deltas.items() if delta}
    if not changed and analysed_at is None:
        return None
    names = {f"#n{place}": name for place, name in enumerate(changed)}
    values: dict[str, Any] = {f"d{place}": delta for place, delta in enumerate(changed.values())}
    expression = "ADD " + ", ".join(f"#n{place} :d{place}" for place in range(len(changed))) if changed else ""
    if analysed_at:
        expression += " SET lastAnalysisAt = :analysed"
        values["analysed"] = analysed_at
    return update(EXPERIMENT_DEFINITION, KEY, expression.strip(), names=names, **values)


def _contribution(experiment: ExperimentDefinition) -> dict[str, Decimal]:
    """What one experiment adds to the portfolio, by attribute; money to the cent, so that sums are exact.

    As on the pages, an archived experiment is counted and its money is not.
    """
    parts = {f"count|{month_of(experiment)}|{experiment.status}": Decimal(1)}
    finding = experiment.finding
    if finding and finding.total_impact is not None and experiment.status != "archived":
        kind = "simulated" if experiment.is_simulated else "impact"
        parts[f"{kind}|{finding.currency}"] = round(Decimal(str(finding.total_impact)), 2)
    return parts
