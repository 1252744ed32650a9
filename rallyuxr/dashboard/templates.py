"""Realistic experiments to start from: what is changed, what is watched, and what it may bring. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rallyuxr.models import SimulatedMetric
from rallyuxr.models.experiment import ExpectedOutcome, Role


@dataclass(frozen=True, slots=True)
class Template:
    """A prefilled form; `metrics` are roles by metric id, `simulated` what the simulator plants by default."""

    title: str
    icon: str
    name: str
    description: str
    metrics: Mapping[str, Role]
    simulated: Mapping[str, SimulatedMetric]
    expected: ExpectedOutcome = "positive"
    weeks: int = 2
    recurring: bool = True


def _rate(baseline: float, effect: float) -> SimulatedMetric:
    return SimulatedMetric(baseline=baseline, effect=effect, kind="proportion")


def _skewed(baseline: float, effect: float) -> SimulatedMetric:
    return SimulatedMetric(baseline=baseline, effect=effect, kind="skewed", spread=0.8)


TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {
        "checkout": Template(
            "Checkout flow",
            ":material/shopping_cart_checkout:",
            "One-page checkout",
            "All steps of the checkout on one page, against four pages.",
            {"conversion_rate": "primary", "average_order_value": "secondary", "support_contacts": "guardrail"},
            {
                "conversion_rate": _rate(0.032, 0.0035),
                "average_order_value": _skewed(52.0, 0.0),
                "support_contacts": _rate(0.012, 0.0),
            },
        ),
        "button": Template(
            "Button or wording",
            ":material/smart_button:",
            "Button colour",
            "A red call to action against the blue one.",
            {"click_through_rate": "primary", "conversion_rate": "secondary"},
            {"click_through_rate": _rate(0.11, 0.004), "conversion_rate": _rate(0.03, 0.0005)},
        ),
        "search": Template(
            "Search and findability",
            ":material/search:",
            "Search with suggestions",
            "Suggestions while typing, against search on enter only.",
            {"search_success_rate": "primary", "task_time": "secondary", "conversion_rate": "guardrail"},
            {
                "search_success_rate": _rate(0.61, 0.02),
                "task_time": _skewed(74.0, -3.0),
                "conversion_rate": _rate(0.03, 0.0),
            },
        ),
        "onboarding": Template(
            "Onboarding",
            ":material/rocket_launch:",
            "Guided first session",
            "A guided first session against a blank start.",
            {"activation_rate": "primary", "retention_rate": "secondary"},
            {"activation_rate": _rate(0.41, 0.03), "retention_rate": _rate(0.22, 0.01)},
            weeks=4,
        ),
        "pricing": Template(
            "Pricing page",
            ":material/payments:",
            "Yearly plan first",
            "The yearly plan is shown first, against the monthly one.",
            {"revenue_per_visitor": "primary", "conversion_rate": "guardrail"},
            {"revenue_per_visitor": _skewed(1.9, 0.08), "conversion_rate": _rate(0.021, 0.0)},
            weeks=4,
        ),
        "speed": Template(
            "Page speed",
            ":material/speed:",
            "Images on demand",
            "Images load when they come into view, against all at once.",
            {"load_time": "primary", "bounce_rate": "secondary"},
            {"load_time": _skewed(2.8, -0.3), "bounce_rate": _rate(0.37, -0.01)},
        ),
        "campaign": Template(
            "One-off campaign",
            ":material/campaign:",
            "Autumn newsletter",
            "A newsletter to half of the customers. It happens once, so nothing is projected.",
            {"revenue_per_visitor": "primary"},
            {"revenue_per_visitor": _skewed(1.9, 0.15)},
            weeks=1,
            recurring=False,
        ),
        "removal": Template(
            "Does it harm?",
            ":material/health_and_safety:",
            "Fewer fields in the form",
            "Three optional fields are removed. Nothing should get worse.",
            {"conversion_rate": "guardrail", "support_contacts": "guardrail"},
            {"conversion_rate": _rate(0.032, 0.0), "support_contacts": _rate(0.012, 0.0)},
            expected="neutral",
        ),
    }
)
