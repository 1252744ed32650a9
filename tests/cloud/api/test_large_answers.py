"""A year of hours in ten metrics: compressed within a Lambda's answer, or a signed link for who takes no gzip."""

import gzip
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from rallyuxr.local import Deployment
from rallyuxr.models import ExperimentData
from rallyuxr.services.context import Context, connect
from rallyuxr.services.experiments import create_experiment
from rallyuxr.services.results import publish_results
from rallyuxr.settings import Settings
from rallyuxr.store import Store
from tests.cloud.spine_samples import METRICS, hourly, plan

LAMBDA_ANSWERS = 6 * 2**20
HOURS = 8_760


@pytest.fixture(scope="module")
def year(deployed: Deployment) -> tuple[str, ExperimentData]:
    """An experiment of ten metrics with a year of hours each, and its data."""
    ctx: Context = connect()
    experiment = create_experiment(ctx, plan(metrics=METRICS, start_date="2025-01-15", end_date="2026-01-01"))
    data = hourly(METRICS, "2025-01-01", "2026-01-01")
    publish_results(ctx, experiment.id, data)
    return experiment.id, data


def ask(api: httpx.Client, experiment_id: str, encoding: str) -> tuple[httpx.Response, bytes]:
    """The answer, and its body as it comes over the wire, not unpacked."""
    path = f"/experiments/{experiment_id}/results"
    with api.stream("GET", path, headers={"Accept-Encoding": encoding}, timeout=120) as answer:
        return answer, b"".join(answer.iter_raw())


def points_of(content: bytes, metric: str) -> list[dict[str, Any]]:
    results = json.loads(content)["data"]["results"]
    assert results["metrics"].keys() == set(METRICS)
    points: list[dict[str, Any]] = results["metrics"][metric]["timeSeries"]
    assert len(points) == HOURS
    return points


@pytest.mark.slow
def test_a_year_comes_compressed_within_what_a_lambda_answers(
    api: httpx.Client, year: tuple[str, ExperimentData]
) -> None:
    experiment_id, data = year
    answer, sent = ask(api, experiment_id, "gzip")
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "gzip"
    assert len(sent) * 4 / 3 < LAMBDA_ANSWERS, "the function hands a compressed body over as base64"
    for metric, series in data.series.items():
        points = points_of(gzip.decompress(sent), metric)
        assert [point["treatmentValue"] for point in points] == series.treatment.tolist()
        assert [point["controlSampleSize"] for point in points] == series.control_n.tolist()
        assert [point["timestamp"] for point in points] == [f"{at}Z" for at in series.timestamps]


def test_who_takes_no_gzip_gets_a_link_that_reads_the_same_answer(
    api: httpx.Client, year: tuple[str, ExperimentData]
) -> None:
    experiment_id, data = year
    answer, sent = ask(api, experiment_id, "identity")
    assert answer.status_code == 200
    given = json.loads(sent)["data"]
    assert given.keys() == {"link", "expiresAt", "sizeBytes"}
    content = httpx.get(given["link"], timeout=60).content
    assert len(content) == given["sizeBytes"] > LAMBDA_ANSWERS
    points = points_of(content, METRICS[3])
    assert [point["controlValue"] for point in points] == data.series[METRICS[3]].control.tolist()


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "eu-central-1"])
def test_a_link_is_signed_as_every_bucket_takes_it(region: str) -> None:
    """Signature version 4, which AWS asks for; the older one opens no bucket made since 2020."""
    store = Store(Settings(stage="prod", region=region))
    store.cloud.__dict__["bucket"] = "rallyuxr-prod-123456789012"
    link = store.cloud.client("s3").generate_presigned_url(
        "get_object", Params={"Bucket": store.cloud.bucket, "Key": "exports/a"}, ExpiresIn=60
    )
    asked = parse_qs(urlsplit(link).query)
    assert asked["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert asked["X-Amz-Expires"] == ["60"]
