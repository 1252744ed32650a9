"""Merchants: who sells, and which experiments measure them."""

from rallyuxr.errors import InvalidInput, NotFound
from rallyuxr.models import ExperimentDefinition
from rallyuxr.models.aggregate import Freshness
from rallyuxr.models.order import Merchant
from rallyuxr.services.context import Context


def add_merchant(ctx: Context, merchant: Merchant) -> Merchant:
    """Register a merchant; raises Conflict if the id is taken."""
    ctx.store.merchants.add(merchant)
    return merchant


def list_merchants(ctx: Context) -> tuple[Merchant, ...]:
    """Every merchant, by id."""
    return ctx.store.merchants.all()


def require_merchant(ctx: Context, merchant_id: str) -> Merchant:
    """The merchant; raises NotFound."""
    merchant = ctx.store.merchants.get(merchant_id)
    if merchant is None:
        raise NotFound(f"There is no merchant {merchant_id!r}: register it first, with its time zone and currency.")
    return merchant


def freshness(ctx: Context, merchant: Merchant) -> Freshness:
    """When the newest order was placed, and when aggregates of the days since last changed."""
    newest = next(ctx.store.orders.days(merchant.merchant_id, newest_first=True), None)
    if newest is None:
        return Freshness()
    orders = ctx.store.orders.orders_of_day(merchant, newest, newest_first=True, page_size=1)
    stored = ctx.store.aggregates.listing("hourly", merchant.merchant_id, newest, newest)
    return Freshness(
        last_order_at=next((order.time for order in orders), None),
        aggregated_at=max((each.modified_at for each in stored), default=None),
    )


def experiment_merchants(ctx: Context, experiment: ExperimentDefinition) -> tuple[Merchant, ...]:
    """The merchants whose orders are the experiment's data.

    Raises:
        InvalidInput: it has no orders plan, or a merchant sells in another currency.
        NotFound: a merchant does not exist.
    """
    if experiment.orders is None:
        raise InvalidInput(f"Experiment {experiment.id} has no orders plan, so orders are not its data.")
    merchants = tuple(require_merchant(ctx, name) for name in experiment.orders.merchants)
    for merchant in merchants:
        if merchant.currency != experiment.currency:
            raise InvalidInput(
                f"Merchant {merchant.merchant_id} sells in {merchant.currency} and the experiment counts in "
                f"{experiment.currency}: choose merchants of one currency, and give the experiment that currency."
            )
    return merchants


def watch_orders(ctx: Context, experiment: ExperimentDefinition) -> None:
    """Let the merchants' orders mark the experiment.

    Raises:
        InvalidInput, NotFound: see `experiment_merchants`.
    """
    for merchant in experiment_merchants(ctx, experiment):
        ctx.store.merchants.watch(
            merchant.merchant_id, experiment.id, experiment.baseline_start, experiment.end_date
        )
