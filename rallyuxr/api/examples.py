"""Examples of every request and answer, by operation, for the OpenAPI document; optional fields are left out."""

from typing import Any

Body = dict[str, Any]

EXPERIMENT_ID = "3f1c2b7d-9e10-4c40-9a51-0197a3c25d1e"
ANALYSIS_ID = "0194af5b-8c00-7568-a63d-8d3b3cf267eb"
SENTENCE = "Better: +0.62 percentage points (95% interval +0.41 to +0.83), worth $1,240."
PLAN: Body = {
    "name": "Button Color A/B Test",
    "description": "Testing red vs blue CTA button",
    "metrics": ["conversion_rate"],
    "startDate": "2025-01-15",
    "endDate": "2025-01-29",
    "expectedOutcome": "positive",
}
EXPERIMENT: Body = PLAN | {
    "id": EXPERIMENT_ID,
    "startDate": "2025-01-15T00:00:00Z",
    "endDate": "2025-01-29T00:00:00Z",
    "status": "complete",
    "dataSource": "upload",
    "createdAt": "2025-01-14T09:30:00Z",
    "updatedAt": "2025-01-29T00:05:10Z",
    "createdBy": "ana@example.com",
    "version": 4,
    "participantCount": 96000,
}
POINT: Body = {
    "timestamp": "2025-01-15T14:00:00Z",
    "treatmentValue": 0.0304,
    "controlValue": 0.0242,
    "treatmentSampleSize": 142,
    "controlSampleSize": 144,
}
RESULTS: Body = {
    "experimentId": EXPERIMENT_ID,
    "metrics": {
        "conversion_rate": {
            "timeSeries": [POINT],
            "summary": {
                "treatmentMean": 0.0304,
                "controlMean": 0.0242,
                "totalTreatmentSamples": 142,
                "totalControlSamples": 144,
            },
        }
    },
    "generatedAt": "2025-01-29T00:05:00Z",
    "experimentPeriod": {
        "startDate": "2025-01-15T00:00:00Z",
        "endDate": "2025-01-29T00:00:00Z",
        "totalHours": 1,
    },
    "dataVersion": 1,
    "dataSource": "upload",
}
RESULTS_CSV = "timestamp,arm,value,sample_size\n2025-01-15T14:00:00Z,treatment,0.0304,142\n"
INTERVAL: Body = {"lower": 820.0, "upper": 1660.0}
VERDICT: Body = {"outcome": "better", "sentence": SENTENCE, "matchesExpectation": True}
ANALYSIS: Body = {
    "experimentId": EXPERIMENT_ID,
    "analysisId": ANALYSIS_ID,
    "didResults": {
        "conversion_rate": {
            "treatmentMean": 0.0304,
            "controlMean": 0.0242,
            "absoluteDifference": 0.0062,
            "relativeDifference": 0.256,
            "pValue": 0.00002,
            "confidenceLevel": 95.0,
            "confidenceInterval": {"lower": 0.0041, "upper": 0.0083},
            "sampleSizeControl": 48100,
            "sampleSizeTreatment": 47900,
            "effectSize": 0.41,
            "estimate": {"estimate": 0.0062, "stdError": 0.001, "dof": 17.4, "method": "prewhitened_ewc"},
            "verdict": VERDICT,
        }
    },
    "economicImpact": {
        "totalImpact": 1240.0,
        "totalInterval": INTERVAL,
        "annualizedImpact": 32329.0,
        "currency": "USD",
        "metricBreakdown": {
            "conversion_rate": {"dollarImpact": 1240.0, "metricValueUsed": 2000.0, "metricChange": 0.62}
        },
    },
    "metricValuesSnapshot": {
        "conversion_rate": {
            "dollarsPerUnit": 2000.0,
            "description": "Gross margin of one more percentage point of conversion",
            "unit": "%",
            "name": "Conversion rate",
            "version": 1,
            "currency": "USD",
            "unitScale": 100.0,
            "exposure": "experiment",
            "direction": "higher_is_better",
            "valueType": "proportion",
        }
    },
    "analysisTimestamp": "2025-01-29T00:05:09Z",
    "experimentPeriod": {
        "startDate": "2025-01-15T00:00:00Z",
        "endDate": "2025-01-29T00:00:00Z",
        "durationDays": 14.0,
    },
    "status": "complete",
    "version": "1",
    "dataVersion": 1,
    "dataSource": "upload",
    "confidenceLevel": 95,
    "expectedOutcome": "positive",
    "verdict": VERDICT,
}
ANALYSIS_LINE: Body = {
    "analysisId": ANALYSIS_ID,
    "analysisTimestamp": "2025-01-29T00:05:09Z",
    "dataVersion": 1,
    "totalImpact": 1240.0,
    "totalInterval": INTERVAL,
    "currency": "USD",
    "verdict": VERDICT,
    "priceVersions": {"conversion_rate": 1},
    "status": "complete",
    "version": "1",
}
NEW_METRIC: Body = {
    "metricId": "conversion_rate",
    "name": "Conversion rate",
    "dollarsPerUnit": 2000.0,
    "unit": "%",
    "description": "Gross margin of one more percentage point of conversion",
    "category": "conversion",
}
METRIC: Body = NEW_METRIC | {
    "lastUpdated": "2025-01-10T08:00:00Z",
    "updatedBy": "ada@example.com",
    "version": 1,
}
MERCHANT: Body = {
    "merchantId": "berlin-books",
    "name": "Berlin Books",
    "timeZone": "Europe/Berlin",
    "currency": "EUR",
}
ORDER: Body = {
    "merchantId": "berlin-books",
    "orderId": "A-1001",
    "time": "2025-01-15T14:05:00Z",
    "customerId": "c-7",
    "currency": "EUR",
    "status": "paid",
    "items": [{"sku": "atlas", "quantity": 1, "unitPrice": 24.5}],
}
RECEIPT: Body = {"merchantId": "berlin-books", "orderId": "A-1001", "outcome": "created"}
VISITS: Body = {"hour": "2025-01-15T14:00:00Z", "visits": 120, "countedAt": "2025-01-15T15:00:30Z"}
VISITS_OF_ARM: Body = VISITS | {"experimentId": EXPERIMENT_ID, "arm": "treatment", "visits": 61}
DAY: Body = {"start": "2025-01-14T23:00:00Z", "end": "2025-01-15T23:00:00Z", "orders": 1, "net": 24.5}
PLANNED: Body = {
    "points": [
        {
            "durationDays": 14,
            "effect": 0.0022,
            "effectInUnit": 0.22,
            "relative": 0.044,
            "impact": 440.0,
            "sentence": "14 days can detect 0.22 percentage points with a chance of 80%.",
        }
    ],
    "baselineDays": 14,
    "confidenceLevel": 0.95,
    "plannedPower": 0.8,
    "longRunVariance": 0.000048,
    "persistence": 0.5,
}

