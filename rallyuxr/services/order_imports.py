"""Bring many orders in; placing an order twice changes nothing, so an import may be repeated or resumed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from rallyuxr.models.order import OrderReceipt, Outcome
from rallyuxr.services.context import Context
from rallyuxr.services.orders import place_orders

ORDERS_PER_PIECE = 500
PIECES_AT_ONCE = 4
Progress = Callable[[int, tuple[OrderReceipt, ...]], None]


def import_orders(
    ctx: Context, orders: Iterable[Mapping[str, Any]], *, skip: int = 0, progress: Progress | None = None
) -> Mapping[Outcome, int]:
    """Place all orders but the first `skip` and count the outcomes.

    `progress` hears, after every few thousand orders, how many from the start are settled and the receipts of those
    just placed; a later call with that number as `skip` goes on from there.
    """
    outcomes: Counter[Outcome] = Counter()
    settled = skip
    with ThreadPoolExecutor(PIECES_AT_ONCE) as workers:
        pieces = _pieces(islice(orders, skip, None), ORDERS_PER_PIECE)
        for round_of_pieces in _pieces(pieces, PIECES_AT_ONCE):
            answers = workers.map(lambda piece: place_orders(ctx, piece), round_of_pieces)
            receipts = tuple(receipt for answer in answers for receipt in answer)
            outcomes.update(receipt.outcome for receipt in receipts)
            settled += len(receipts)
            if progress:
                progress(settled, receipts)
    return outcomes


def _pieces(elements: Iterable[Any], size: int) -> Iterator[list[Any]]:
    remaining = iter(elements)
    while piece := list(islice(remaining, size)):
        yield piece
