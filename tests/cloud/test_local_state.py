"""How the embedded cloud's state gets onto the disk: synced before it takes the old one's place, or not at all."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from rallyuxr.local import cloud as embedded

LAUNCHER = Path(embedded.__file__).with_name("launcher.py")
PROGRAM = """
import json, os, runpy, sys
from pathlib import Path

steps = []
fsync, replace = os.fsync, Path.replace

def synced(descriptor):
    fsync(descriptor)
    place = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
    steps.append(["sync", place.name, place.stat().st_size > 0])

def replaced(self, target):
    steps.append(["rename", self.name, Path(target).name])
    return replace(self, target)

os.fsync, Path.replace = synced, replaced
launcher = runpy.run_path(sys.argv[1])
state = Path(launcher["persistence"].STATE_DIR)
launcher["save_synced"]("notes", {"first": b"\\x00\\x01", "second": 2})
launcher["sync"](state)
launcher["lambda_svc"]._write_code_blob(b"code")
launcher["save_synced"]("lambda", {})
launcher["save_synced"]("notes", {"first": object()})
left = sorted(path.name for path in state.iterdir())
print(json.dumps({"steps": steps, "left": left, "read": repr(launcher["persistence"].load_state("notes"))}))
"""


def test_a_state_is_on_the_disk_before_it_replaces_the_one_before(tmp_path: Path) -> None:
    environment = embedded._environment(tmp_path, 0, tmp_path / "layers", 10.0)
    run = subprocess.run(
        [embedded._interpreter(), "-c", PROGRAM, LAUNCHER],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    assert found["steps"] == [
        ["sync", "notes.json.tmp", True],
        ["rename", "notes.json.tmp", "notes.json"],
        ["sync", "state", True],
        ["sync", f"{hashlib.sha256(b'code').hexdigest()}.zip", True],
        ["sync", "lambda-blobs", True],
        ["sync", "lambda.json.tmp", True],
        ["rename", "lambda.json.tmp", "lambda.json"],
    ]
    assert found["left"] == ["lambda-blobs", "lambda.json", "notes.json"], (
        "what could not be written leaves the state before, and nothing else"
    )
    assert found["read"] == repr({"first": b"\x00\x01", "second": 2})
    assert "was not saved" in run.stderr