EXAMPLES: dict[str, tuple[Any, Any]] = {
    "create_experiment": (
        PLAN,
        {
            "experimentId": EXPERIMENT_ID,
            "status": "draft",
            "message": "Experiment created successfully",
            "estimatedCompletionTime": "2025-01-14T09:30:30Z",
        },
    ),
    "list_experiments": (
        None,
        {
            "experiments": [EXPERIMENT],
            "pagination": {"total": 1, "limit": 20, "offset": 0, "hasMore": False},
            "summary": {
                "totalExperiments": 1,
                "completedExperiments": 1,
                "totalEconomicImpact": 1240.0,
                "currency": "USD",
            },
        },
    ),
    "get_experiment": (
        None,
        {"experiment": EXPERIMENT, "hasResults": True, "hasAnalysis": True, "participantCount": 96000},
    ),
    "get_results": (None, {"experiment": EXPERIMENT, "results": RESULTS, "analysis": ANALYSIS}),
    "upload_results": (
        {"application/json": RESULTS, "text/csv": RESULTS_CSV},
        {"dataVersion": 1, "publishedAt": "2025-01-29T00:05:08Z", "created": True},
    ),
    "change_status": ({"status": "running", "expectedVersion": 3}, {"experiment": EXPERIMENT}),
    "archive": (None, {"experiment": EXPERIMENT | {"status": "archived"}}),
    "rerun": (None, {"analysis": ANALYSIS}),
    "list_analyses": (None, {"analyses": [ANALYSIS_LINE]}),
    "get_analysis": (None, {"analysis": ANALYSIS}),
    "export_experiment": (None, {"text/csv": RESULTS_CSV, "application/json": {"experiment": EXPERIMENT}}),
    "export_portfolio": (
        None,
        {"text/csv": f"id,name,status\n{EXPERIMENT_ID},Button Color A/B Test,complete\n", "application/json": []},
    ),
    "list_metric_values": (
        None,
        {
            "metrics": [METRIC],
            "categories": ["conversion", "revenue", "engagement", "retention", "other"],
            "totalMetrics": 1,
        },
    ),
    "create_metric_value": (NEW_METRIC, {"metric": METRIC}),
    "get_metric_value": (None, {"metric": METRIC}),
    "update_metric_value": (
        {"dollarsPerUnit": 2100, "changeReason": "new margin", "expectedVersion": 1},
        {
            "metric": METRIC | {"dollarsPerUnit": 2100.0, "version": 2},
            "previousValue": 2000.0,
            "impactedExperiments": 3,
        },
    ),
    "metric_history": (
        None,
        {
            "history": [
                {
                    "version": 2,
                    "dollarsPerUnit": 2100.0,
                    "updatedAt": "2025-02-01T08:00:00Z",
                    "changeReason": "new margin",
                },
                {"version": 1, "dollarsPerUnit": 2000.0, "updatedAt": "2025-01-10T08:00:00Z"},
            ]
        },
    ),
    "reprice_preview": (
        {"dollarsPerUnit": 2500},
        {
            "metricId": "conversion_rate",
            "currentDollarsPerUnit": 2000.0,
            "proposedDollarsPerUnit": 2500.0,
            "experiments": [
                {
                    "experimentId": EXPERIMENT_ID,
                    "name": "Button Color A/B Test",
                    "before": 1240.0,
                    "after": 1550.0,
                }
            ],
        },
    ),
    "plan": (
        {
            "metric": "conversion_rate",
            "noise": {"standardDeviation": 0.004, "autocorrelation": 0.5},
            "durations": [14],
            "level": 0.05,
        },
        PLANNED,
    ),
    "add_merchant": (MERCHANT, MERCHANT),
    "list_merchants": (None, {"merchants": [MERCHANT]}),
    "place_order": (ORDER, RECEIPT),
    "place_orders": ({"orders": [ORDER]}, {"receipts": [RECEIPT]}),
    "list_orders": (None, {"orders": [ORDER]}),
    "get_order": (None, ORDER),
    "record_visits": (
        {"visits": [VISITS, VISITS_OF_ARM]},
        {
            "receipts": [
                {"hour": "2025-01-15T14:00:00Z", "outcome": "created"},
                {
                    "hour": "2025-01-15T14:00:00Z",
                    "experimentId": EXPERIMENT_ID,
                    "arm": "treatment",
                    "outcome": "created",
                },
            ]
        },
    ),
    "get_analytics": (
        None,
        {
            "merchant": MERCHANT,
            "granularity": "daily",
            "range": {"first": "2025-01-15", "last": "2025-01-16", "totals": DAY, "rows": [DAY]},
            "freshness": {"lastOrderAt": "2025-01-15T14:05:00Z", "aggregatedAt": "2025-01-15T14:05:02Z"},
        },
    ),
    "health": (
        None,
        {
            "status": "healthy",
            "timestamp": "2025-01-29T00:06:00Z",
            "services": {"database": "healthy", "analysisEngine": "healthy", "resultsGenerator": "healthy"},
            "failures": 0,
            "lastAnalysisAt": "2025-01-29T00:05:09Z",
            "version": "1.0.0",
        },
    ),
    "failures": (
        None,
        {
            "failures": [
                {
                    "id": "f-1",
                    "function": "analysisProcessor",
                    "reason": "conversion_rate has no period in the experiment window",
                    "at": "2025-01-29T00:05:09Z",
                    "experimentId": EXPERIMENT_ID,
                }
            ]
        },
    ),
    "redrive": (None, {"redriven": 1}),
}
"""By operation: the request's body and the answer's data; by media type where there are several."""


