"""Each endpoint of the contract answers as specified; requests and answers are written from it."""

from typing import Any

import httpx
import pytest

from tests.cloud.api.exchange import EXPERIMENT, METRIC, data_of, error_of, fresh_name, hourly_results, wait_for

HOURLY = {"timestamp", "treatmentValue", "controlValue", "treatmentSampleSize", "controlSampleSize"}
DID_RESULT = {
    "treatmentMean",
    "controlMean",
    "absoluteDifference",
    "relativeDifference",
    "pValue",
    "confidenceLevel",
    "confidenceInterval",
    "sampleSizeControl",
    "sampleSizeTreatment",
    "effectSize",
}


def created(api: httpx.Client, **changes: object) -> str:
    return str(data_of(api.post("/experiments", json={**EXPERIMENT, **changes}), 201)["experimentId"])


def analysed(api: httpx.Client, experiment_id: str) -> dict[str, Any]:
    def ready() -> dict[str, Any] | None:
        found = data_of(api.get(f"/experiments/{experiment_id}/results"))
        return found if "analysis" in found else None

    found: dict[str, Any] = wait_for(ready, seconds=180)
    return found


def test_creating_an_experiment_answers_201_with_its_id_and_when_results_are_ready(api: httpx.Client) -> None:
    data = data_of(api.post("/experiments", json=EXPERIMENT), 201)
    assert data.keys() == {"experimentId", "status", "message", "estimatedCompletionTime"}
    assert data["status"] == "draft"
    assert data["message"] == "Experiment created successfully"


def test_a_new_experiment_is_simulated_analysed_and_complete(api: httpx.Client, metric: str) -> None:
    experiment_id = created(api, metrics=[metric])
    found = analysed(api, experiment_id)
    assert found.keys() == {"experiment", "results", "analysis"}
    results, analysis = found["results"], found["analysis"]
    assert results["dataSource"] == "simulator"
    assert results["experimentPeriod"]["totalHours"] == 14 * 24
    assert results["metrics"][metric]["timeSeries"][0].keys() >= HOURLY
    assert results["metrics"][metric]["summary"].keys() == {
        "treatmentMean",
        "controlMean",
        "totalTreatmentSamples",
        "totalControlSamples",
    }
    assert analysis["didResults"][metric].keys() >= DID_RESULT
    assert analysis["didResults"][metric]["confidenceLevel"] == 95
    assert analysis["economicImpact"].keys() >= {"totalImpact", "annualizedImpact", "metricBreakdown"}
    assert "roiPercentage" not in analysis["economicImpact"], "no cost was given, so no return on it"
    assert analysis["economicImpact"]["metricBreakdown"][metric].keys() >= {
        "dollarImpact",
        "metricValueUsed",
        "metricChange",
    }
    assert analysis["metricValuesSnapshot"][metric]["dollarsPerUnit"] == METRIC["dollarsPerUnit"]
    assert analysis["experimentPeriod"]["durationDays"] == 14
    detail = data_of(api.get(f"/experiments/{experiment_id}"))
    assert detail.keys() == {"experiment", "hasResults", "hasAnalysis", "participantCount"}
    assert detail["hasResults"]
    assert detail["hasAnalysis"]
    assert detail["experiment"]["status"] == "complete"


def test_uploaded_results_are_analysed_and_priced(api: httpx.Client, metric: str) -> None:
    experiment_id = created(api, metrics=[metric], dataSource="api")
    uploaded = api.post(
        f"/experiments/{experiment_id}/results", json=hourly_results(experiment_id, metric, lift=0.004)
    )
    assert data_of(uploaded, 201)["dataVersion"] == 1
    assert data_of(api.get(f"/experiments/{experiment_id}"))["hasResults"] is True, "analysed or not"
    found = analysed(api, experiment_id)
    effect = found["analysis"]["didResults"][metric]["estimate"]
    assert effect["ciLower"] < 0.004 < effect["ciUpper"]
    impact = found["analysis"]["economicImpact"]["metricBreakdown"][metric]
    assert impact["metricChange"] == pytest.approx(100 * effect["estimate"], rel=1e-12)
    assert impact["dollarImpact"] == pytest.approx(2000 * impact["metricChange"], rel=1e-12)
    again = api.post(
        f"/experiments/{experiment_id}/results", json=hourly_results(experiment_id, metric, lift=0.004)
    )
    assert data_of(again, 201)["created"] is False


