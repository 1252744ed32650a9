"""Every curl of docs/api.md does what it says when it is typed, in the document's order."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rallyuxr.local import Endpoint, deploy
from tests.cloud.api.conftest import served
from tests.cloud.api.exchange import EXPERIMENT, data_of, hourly_results, wait_for

DOCUMENT = Path(__file__).parents[3] / "docs" / "api.md"
FAILING_IS_FAILING = 'set -euo pipefail; curl() { command curl -sS --fail-with-body "$@"; }; '


def blocks() -> list[str]:
    """The indented blocks that call the API."""
    found = re.findall(r"(?:^    .*\n)+", DOCUMENT.read_text(), flags=re.MULTILINE)
    return [block for block in found if "curl" in block]


@pytest.fixture(scope="module")
def documented(cloud: Endpoint) -> Iterator[httpx.Client]:
    """A stage in which nothing is stored yet."""
    with served(deploy(cloud, stage="documented").environment()) as url, httpx.Client(base_url=url) as client:
        yield client


def test_every_curl_of_the_document_works(documented: httpx.Client, tmp_path: Path) -> None:
    plan = {**EXPERIMENT, "metrics": ["conversion_rate"], "dataSource": "api"}
    made = [data_of(documented.post("/experiments", json=plan), 201)["experimentId"] for _ in range(2)]
    token = data_of(documented.get("/experiments", params={"limit": 1}))["pagination"]["nextToken"]
    (tmp_path / "results.json").write_text(json.dumps(hourly_results(made[0], "conversion_rate")))
    values = {"API": str(documented.base_url).rstrip("/"), "ID": made[0], "TOKEN": token}
    values |= {"MERCHANT": "berlin-books", "ORDER": "A-1001"}
    for block in blocks():
        if "$ANALYSIS" in block:
            values["ANALYSIS"] = newest_analysis(documented, made[0])
        run = subprocess.run(
            ["bash", "-c", FAILING_IS_FAILING + re.sub("^    ", "", block, flags=re.MULTILINE)],
            env={"PATH": "/usr/bin:/bin", **values},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, f"{block}\n{run.stdout[-1000:]}{run.stderr[-1000:]}"


def newest_analysis(api: httpx.Client, experiment_id: str) -> str:
    def there() -> str | None:
        found = data_of(api.get(f"/experiments/{experiment_id}/analyses"))["analyses"]
        return str(found[0]["analysisId"]) if found else None

    return str(wait_for(there, seconds=180))
