"""The deployed functions: start one and go on, or ask whether it is there."""

import json
from collections.abc import Mapping
from typing import Any

from rallyuxr.errors import RallyError
from rallyuxr.store.cloud import Cloud

RESULTS_GENERATOR = "resultsGenerator"
ANALYSIS_PROCESSOR = "analysisProcessor"
RECONCILER = "reconciler"
ORDER_AGGREGATOR = "orderAggregator"


class Functions:
    """Lambda functions of one deployment, by their short names."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def start(self, name: str, event: Mapping[str, Any]) -> None:
        """Invoke a function asynchronously: it runs, and is retried, without us."""
        self._cloud.call(
            "lambda",
            "invoke",
            FunctionName=self._cloud.settings.resource(name),
            InvocationType="Event",
            Payload=json.dumps(event).encode(),
        )

    def problem(self, name: str) -> str | None:
        """Why a function cannot run now, or None."""
        try:
            answer = self._cloud.call(
                "lambda", "get_function_configuration", FunctionName=self._cloud.settings.resource(name)
            )
        except RallyError as error:
            return error.message
        state = answer.get("State", "Active")
        return None if state in ("Active", "Inactive") else f"{name} is {state}: {answer.get('StateReason', '')}"
