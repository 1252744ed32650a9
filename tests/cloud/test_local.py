"""The embedded cloud as a process: started once, found again, its door, its stop, its restart."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from rallyuxr.errors import Unavailable
from rallyuxr.local import Endpoint, deploy, ensure_deployment, ensure_running, keep, release, stop
from rallyuxr.local.cloud import running

TABLE = {
    "TableName": "notes",
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
}


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    release(tmp_path / "state")
    if (tmp_path / "state").exists():
        stop(tmp_path / "state")


def dynamodb(endpoint: Endpoint) -> Any:
    return boto3.client("dynamodb", endpoint_url=endpoint.url, **endpoint.keys())


def status_of(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_what_was_written_is_there_after_a_stop_and_a_start(data_dir: Path) -> None:
    endpoint = ensure_running(data_dir, port=0)
    dynamodb(endpoint).create_table(**TABLE)
    dynamodb(endpoint).put_item(TableName="notes", Item={"id": {"S": "kept"}})
    assert release(data_dir)
    assert running(data_dir) is None

    again = ensure_running(data_dir, port=0)
    assert again.pid != endpoint.pid
    assert dynamodb(again).get_item(TableName="notes", Key={"id": {"S": "kept"}})["Item"]


def test_a_second_run_uses_the_running_cloud_and_the_last_one_stops_it(data_dir: Path) -> None:
    first = ensure_running(data_dir, port=0)
    program = (
        "import pathlib, sys; from rallyuxr.local import ensure_running; "
        "e = ensure_running(pathlib.Path(sys.argv[1])); print(e.pid, e.started_here, flush=True); "
        "sys.stdin.read()"
    )
    second = subprocess.Popen(
        [sys.executable, "-c", program, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert second.stdout
    assert second.stdout.readline().split() == [str(first.pid), "False"]
    assert not release(data_dir)  # the other process still uses it
    assert running(data_dir)
    second.kill()  # it cannot say goodbye
    second.communicate()
    _until(lambda: running(data_dir) is None)


def test_a_kept_cloud_lives_without_users_until_it_is_stopped(data_dir: Path) -> None:
    ensure_running(data_dir, port=0)
    keep(data_dir)
    assert not release(data_dir)
    time.sleep(3)
    assert running(data_dir)
    assert stop(data_dir)
    assert not stop(data_dir)


def test_notes_of_a_cloud_that_is_gone_do_not_matter(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "cloud.json").write_text(json.dumps({"pid": os.getpid(), "port": 1}))
    assert running(data_dir) is None
    assert ensure_running(data_dir, port=0).started_here


def test_a_taken_port_is_passed_by(data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = ensure_running(data_dir, port=taken.getsockname()[1])
        assert endpoint.url != f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert status_of(f"{endpoint.url}/_ministack/health") == 200


def test_state_that_cannot_be_read_ends_the_start_and_stays_as_it_is(data_dir: Path) -> None:
    broken = data_dir / "state" / "dynamodb.json"
    broken.parent.mkdir(parents=True)
    broken.write_text('{"cut": ')
    with pytest.raises(Unavailable, match=r"dynamodb\.json cannot be read"):
        ensure_running(data_dir, port=0)
    assert broken.read_text() == '{"cut": '


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1:8501"}, 200),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1.example.com"}, 403),
        ({"Host": "example.com"}, 403),
        ({"Host": "rebound.example.com:80"}, 403),
    ],
)
def test_web_pages_of_other_sites_are_refused(cloud: Endpoint, headers: dict[str, str], status: int) -> None:
    assert status_of(f"{cloud.url}/_ministack/health", **headers) == status


def test_it_listens_on_loopback_only(cloud: Endpoint) -> None:
    port = int(cloud.url.rsplit(":", 1)[1])
    listening = Path("/proc/net/tcp").read_text().splitlines()[1:]
    addresses = {line.split()[1] for line in listening if line.split()[3] == "0A"}
    assert {address for address in addresses if address.endswith(f":{int(port):04X}")} == {
        f"0100007F:{int(port):04X}"
    }


def test_nothing_of_the_callers_environment_reaches_it(cloud: Endpoint) -> None:
    environment = Path(f"/proc/{cloud.pid}/environ").read_bytes().decode()
    names = {entry.split("=")[0] for entry in environment.split("\0") if entry}
    assert "PYTEST_CURRENT_TEST" not in names
    assert not [name for name in names if name.startswith("AWS_")]


def test_with_a_deployment_named_nothing_is_started(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    assert ensure_deployment(data_dir) is None
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("RALLYUXR_STAGE", "elsewhere")
    assert ensure_deployment(data_dir) is None
    assert not data_dir.exists()


@pytest.mark.slow
def test_ctrl_c_stops_the_app_and_the_cloud_and_keeps_the_data(data_dir: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "rallyuxr.local", "run", "--data-dir", str(data_dir)]
    app = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert app.stdout
    address = next(line for line in app.stdout if line.startswith("The pages: ")).split()[2]
    _until(lambda: _answers(address))
    note = running(data_dir)
    assert note

    os.killpg(app.pid, signal.SIGINT)  # what a terminal does
    said, _ = app.communicate(timeout=60)
    assert app.returncode == 0
    assert f"everything is kept in {data_dir}" in said
    assert running(data_dir) is None
    assert not _answers(address)
    changes = deploy(ensure_running(data_dir, port=0)).changes
    assert not [change for change in changes if change.action == "create"]  # the stack outlived the stop


def _answers(url: str) -> bool:
    try:
        return status_of(url) == 200
    except OSError:
        return False


def _until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)
