"""What a JSON Schema cannot say of a valid request: rules between fields, keys that are fresh."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import schemathesis


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid4())  # by chance the same key comes with another body
    if case.operation.label == "POST /experiments" and isinstance(case.body, dict):
        case.body |= window(case.body) | of_its_metrics(case.body)


def window(plan: dict[str, Any]) -> dict[str, Any]:
    """An end after the start, both within the years that UTC has."""
    try:
        start = datetime.fromisoformat(plan["startDate"])
        return {"endDate": (start + timedelta(days=7)).isoformat()}
    except (KeyError, TypeError, ValueError):
        return {}
    except OverflowError:
        return {"startDate": "2025-01-15", "endDate": "2025-01-22"}


def of_its_metrics(plan: dict[str, Any]) -> dict[str, Any]:
    """Each metric once, and plans for these only; orders have merchants of their own."""
    metrics = list(dict.fromkeys(plan.get("metrics", [])))
    plans = {metric: each for metric, each in plan.get("metricPlans", {}).items() if metric in metrics}
    fitting = {"metrics": metrics, "metricPlans": plans, "simulation": None, "timeZone": "UTC", "orders": None}
    return fitting | {
        "dataSource": "simulator" if plan.get("dataSource") == "orders" else plan.get("dataSource", "api")
    }
