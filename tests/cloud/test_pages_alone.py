"""`streamlit run streamlit_app.py` by itself: it starts an embedded cloud or uses the one that runs, never AWS."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rallyuxr.local import ensure_running, release, stop
from rallyuxr.local.cloud import running

ROOT = Path(__file__).parents[2]
OPENED = """
import json, os, socket, sys
from pathlib import Path
from streamlit.testing.v1 import AppTest

connect, reached = socket.socket.connect, set()

def noted(self, address):
    reached.add(str(address[0]) if isinstance(address, tuple) else "local")
    return connect(self, address)

socket.socket.connect = noted
app = AppTest.from_file(str(Path("streamlit_app.py").absolute()), default_timeout=240).run()
from rallyuxr.local.cloud import default_data_dir, running
said = [each.value for each in app.title] + [each.value for each in app.caption]
names = ("AWS_ENDPOINT_URL", "RALLYUXR_STAGE")
print(json.dumps({
    "failed": [each.message for each in app.exception], "errors": [each.value for each in app.error],
    "said": said, "reached": sorted(reached),
    "cloud": running(default_data_dir()), **{name: os.environ.get(name) for name in names},
}))
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    release(tmp_path / "state")
    if (tmp_path / "state").exists():
        stop(tmp_path / "state")


def opened(data_dir: Path, tmp_path: Path, **more: str) -> dict[str, Any]:
    """What the first session of the app finds in an environment of someone who works with AWS."""
    profile = tmp_path / "config"
    profile.write_text("[profile work]\nregion = eu-west-1\nrole_arn = arn:aws:iam::123456789012:role/x\n")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    aws = {
        "AWS_CONFIG_FILE": str(profile),
        "AWS_PROFILE": "work",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    run = subprocess.run(
        [sys.executable, "-c", OPENED],
        cwd=ROOT,
        env={**kept, **aws, "RALLYUXR_DATA_DIR": str(data_dir), **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    assert found["failed"] == []
    assert set(found["reached"]) <= {"127.0.0.1", "localhost", "::1", "local"}, "this machine and no other"
    return found


@pytest.mark.slow
def test_alone_it_starts_an_embedded_cloud_whatever_aws_keys_lie_around(data_dir: Path, tmp_path: Path) -> None:
    found = opened(data_dir, tmp_path)
    assert found["cloud"], "one runs on the folder"
    assert found["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{found['cloud']['port']}"
    assert found["RALLYUXR_STAGE"] == "local"
    assert found["errors"] == [], "tables are read, with the cloud's own keys and region"
    assert any("Embedded cloud on this machine" in text for text in found["said"])


@pytest.mark.slow
def test_it_uses_the_embedded_cloud_that_runs(data_dir: Path, tmp_path: Path) -> None:
    there = ensure_running(data_dir, port=0)
    found = opened(data_dir, tmp_path)
    assert (found["cloud"]["pid"], found["errors"]) == (there.pid, [])
    assert running(data_dir), "and leaves it running"


def test_with_an_endpoint_named_it_starts_nothing(data_dir: Path, tmp_path: Path) -> None:
    found = opened(data_dir, tmp_path, AWS_ENDPOINT_URL="http://127.0.0.1:1")
    assert found["cloud"] is None
    assert "http://127.0.0.1:1/" in found["errors"][0]
    assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert not data_dir.exists()
