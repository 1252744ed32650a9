"""A finished example for whoever has nothing yet: prices and one simulated experiment, labelled SIMULATED."""

from datetime import timedelta
from decimal import Decimal

import streamlit as st

from rallyuxr.dashboard import launch, session, widgets
from rallyuxr.dashboard.templates import TEMPLATES
from rallyuxr.errors import Conflict, RallyError
from rallyuxr.models import CreateExperiment, CreateMetricValue, Projection, SimulationPlan
from rallyuxr.services import experiments, metric_values
from rallyuxr.services.context import Context

FAILED = "failure of the example"
LOADED = "example loaded"
REQUEST = "example"
PRICES = (
    CreateMetricValue(
        metric_id="conversion_rate",
        name="Conversion rate",
        dollars_per_unit=Decimal("0.18"),
        unit="%",
        unit_scale=100,
        exposure="participant",
        description="Margin that one more percentage point of conversion brings per visitor: $18 an order.",
        category="conversion",
        value_type="proportion",
    ),
    CreateMetricValue(
        metric_id="average_order_value",
        name="Average order value",
        dollars_per_unit=Decimal("0.01"),
        unit="$",
        exposure="participant",
        description="Margin per visitor of one more dollar in the basket: 3 % order, a third of it is margin.",
        category="revenue",
    ),
    CreateMetricValue(
        metric_id="support_contacts",
        name="Support contacts",
        dollars_per_unit=Decimal("0.06"),
        unit="%",
        unit_scale=100,
        exposure="participant",
        direction="lower_is_better",
        description="Cost per visitor of one more percentage point that contacts support: $6 a contact.",
        category="other",
        value_type="proportion",
    ),
)


def button() -> None:
    """Make the example."""
    if error := st.session_state.pop(FAILED, None):
        widgets.failure(error)
    st.button("Load the example", type="primary", icon=":material/science:", on_click=_load)


def just_loaded() -> bool:
    """Whether the example was made by the click that led to this run."""
    return bool(st.session_state.pop(LOADED, False))


def _load() -> None:
    try:
        session.require("analyst")
        st.session_state[launch.CREATED] = load(session.context())
        st.session_state[LOADED] = True
    except RallyError as error:
        st.session_state[FAILED] = error


def load(ctx: Context) -> str:
    """Store the example's prices, where there are none yet, and its experiment; the experiment's id."""
    for price in PRICES:
        try:
            metric_values.create_metric_value(ctx, price)
        except Conflict:
            continue
    return experiments.create_experiment(ctx, plan(ctx), request_id=REQUEST).id


def plan(ctx: Context) -> CreateExperiment:
    """The example's plan: the checkout template over the four weeks that ended yesterday."""
    template = TEMPLATES["checkout"]
    end = ctx.clock().replace(hour=0, minute=0, second=0, microsecond=0)
    return CreateExperiment(
        name=f"Example: {template.name}",
        description=template.description,
        metrics=tuple(template.metrics),
        start_date=end - timedelta(days=14),
        end_date=end,
        expected_outcome=template.expected,
        metric_plans={metric_id: {"role": role} for metric_id, role in template.metrics.items()},
        cost=Decimal(4000),
        projection=Projection(),
        simulation=SimulationPlan(seed=7, participants_per_hour=2000, metrics=dict(template.simulated)),
    )