def test_results_come_as_csv_too_and_go_out_as_they_came(api: httpx.Client, metric: str) -> None:
    experiment_id = created(api, metrics=[metric], dataSource="api")
    rows = [
        f"{point['timestamp']},{arm},{point[f'{arm}Value']},{point[f'{arm}SampleSize']}"
        for point in hourly_results(experiment_id, metric)["metrics"][metric]["timeSeries"]
        for arm in ("treatment", "control")
    ]
    table = "\n".join(["timestamp,arm,value,sample_size", *rows])
    path = f"/experiments/{experiment_id}/results"
    uploaded = api.post(path, content=table, headers={"Content-Type": "text/csv"})
    assert data_of(uploaded, 201)["created"] is True
    exported = api.get(f"/experiments/{experiment_id}/export", params={"format": "csv"})
    assert exported.headers["content-type"].startswith("text/csv")
    assert len(exported.text.splitlines()) == len(rows) + 1
    again = api.post(path, content=exported.content, headers={"Content-Type": "text/csv"})
    assert data_of(again, 201)["created"] is False
    assert experiment_id in api.get("/exports/experiments", params={"format": "csv"}).text
    error_of(api.post(path, content="x", headers={"Content-Type": "text/plain"}), 415, "UNSUPPORTED_MEDIA_TYPE")


def test_an_export_of_experiments_leads_from_one_part_to_the_next(api: httpx.Client, metric: str) -> None:
    newest = [created(api, metrics=[metric], dataSource="api") for _ in range(3)][::-1]
    found, address = [], httpx.URL("/exports/experiments?format=json&limit=2")
    while len(found) < 4:
        answer = api.get(address)
        content = answer.json()
        found += [line["id"] for line in content["experiments"]]
        if "link" not in answer.headers:
            break
        assert answer.links["next"]["url"].startswith("?format=json&limit=2&nextToken=")
        address = address.join(answer.links["next"]["url"])
        assert address.params["nextToken"] == content["nextToken"]
    assert found[:3] == newest
    for query in ("limit=0", "limit=2001", "nextToken=x", "format=xml"):
        error_of(api.get(f"/exports/experiments?{query}"), 400, "VALIDATION_ERROR")


def test_a_malformed_upload_lists_its_problems_and_stores_nothing(api: httpx.Client, metric: str) -> None:
    experiment_id = created(api, metrics=[metric], dataSource="api")
    table = "timestamp,arm,value,sample_size\n2025-01-15T00:00:00Z,treatment,abc,-1\n"
    path = f"/experiments/{experiment_id}/results"
    error = error_of(api.post(path, content=table, headers={"Content-Type": "text/csv"}), 400, "VALIDATION_ERROR")
    assert {problem.get("column") for problem in error["details"]["problems"]} >= {"value", "sample_size"}
    assert data_of(api.get(f"/experiments/{experiment_id}"))["hasResults"] is False


def test_the_list_pages_and_sums_up(api: httpx.Client) -> None:
    ids = [created(api) for _ in range(3)]
    page = data_of(api.get("/experiments", params={"limit": 2, "offset": 0}))
    assert page.keys() == {"experiments", "pagination", "summary"}
    assert page["pagination"].keys() >= {"total", "limit", "offset", "hasMore"}
    assert page["pagination"]["hasMore"] is True
    assert page["summary"].keys() >= {"totalExperiments", "completedExperiments", "totalEconomicImpact"}
    token = page["pagination"]["nextToken"]
    rest = data_of(api.get("/experiments", params={"limit": 1, "nextToken": token}))
    skipped = data_of(api.get("/experiments", params={"limit": 1, "offset": 2}))
    assert [one["id"] for one in rest["experiments"]] == [one["id"] for one in skipped["experiments"]]
    listed = [one["id"] for one in page["experiments"] + rest["experiments"]]
    assert listed == ids[::-1]


