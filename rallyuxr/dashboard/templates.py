"""Experiments to start from: filled in forms with example prices and a truth to simulate. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rallyuxr.models import CreateMetricValue, SimulatedMetric
from rallyuxr.models.experiment import ExpectedOutcome, Role

EXAMPLE_NOTE = "Example price, replace it by your own: "


@dataclass(frozen=True, slots=True)
class TemplateMetric:
    """A metric with its example price, the truth to simulate and its role."""

    price: CreateMetricValue
    truth: SimulatedMetric
    role: Role = "primary"
    margin: float | None = None

    @property
    def metric_id(self) -> str:
        """Under which name it is stored."""
        return self.price.metric_id


@dataclass(frozen=True, slots=True)
class Template:
    """One experiment to start from."""

    title: str
    icon: str
    description: str
    metrics: tuple[TemplateMetric, ...]
    expected: ExpectedOutcome = "positive"
    days: int = 14
    cost: Decimal | None = None
    recurring: bool = True
    participants_per_hour: int = 1000


def _metric(
    metric_id: str,
    dollars: str,
    worth: str,
    *,
    baseline: float,
    effect: float,
    role: Role = "primary",
    margin: float | None = None,
    noise: float = 0.02,
    **terms: Any,
) -> TemplateMetric:
    proportion = terms.get("unit") == "%"
    price = CreateMetricValue(
        metric_id=metric_id,
        name=metric_id.replace("_", " ").capitalize(),
        dollars_per_unit=Decimal(dollars),
        description=EXAMPLE_NOTE + worth,
        value_type="proportion" if proportion else "mean",
        **terms,
    )
    kind = "proportion" if proportion else "skewed"
    return TemplateMetric(
        price, SimulatedMetric(baseline=baseline, effect=effect, kind=kind, noise=noise), role, margin
    )


CONVERSION = _metric(
    "conversion_rate",
    "0.42",
    "42 dollars of margin an order, a hundredth of it for each percentage point of a visitor who buys",
    unit="%",
    category="conversion",
    exposure="participant",
    baseline=0.032,
    effect=0.0016,
)
PAGE_LOAD = _metric(
    "page_load_time",
    "90",
    "what slower pages cost in lost visits on a day, per second",
    unit="seconds",
    category="engagement",
    exposure="day",
    direction="lower_is_better",
    baseline=2.4,
    effect=0.02,
    role="guardrail",
    margin=0.2,
)

TEMPLATES: tuple[Template, ...] = (
    Template(
        "One-page checkout",
        ":material/shopping_cart_checkout:",
        "All steps of the checkout on one page, against four pages.",
        (
            CONVERSION,
            _metric(
                "average_order_value",
                "0.012",
                "3% of visitors buy, at a margin of 40%: 0.012 dollars a visitor per dollar in the basket",
                unit="$",
                category="revenue",
                exposure="participant",
                baseline=64.0,
                effect=0.8,
            ),
            PAGE_LOAD,
        ),
        cost=Decimal(12_000),
    ),
    Template(
        "Shorter sign-up",
        ":material/how_to_reg:",
        "Three fields instead of nine; the rest is asked after the first session.",
        (
            _metric(
                "signup_rate",
                "0.18",
                "a sign-up is worth 18 dollars over its life",
                unit="%",
                category="conversion",
                exposure="participant",
                baseline=0.11,
                effect=0.007,
            ),
            _metric(
                "activation_rate",
                "0.05",
                "an activated account is worth 5 dollars more",
                unit="%",
                category="engagement",
                exposure="participant",
                baseline=0.38,
                effect=-0.004,
                role="guardrail",
                margin=2.0,
            ),
        ),
        days=21,
        cost=Decimal(6_500),
    ),
    Template(
        "Better search results",
        ":material/search:",
        "Results ranked by what people bought after the same words, against ranking by text alone.",
        (
            _metric(
                "search_success_rate",
                "0.03",
                "a search that ends in a click is worth 3 cents per hundredth",
                unit="%",
                category="engagement",
                exposure="participant",
                baseline=0.61,
                effect=0.012,
            ),
            _metric(
                "revenue_per_visitor",
                "0.40",
                "40 cents of margin remain of a dollar of revenue",
                unit="$",
                category="revenue",
                exposure="participant",
                baseline=2.1,
                effect=0.04,
                role="secondary",
            ),
            PAGE_LOAD,
        ),
        days=28,
        cost=Decimal(30_000),
        participants_per_hour=1500,
    ),
    Template(
        "Help centre redesign",
        ":material/support_agent:",
        "Answers first, contact form last: fewer tickets without unhappier customers.",
        (
            _metric(
                "support_tickets_per_visitor",
                "6.50",
                "an agent answers a ticket in a quarter of an hour",
                unit="tickets",
                category="other",
                exposure="participant",
                direction="lower_is_better",
                baseline=0.21,
                effect=-0.012,
            ),
            _metric(
                "self_service_rate",
                "0.01",
                "an answer found alone is worth a cent per hundredth",
                unit="%",
                category="engagement",
                exposure="participant",
                baseline=0.47,
                effect=0.01,
                role="secondary",
            ),
        ),
        cost=Decimal(15_000),
        participants_per_hour=400,
    ),
    Template(
        "Onboarding tour",
        ":material/explore:",
        "A tour of four steps on the first visit, against an empty start page.",
        (
            _metric(
                "retention_rate",
                "0.25",
                "a customer who stays a month longer is worth 25 dollars",
                unit="%",
                category="retention",
                exposure="participant",
                baseline=0.42,
                effect=0.008,
            ),
        ),
        days=28,
        cost=Decimal(9_000),
        participants_per_hour=300,
    ),
    Template(
        "Seasonal campaign",
        ":material/campaign:",
        "A banner for one week. A one-off: nothing of it is carried into the future.",
        (
            _metric(
                "revenue_per_visitor",
                "0.40",
                "40 cents of margin remain of a dollar of revenue",
                unit="$",
                category="revenue",
                exposure="participant",
                baseline=2.1,
                effect=0.09,
            ),
        ),
        days=7,
        cost=Decimal(5_000),
        recurring=False,
        participants_per_hour=2000,
    ),
    Template(
        "New payment service",
        ":material/credit_card:",
        "Cheaper to run, and customers should notice nothing: a test that nothing gets worse.",
        (
            _metric(
                "payment_success_rate",
                "0.55",
                "a failed payment loses an order of 55 dollars of margin",
                unit="%",
                category="conversion",
                exposure="participant",
                baseline=0.962,
                effect=0.0,
                noise=0.003,
                role="guardrail",
                margin=0.3,
            ),
        ),
        expected="neutral",
        cost=Decimal(20_000),
    ),
)
