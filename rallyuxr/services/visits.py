"""Take counts of visits in, so that orders can be read as a part of them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from rallyuxr.errors import InvalidInput, RallyError
from rallyuxr.models.base import iso_z
from rallyuxr.models.order import FIRST_YEAR, Merchant, in_calendar
from rallyuxr.models.visits import VisitCount, VisitReceipt
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import require_merchant

MAX_COUNTS = 1_000
CLOCK_TOLERANCE = timedelta(minutes=5)
Sent = VisitCount | Mapping[str, Any]


def record_visits(ctx: Context, merchant_id: str, sent: Sequence[Sent]) -> tuple[VisitReceipt, ...]:
    """Let each count stand in place of an earlier one, each for itself, and answer for each in the order sent.

    Raises:
        InvalidInput: more than `MAX_COUNTS` counts.
        NotFound: no such merchant.
    """
    if len(sent) > MAX_COUNTS:
        raise InvalidInput(f"{len(sent)} counts came; send at most {MAX_COUNTS} at once.")
    merchant = require_merchant(ctx, merchant_id)
    receipts: dict[int, VisitReceipt] = {}
    accepted: dict[int, VisitCount] = {}
    for place, candidate in enumerate(sent):
        try:
            accepted[place] = _accepted(ctx, merchant, candidate)
        except InvalidInput as problem:
            receipts[place] = _refusal(candidate, problem)
    standing = _standing(accepted)
    outcomes = ctx.store.visits.replace_counts(merchant, [accepted[place] for place in standing])
    decided = dict(zip(standing, outcomes, strict=True))
    receipts |= {place: _receipt(count, decided.get(place, "unchanged")) for place, count in accepted.items()}
    return tuple(receipts[place] for place in range(len(sent)))


def _standing(counts: Mapping[int, VisitCount]) -> list[int]:
    """The places of those that stand where one thing was counted twice."""
    ranked = sorted(counts, key=lambda place: (counts[place].counted_at, counts[place].visits))
    return sorted({counts[place].counts: place for place in ranked}.values())


def _accepted(ctx: Context, merchant: Merchant, sent: Sent) -> VisitCount:
    count = sent if isinstance(sent, VisitCount) else _read(sent)
    now = ctx.clock()
    if max(count.hour, count.counted_at or count.hour) > now + CLOCK_TOLERANCE:
        raise InvalidInput(f"The count of {iso_z(count.hour)} lies in the future; check its clock and zone.")
    if not in_calendar(count.hour):
        raise InvalidInput(f"The count's hour {iso_z(count.hour)} lies before {FIRST_YEAR}; check its clock.")
    if merchant.hour_of(count.hour) != count.hour:
        raise InvalidInput(
            f"{iso_z(count.hour)} is not the start of an hour in {merchant.time_zone}; "
            f"that hour starts at {iso_z(merchant.hour_of(count.hour))}."
        )
    return count if count.counted_at else count.model_copy(update={"counted_at": now})


def _read(sent: Mapping[str, Any]) -> VisitCount:
    try:
        return VisitCount.from_json(sent)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, each['loc'])) or 'count'}: {each['msg']}" for each in error.errors())
        raise InvalidInput("Not a count of visits: " + "; ".join(problems)) from None


def _receipt(count: VisitCount, outcome: Any, reason: str | None = None) -> VisitReceipt:
    return VisitReceipt(
        hour=iso_z(count.hour), experiment_id=count.experiment_id, arm=count.arm, outcome=outcome, reason=reason
    )


def _refusal(sent: Sent, problem: RallyError) -> VisitReceipt:
    if isinstance(sent, VisitCount):
        return _receipt(sent, "refused", problem.message)
    named = {name: str(sent[name]) for name in ("hour", "experimentId", "arm") if sent.get(name) is not None}
    return VisitReceipt.from_json({**named, "outcome": "refused", "reason": problem.message})