def test_unknown_things_are_404_in_the_contracts_shape(api: httpx.Client) -> None:
    for path in (
        "/experiments/none",
        "/experiments/none/results",
        "/experiments/none/analyses",
        "/metric-values/none",
    ):
        error_of(api.get(path), 404, "NOT_FOUND")
    error_of(api.get("/nowhere"), 404, "NOT_FOUND")
    error_of(api.put("/metric-values/none", json={"dollarsPerUnit": 1}), 404, "NOT_FOUND")


def test_every_wrong_field_is_named_at_once(api: httpx.Client) -> None:
    wrong = {**EXPERIMENT, "name": "", "expectedOutcome": "good", "surprise": 1}
    error = error_of(api.post("/experiments", json=wrong), 400, "VALIDATION_ERROR")
    assert {problem["field"] for problem in error["details"]["fields"]} == {"name", "expectedOutcome", "surprise"}


def test_an_illegal_move_is_a_409(api: httpx.Client) -> None:
    experiment_id = created(api, dataSource="api")
    error_of(api.put(f"/experiments/{experiment_id}/status", json={"status": "complete"}), 409, "CONFLICT")
    error_of(api.put(f"/experiments/{experiment_id}/status", json={"status": "draft"}), 409, "CONFLICT")
    moved = data_of(api.put(f"/experiments/{experiment_id}/status", json={"status": "running"}))
    assert moved["experiment"]["status"] == "running"
    assert data_of(api.post(f"/experiments/{experiment_id}/archive"))["experiment"]["status"] == "archived"
    error_of(api.put(f"/experiments/{experiment_id}/status", json={"status": "running"}), 409, "CONFLICT")


def test_metric_values_are_listed_with_their_categories(api: httpx.Client, metric: str) -> None:
    data = data_of(api.get("/metric-values"))
    assert data.keys() == {"metrics", "categories", "totalMetrics"}
    assert data["categories"] == ["conversion", "revenue", "engagement", "retention", "other"]
    assert data["totalMetrics"] == len(data["metrics"])
    assert metric in {one["metricId"] for one in data["metrics"]}


def test_a_price_changes_under_its_version_and_history_keeps_the_reason(api: httpx.Client, metric: str) -> None:
    created(api, metrics=[metric], dataSource="api")
    changed = api.put(
        f"/metric-values/{metric}",
        json={"dollarsPerUnit": 2100, "changeReason": "new margin"},
        headers={"If-Match": '"1"'},
    )
    data = data_of(changed)
    assert data.keys() == {"metric", "previousValue", "impactedExperiments"}
    assert (data["previousValue"], data["impactedExperiments"], data["metric"]["version"]) == (2000, 1, 2)
    stale = api.put(f"/metric-values/{metric}", json={"dollarsPerUnit": 1, "expectedVersion": 1})
    error_of(stale, 409, "CONFLICT")
    history = data_of(api.get(f"/metric-values/{metric}/history"))["history"]
    assert [(entry["version"], entry["dollarsPerUnit"]) for entry in history] == [(2, 2100), (1, 2000)]
    assert history[0]["changeReason"] == "new margin"
    assert history[0].keys() >= {"version", "dollarsPerUnit", "updatedAt"}


def test_a_metric_priced_twice_is_a_409(api: httpx.Client, metric: str) -> None:
    error_of(api.post("/metric-values", json={**METRIC, "metricId": metric}), 409, "CONFLICT")


def test_a_reprice_preview_scales_the_total_and_stores_nothing(api: httpx.Client, metric: str) -> None:
    experiment_id = created(api, metrics=[metric])
    before = analysed(api, experiment_id)["analysis"]["economicImpact"]["totalImpact"]
    preview = data_of(api.post(f"/metric-values/{metric}/reprice-preview", json={"dollarsPerUnit": 4000}))
    (row,) = [row for row in preview["experiments"] if row["experimentId"] == experiment_id]
    assert row["before"] == pytest.approx(before, rel=1e-12)
    assert row["after"] == pytest.approx(2 * before, rel=1e-9)
    assert data_of(api.get(f"/metric-values/{metric}"))["metric"]["dollarsPerUnit"] == 2000