def _error(code: str, message: str, **details: Any) -> Body:
    body = {"code": code, "message": message, "requestId": "b1f6a1c0-5a3e-4f7e-8f1d-2c9a51e0d7aa"}
    return body | ({"details": details} if details else {})


ERRORS: dict[int, tuple[str, Body]] = {
    400: (
        "The request's shape or values are wrong; `details` lists every problem.",
        _error(
            "VALIDATION_ERROR",
            "endDate must be after startDate",
            fields=[{"field": "endDate", "message": "endDate must be after startDate"}],
        ),
    ),
    401: (
        "No valid token came.",
        _error("UNAUTHORIZED", "Send a bearer token of the configured issuer in the Authorization header."),
    ),
    403: (
        "The token's role or merchant does not allow it.",
        _error("FORBIDDEN", "This needs the role admin; the token has viewer."),
    ),
    404: ("Nothing is stored there.", _error("NOT_FOUND", f"There is no experiment '{EXPERIMENT_ID}'.")),
    409: (
        "The state of the thing does not allow it: an illegal move, an outdated version, a used key.",
        _error("CONFLICT", "conversion_rate is at version 3, not 2: someone changed it.", version=3),
    ),
    413: (
        "The body is too large.",
        _error("TOO_LARGE", "The body is too large: compress it (Content-Encoding: gzip) or split it."),
    ),
    415: (
        "The body is of a kind that is not read here.",
        _error("UNSUPPORTED_MEDIA_TYPE", "Content-Type 'text/plain' is not read; send application/json, text/csv."),
    ),
    500: ("A fault of ours; the log has it under the requestId.", _error("SERVER_ERROR", "Something failed.")),
    503: (
        "A part of the service does not answer; try again in a moment.",
        _error("SERVICE_UNAVAILABLE", "A part of this service does not answer. Try again in a moment."),
    ),
}
"""By status: what it means, and an error as it is sent."""
