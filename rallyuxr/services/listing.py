"""List experiments page by page, newest first, with the portfolio's totals."""

import base64
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from pydantic import Field

from rallyuxr.errors import InvalidInput
from rallyuxr.models import ExperimentDefinition, Record, Status
from rallyuxr.services.context import Context
from rallyuxr.store import Portfolio, Position

LARGEST_PAGE = 100


class PortfolioSummary(Record):
    """Totals over all experiments, archived ones counted and their money left out.

    Simulated money stands for itself. A total is absent where currencies differ, and then listed by currency.
    """

    total_experiments: int
    completed_experiments: int
    total_economic_impact: float | None = None
    currency: str | None = None
    impact_by_currency: dict[str, float] = Field(default_factory=dict)
    simulated_economic_impact: float | None = None
    simulated_impact_by_currency: dict[str, float] = Field(default_factory=dict)


class ExperimentPage(Record):
    """Experiments, newest first. `next_token` leads on; `total` is absent for a search, not to read all."""

    experiments: tuple[ExperimentDefinition, ...]
    total: int | None
    next_token: str | None
    has_more: bool
    summary: PortfolioSummary


class _Token(NamedTuple):
    """Where a listing goes on, and the filter it was made under."""

    month: str | None
    after: str | None
    skip: int
    status: str | None
    search: str | None


def list_experiments(
    ctx: Context,
    *,
    limit: int = 20,
    offset: int = 0,
    next_token: str | None = None,
    status: Status | None = None,
    search: str | None = None,
    most: int = LARGEST_PAGE,
) -> ExperimentPage:
    """Experiments, newest first, at a cost that follows `limit` and not how many there are.

    `search` looks for the words in name, description and id, ignoring case. It reads a bounded number of
    experiments per page: a page may be short or empty with `has_more` still true; follow `next_token`.

    Raises:
        InvalidInput: a limit above `most`, or a token that is damaged or from another filter.
    """
    if not 1 <= limit <= most or offset < 0:
        raise InvalidInput(f"limit must be 1 to {most} and offset 0 or more; got {limit} and {offset}.")
    search = search.strip() or None if search else None
    start = _read_token(next_token, status, search) if next_token else Position(skip=offset)
    portfolio = ctx.store.experiments.portfolio()
    listing = ctx.store.experiments.page(portfolio, start, limit=limit, status=status, search=search)
    following = listing.following
    return ExperimentPage(
        experiments=listing.experiments,
        total=None if search else portfolio.total(status),
        next_token=_write_token(following, status, search) if following else None,
        has_more=following is not None,
        summary=_summary(portfolio),
    )


def _summary(portfolio: Portfolio) -> PortfolioSummary:
    real, simulated = _amounts(portfolio.impact), _amounts(portfolio.simulated_impact)
    currencies = real.keys() | simulated.keys()
    return PortfolioSummary(
        total_experiments=portfolio.total(),
        completed_experiments=portfolio.total("complete"),
        total_economic_impact=_one_amount(real),
        currency=min(currencies) if len(currencies) == 1 else None,
        impact_by_currency=real,
        simulated_economic_impact=_one_amount(simulated) if simulated else None,
        simulated_impact_by_currency=simulated,
    )


def _amounts(by_currency: Mapping[str, Decimal]) -> dict[str, float]:
    return {currency: float(amount) for currency, amount in by_currency.items()}


def _one_amount(by_currency: Mapping[str, float]) -> float | None:
    """The sum where there is one currency at most."""
    return sum(by_currency.values()) if len(by_currency) < 2 else None


def _write_token(position: Position, status: Status | None, search: str | None) -> str:
    token = _Token(position.month, position.after, position.skip, status, search)
    return base64.urlsafe_b64encode(json.dumps(token).encode()).decode()


def _read_token(text: str, status: Status | None, search: str | None) -> Position:
    try:
        token = _Token(*json.loads(base64.urlsafe_b64decode(text.encode())))
        position = Position(token.month, token.after, token.skip)
        damaged = not position.valid()
    except (ValueError, TypeError, RecursionError):
        damaged = True
    if damaged:
        raise InvalidInput("nextToken is damaged; use the one of the page before, or start without it.")
    if (token.status, token.search) != (status, search):
        raise InvalidInput(
            "nextToken belongs to another status or search; keep them the same, or start without it."
        )
    return position