def test_a_rerun_takes_todays_prices_and_keeps_the_analysis_before(api: httpx.Client, metric: str) -> None:
    experiment_id = created(api, metrics=[metric])
    first = analysed(api, experiment_id)["analysis"]
    data_of(api.put(f"/metric-values/{metric}", json={"dollarsPerUnit": 3000}))
    second = data_of(api.post(f"/experiments/{experiment_id}/analyses"), 201)["analysis"]
    assert second["metricValuesSnapshot"][metric]["dollarsPerUnit"] == 3000
    lines = data_of(api.get(f"/experiments/{experiment_id}/analyses"))["analyses"]
    assert [line["analysisId"] for line in lines] == [second["analysisId"], first["analysisId"]]
    page = data_of(api.get(f"/experiments/{experiment_id}/analyses", params={"limit": 1}))
    assert page["analyses"] == lines[:1]
    rest = {"limit": 1, "nextToken": page["nextToken"]}
    assert data_of(api.get(f"/experiments/{experiment_id}/analyses", params=rest)) == {"analyses": lines[1:]}
    kept = data_of(api.get(f"/experiments/{experiment_id}/analyses/{first['analysisId']}"))["analysis"]
    assert kept == first


def test_planning_says_what_a_design_detects_in_units_and_dollars(api: httpx.Client, metric: str) -> None:
    experiment_id = created(api, metrics=[metric])
    analysed(api, experiment_id)
    asked = {"metric": metric, "durations": [7, 28]}
    by_history = data_of(api.post("/planning", json={**asked, "experimentId": experiment_id}))
    noise = {"standardDeviation": 0.004, "autocorrelation": 0.5}
    by_noise = data_of(api.post("/planning", json={**asked, "noise": noise}))
    for curve in (by_history, by_noise):
        week, month = curve["points"]
        assert 0 < month["effect"] < week["effect"]
        assert week["effectInUnit"] == pytest.approx(100 * week["effect"])
        assert week["impact"] == pytest.approx(2000 * week["effectInUnit"])
    error_of(api.post("/planning", json=asked), 400, "VALIDATION_ERROR")


def test_health_probes_the_parts(api: httpx.Client) -> None:
    data = data_of(api.get("/health"))
    assert data.keys() >= {"status", "timestamp", "services", "version"}
    assert data["services"].keys() == {"database", "analysisEngine", "resultsGenerator"}


def test_a_page_on_this_machine_may_call(api: httpx.Client) -> None:
    asked = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    preflight = api.options("/experiments", headers=asked)
    assert preflight.status_code in (200, 204)
    assert preflight.headers["access-control-allow-origin"] in ("*", "http://localhost:3000")


def test_a_foreign_page_may_not_call_an_open_api_on_a_laptop(api: httpx.Client) -> None:
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    preflight = api.options("/experiments", headers=asked)
    assert preflight.is_client_error
    assert "access-control-allow-origin" not in preflight.headers


def test_the_same_key_and_body_get_the_same_answer_another_body_a_409(api: httpx.Client) -> None:
    key = {"Idempotency-Key": fresh_name()}
    first = api.post("/experiments", json=EXPERIMENT, headers=key)
    again = api.post("/experiments", json=EXPERIMENT, headers=key)
    assert again.json() == first.json()
    assert again.status_code == first.status_code == 201
    other = api.post("/experiments", json={**EXPERIMENT, "name": "Another"}, headers=key)
    error_of(other, 409, "CONFLICT")


def test_a_body_over_the_limit_is_a_413(api: httpx.Client) -> None:
    # API Gateway takes 10 MB and Lambda 6 MB; ours is the limit that explains itself.
    error_of(api.post("/experiments", content=b" " * 6_000_001), 413, "TOO_LARGE")


def test_a_wrong_method_says_what_is_possible(api: httpx.Client) -> None:
    answer = api.delete("/experiments")
    error_of(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"]
