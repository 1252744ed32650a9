"""Requests that are valid, and answers read as the contract says."""

import os
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

Data = dict[str, Any]
EXPERIMENT: Data = {
    "name": "Button Color A/B Test",
    "description": "Testing red vs blue CTA button",
    "metrics": ["conversion_rate", "ctr"],
    "startDate": "2025-01-15",
    "endDate": "2025-01-29",
    "expectedOutcome": "positive",
}
METRIC: Data = {
    "metricId": "conversion_rate",
    "name": "Conversion rate",
    "dollarsPerUnit": 2000,
    "unit": "%",
    "description": "Gross margin of one more percentage point of conversion",
    "category": "conversion",
}


def fresh_name() -> str:
    """A metric id that no other test uses."""
    return "m_" + "".join(chr(ord("a") + byte % 26) for byte in os.urandom(12))


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/openapi.json", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def wait_for(ready: Callable[[], Any], *, seconds: float) -> Any:
    """The first true answer of `ready`; fails the test when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := ready():
            return answer
        time.sleep(0.1)
    pytest.fail(f"nothing came within {seconds} seconds")


def data_of(answer: httpx.Response, status: int = 200) -> Data:
    """The data of an answer that succeeded in the contract's envelope."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body.keys() == {"success", "data"}
    assert body["success"] is True
    data: Data = body["data"]
    return data


def error_of(answer: httpx.Response, status: int, code: str) -> Data:
    """The error of an answer that failed in the contract's shape."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body.keys() == {"success", "error"}
    assert body["success"] is False
    error: Data = body["error"]
    assert error.keys() <= {"code", "message", "details", "requestId"}
    assert error["code"] == code
    assert error["message"]
    assert error["requestId"]
    return error


def hourly_results(experiment_id: str, metric: str, *, lift: float = 0.0) -> Data:
    """Two weeks of baseline and two of experiment, in the contract's shape."""
    points: list[dict[str, Any]] = [
        {
            "timestamp": f"2025-01-{day:02d}T{hour:02d}:00:00Z",
            "treatmentValue": 0.02 + 0.001 * ((day * 7 + hour * 5) % 11) / 11 + (lift if day >= 15 else 0),
            "controlValue": 0.02 + 0.001 * ((day * 3 + hour * 7) % 13) / 13,
            "treatmentSampleSize": 1000,
            "controlSampleSize": 1000,
        }
        for day in range(1, 29)
        for hour in range(24)
    ]
    post = [point for point in points if point["timestamp"] >= "2025-01-15"]
    return {
        "experimentId": experiment_id,
        "metrics": {
            metric: {
                "timeSeries": points,
                "summary": {
                    "treatmentMean": sum(point["treatmentValue"] for point in post) / len(post),
                    "controlMean": sum(point["controlValue"] for point in post) / len(post),
                    "totalTreatmentSamples": 1000 * len(post),
                    "totalControlSamples": 1000 * len(post),
                },
            }
        },
        "generatedAt": "2025-01-29T00:05:00Z",
        "experimentPeriod": {"startDate": "2025-01-15", "endDate": "2025-01-29", "totalHours": len(post)},
        "dataVersion": 1,
        "dataSource": "api",
    }
