"""Starts, finds and stops the embedded cloud of a data folder.

The kernel's file locks say what runs, so nothing can be stale: the server holds `cloud.json` while it
lives, everyone who uses it holds `users.lock` shared, and starting is done under `start.lock`.
"""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rallyuxr.errors import NotConfigured, Unavailable

PROJECT = Path(__file__).resolve().parents[2]
ENVIRONMENT = PROJECT / ".venv-cloud"
LOCK = PROJECT / "requirements-cloud.txt"
PREFERRED_PORT = 4566
ROOT_ACCOUNT = "000000000000"
REGION = "us-east-1"
START_SECONDS = 30.0
STOP_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running embedded cloud, and the account in it that this process works in."""

    url: str
    pid: int
    data_dir: Path
    started_here: bool
    account: str = ROOT_ACCOUNT

    def keys(self) -> dict[str, str]:
        """The account's keys; the cloud takes a key of twelve digits as the root of that account."""
        return {"aws_access_key_id": self.account, "aws_secret_access_key": "test"}

    def environment(self) -> dict[str, str]:
        """The variables by which every AWS client finds it."""
        keys = {name.upper(): value for name, value in self.keys().items()}
        return {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, **keys}


def default_data_dir() -> Path:
    """`RALLYUXR_DATA_DIR`, or `.rallyuxr` in the project."""
    return Path(os.environ.get("RALLYUXR_DATA_DIR") or PROJECT / ".rallyuxr").absolute()


def ensure_running(
    data_dir: Path | None = None,
    *,
    port: int = PREFERRED_PORT,
    layers_dir: Path | None = None,
    snapshot_seconds: float = 10.0,
) -> Endpoint:
    """The embedded cloud of a folder, started if it does not run; it lives while this process does.

    Args:
        data_dir: where its state is kept; `default_data_dir()` if None.
        port: the loopback port to try first; the next free one is taken if it is busy.
        layers_dir: where layers are unpacked; inside `data_dir` if None.
        snapshot_seconds: how often its state is written; a crash loses this and the time of one write.

    Raises:
        NotConfigured: this machine cannot run it, or its environment could not be made.
        Unavailable: it did not start, or it runs and does not answer.
    """
    data_dir = (data_dir or default_data_dir()).absolute()
    data_dir.mkdir(parents=True, exist_ok=True)
    with _locked(data_dir / "start.lock"):
        _use(data_dir)
        note = running(data_dir)
        if note and _answers(data_dir, note, ended=lambda: running(data_dir) is None):
            return Endpoint(_url(note), note["pid"], data_dir, started_here=False)
        _reap(data_dir)
        return _start(data_dir, port, (layers_dir or data_dir / "layers").absolute(), snapshot_seconds)


def running(data_dir: Path) -> dict[str, int] | None:
    """Process and port of the folder's cloud; None if none runs."""
    note = data_dir / "cloud.json"
    if not note.exists():
        return None
    with note.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return dict(json.load(file))
        return None


def stop(data_dir: Path) -> bool:
    """Stop the folder's cloud and wait until its state is written; False if none ran.

    Raises:
        Unavailable: it does not end.
    """
    if not data_dir.exists():
        return False
    with _locked(data_dir / "start.lock"):
        (data_dir / "keep").unlink(missing_ok=True)
        return _end(data_dir)


def release(data_dir: Path) -> bool:
    """Stop using the folder's cloud; it is stopped if nobody else uses it. True if it was stopped."""
    user = _users.pop(data_dir, None)
    if user is None:
        return False
    user.close()
    with _locked(data_dir / "start.lock"), (data_dir / "users.lock").open("a") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return not (data_dir / "keep").exists() and _end(data_dir)


def keep(data_dir: Path) -> None:
    """Let the folder's cloud live on when no process uses it, until `stop`."""
    (data_dir / "keep").touch()


_users: dict[Path, IO[str]] = {}
_started: dict[Path, "subprocess.Popen[bytes]"] = {}


def _use(data_dir: Path) -> None:
    """Hold the users' lock for the life of this process."""
    if data_dir not in _users:
        user = (data_dir / "users.lock").open("a")
        fcntl.flock(user, fcntl.LOCK_SH)
        _users[data_dir] = user


