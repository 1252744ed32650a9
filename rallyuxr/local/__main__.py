"""`python -m rallyuxr.local start|stop|status|run|api`: the embedded cloud by hand, and the app on it."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rallyuxr.errors import RallyError
from rallyuxr.local.cloud import PROJECT, default_data_dir, ensure_running, free_port, keep, release, running, stop
from rallyuxr.local.deployment import Deployment, deploy

HOST = "127.0.0.1"
PAGES_PORT, API_PORT = 8501, 8000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 1 is a refusal, with its reason, or `status` finding nothing."""
    parser = argparse.ArgumentParser(prog="python -m rallyuxr.local", description=__doc__)
    parser.add_argument("command", choices=("start", "stop", "status", "run", "api"))
    parser.add_argument("--data-dir", type=Path, default=default_data_dir(), help="the folder of its state")
    options = parser.parse_args(arguments)
    data_dir = options.data_dir.absolute()
    commands = {"start": _start, "stop": _stop, "status": _status, "run": _pages, "api": _api}
    try:
        return commands[options.command](data_dir)
    except RallyError as error:
        print(error.message, file=sys.stderr)
        return 1


def _start(data_dir: Path) -> int:
    endpoint = ensure_running(data_dir)
    keep(data_dir)
    deployment = deploy(endpoint)
    print(f"# The embedded cloud runs on {endpoint.url} (process {endpoint.pid}) until `stop`.")
    for name, value in deployment.environment().items():
        print(f"export {name}={value}")
    print(f"# API: {deployment.api_url}")
    return 0


def _stop(data_dir: Path) -> int:
    print(f"Stopped; its state is in {data_dir}." if stop(data_dir) else f"No embedded cloud runs on {data_dir}.")
    return 0


def _status(data_dir: Path) -> int:
    note = running(data_dir)
    if note is None:
        print(f"No embedded cloud runs on {data_dir}.")
        return 1
    print(f"An embedded cloud runs on http://{HOST}:{note['port']} (process {note['pid']}), state in {data_dir}.")
    return 0


def _pages(data_dir: Path) -> int:
    port = free_port(PAGES_PORT)
    command = ["streamlit", "run", str(PROJECT / "streamlit_app.py"), "--server.address", HOST]
    command += ["--server.port", str(port), "--server.headless", "true"]
    return _serve(data_dir, command, f"The pages: http://{HOST}:{port}")


def _api(data_dir: Path) -> int:
    port = free_port(API_PORT)
    command = ["uvicorn", "rallyuxr.api.app:app", "--host", HOST, "--port", str(port)]
    return _serve(data_dir, command, f"The REST API: http://{HOST}:{port}/docs")


def _serve(data_dir: Path, command: Sequence[str], welcome: str) -> int:
    """Run a server on the deployed stack until it ends or Ctrl-C; the cloud stops with its last user."""
    try:
        deployment = deploy(ensure_running(data_dir))
        _introduce(deployment, welcome)
        environment = {**os.environ, **deployment.environment()}
        server = subprocess.Popen([sys.executable, "-m", *command], env=environment, cwd=PROJECT)
        return _wait(server)
    finally:
        if release(data_dir):
            print(f"Stopped; everything is kept in {data_dir}.")


def _introduce(deployment: Deployment, welcome: str) -> None:
    endpoint, changes = deployment.endpoint, deployment.changes
    print(f"Embedded cloud: {endpoint.url}, {'started' if endpoint.started_here else 'already running'}")
    print(f"Deployed: {f'{len(changes)} changes' if changes else 'nothing had changed'}")
    print(f"{welcome}   (Ctrl-C stops)", flush=True)


def _wait(server: "subprocess.Popen[bytes]") -> int:
    """Wait for the server's end; a signal to this process ends the server first."""
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
        return 0


if __name__ == "__main__":
    sys.exit(main())
