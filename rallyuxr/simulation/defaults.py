"""What the simulator plants in a metric that the plan says nothing about."""

from rallyuxr.models import SimulatedMetric
from rallyuxr.models.experiment import ExpectedOutcome

RELATIVE_EFFECT = {"positive": 0.05, "negative": -0.05, "neutral": 0.0}

FAMILIES: tuple[tuple[tuple[str, ...], SimulatedMetric], ...] = (
    (("conversion", "checkout", "signup"), SimulatedMetric(baseline=0.03, kind="proportion")),
    (("retention", "retained"), SimulatedMetric(baseline=0.4, kind="proportion")),
    (("rate", "ctr", "share", "churn", "bounce"), SimulatedMetric(baseline=0.1, kind="proportion")),
    (("revenue", "spend"), SimulatedMetric(baseline=5.0, kind="skewed", spread=3.0)),
    (("aov", "order_value", "basket", "price"), SimulatedMetric(baseline=60.0, kind="skewed")),
    (("time", "duration", "latency", "seconds", "minutes"), SimulatedMetric(baseline=120.0, kind="skewed")),
)
OTHER = SimulatedMetric(baseline=10.0, kind="mean")


def default_metric(metric_id: str, expected_outcome: ExpectedOutcome) -> SimulatedMetric:
    """A plausible metric for this id, moved by 5 % in the expected direction, or not at all.

    The id's words choose the kind and the baseline; the first family that matches wins.

    Examples:
        >>> default_metric("conversion_rate", "positive").effect
        0.0015
        >>> default_metric("revenue_per_user", "neutral").kind
        'skewed'
    """
    typical = next((metric for words, metric in FAMILIES if any(word in metric_id for word in words)), OTHER)
    effect = round(typical.baseline * RELATIVE_EFFECT[expected_outcome], 10)
    return typical.model_copy(update={"effect": effect})