def _end(data_dir: Path) -> bool:
    """End what runs and wait for it; False if nothing did."""
    note = running(data_dir)
    if note is None:
        return False
    os.kill(note["pid"], signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while running(data_dir):
        if time.monotonic() > deadline:
            raise Unavailable(
                f"The embedded cloud (process {note['pid']}) does not end after {STOP_SECONDS:.0f} s. "
                f"`kill -9 {note['pid']}` ends it; at most the last seconds are lost."
            )
        time.sleep(0.05)
    _reap(data_dir)
    return True


def _reap(data_dir: Path) -> None:
    """Take leave of a cloud that this process started and that has ended."""
    if process := _started.pop(data_dir, None):
        process.wait()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _interpreter() -> Path:
    """The interpreter of the cloud's own environment, which is made from its lock when missing.

    It holds the cloud and boto3 only, so that a dependency missing from the functions' archives fails
    here as it would on AWS.
    """
    if sys.platform != "linux":
        raise NotConfigured(
            f"The embedded cloud runs on Linux (WSL 2 included), not on {sys.platform!r}. "
            "Set AWS_ENDPOINT_URL to one that runs elsewhere, or RALLYUXR_STAGE to a stage on AWS."
        )
    interpreter = ENVIRONMENT / "bin" / f"python3.{sys.version_info.minor}"
    if not interpreter.exists():
        print(f"Making the embedded cloud's environment in {ENVIRONMENT} (once) ...", flush=True)
        script = PROJECT / "scripts" / "environment.sh"
        command = [str(part) for part in (script, ENVIRONMENT, LOCK, sys.executable)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise NotConfigured(
                f"The embedded cloud's environment could not be made:\n{made.stderr.strip()}\n"
                f"Check the network and the package index, delete {ENVIRONMENT} and try again."
            )
    return interpreter


def _environment(data_dir: Path, port: int, layers_dir: Path, snapshot_seconds: float) -> dict[str, str]:
    """All that the server sees: nothing of this process reaches it, or a function it runs."""
    return {
        "PATH": os.defpath,
        "HOME": str(data_dir),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "RALLYUXR_DATA_DIR": str(data_dir),
        "RALLYUXR_LAYERS_DIR": str(layers_dir),
        "SNAPSHOT_SECONDS": str(snapshot_seconds),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "localhost",
        "LAMBDA_EXECUTOR": "local",
        "AUTH": "true",  # a function may do what its policy says, as on AWS
        "LOG_LEVEL": "WARNING",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(data_dir / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(data_dir / "s3"),
        "TMPDIR": str(data_dir / "tmp"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }


def _start(data_dir: Path, port: int, layers_dir: Path, snapshot_seconds: float) -> Endpoint:
    interpreter, port = _interpreter(), free_port(port)
    environment = _environment(data_dir, port, layers_dir, snapshot_seconds)
    shutil.rmtree(environment["TMPDIR"], ignore_errors=True)
    Path(environment["TMPDIR"]).mkdir()
    with (data_dir / "cloud.log").open("wb") as log:
        process = subprocess.Popen(
            [interpreter, "-P", Path(__file__).with_name("launcher.py")],
            env=environment,
            cwd=data_dir,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches the caller, who then stops it in order
        )
    _started[data_dir] = process
    note = {"pid": process.pid, "port": port}
    if not _answers(data_dir, note, ended=lambda: process.poll() is not None):
        said = (data_dir / "cloud.log").read_text(errors="replace")[-2000:]
        raise Unavailable(f"The embedded cloud ended while starting. It said:\n{said}")
    return Endpoint(_url(note), process.pid, data_dir, started_here=True)


def _answers(data_dir: Path, note: dict[str, int], ended: Callable[[], bool]) -> bool:
    """Wait until the cloud of this very folder answers; False if it ends before."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if _data_dir_at(_url(note)) == str(data_dir):
            return True
        if ended():
            return False
        time.sleep(0.05)
    raise Unavailable(
        f"The embedded cloud (process {note['pid']}, port {note['port']}) does not answer. "
        f"Read {data_dir / 'cloud.log'}; `kill {note['pid']}` ends it, then try again."
    )


def _url(note: dict[str, int]) -> str:
    return f"http://127.0.0.1:{note['port']}"


def _data_dir_at(url: str) -> str | None:
    try:
        with urllib.request.urlopen(f"{url}/_rallyuxr", timeout=5) as answer:
            return str(json.load(answer)["dataDir"])
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        return None


def free_port(first: int) -> int:
    """`first`, or a port that nobody listens on."""
    for port in (first, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Unavailable("No loopback port is free.")
