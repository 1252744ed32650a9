"""ministack with what a laptop needs: crash-safe snapshots, durable streams, shared layers, a closed door.

Run by the interpreter of `.venv-cloud`, never imported by the product. Linux only: it forks for a point in
time. It reaches into ministack's private names, so the version is pinned and each of them has a test.

| added                | why                                                                                     |
|----------------------|-----------------------------------------------------------------------------------------|
| snapshots            | ministack saves on a clean stop only; here a forked copy saves every `SNAPSHOT_SECONDS` |
| synced files         | ministack renames files that may not be on the disk yet: a power cut could leave none   |
| durable streams      | ministack forgets change records at a stop but keeps the positions of their readers     |
| shared layers        | ministack unpacks 188 MB for every worker and writes them into every snapshot           |
| arithmetic           | ministack adds numbers at 28 digits, DynamoDB at 38                                     |
| a closed door        | any web page could post to a port of this machine; foreign origins and hosts are refused |
| no orphans           | the cloud ends when the last process that uses its folder is gone                       |
"""

import asyncio
import base64
import copy
import ctypes
import decimal
import fcntl
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DATA = Path(os.environ["RALLYUXR_DATA_DIR"])
LAYERS = Path(os.environ["RALLYUXR_LAYERS_DIR"])
PORT = int(os.environ["GATEWAY_PORT"])
EVERY = float(os.environ.get("SNAPSHOT_SECONDS", "10"))
SNAPSHOT_LIMIT_SECONDS = 120
WATCH_SECONDS = 2.0
CLAIMS = 20
PR_SET_PDEATHSIG = 1
LOOPBACK = {"localhost", "127.0.0.1", "::1"}

decimal.DefaultContext.prec = decimal.getcontext().prec = 38

from ministack import app as ministack  # noqa: E402
from ministack.core import persistence  # noqa: E402
from ministack.services import dynamodb, lambda_svc  # noqa: E402

Scope = dict[str, Any]


def save_synced(service: str, state: dict[str, Any]) -> None:
    """Put a service's state on the disk before it takes the place of the state before it.

    What cannot be written is logged, as ministack does: the other services' states are saved all the same.
    """
    file = Path(persistence.STATE_DIR, f"{service}.json")
    unfinished = file.with_suffix(".json.tmp")
    content = {"__ministack_format__": persistence._state_format_version(service), "payload": state}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if service == "lambda":
            sync_archives(Path(lambda_svc.CODE_BLOB_DIR))  # the state names them
        with unfinished.open("w") as opened:
            json.dump(content, opened, default=persistence._json_default)
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.replace(file)
    except Exception:
        persistence.logger.exception("%s was not saved; what was saved before stays", file)
        unfinished.unlink(missing_ok=True)


def sync(place: Path) -> None:
    """Put a file, or the names within a folder, on the disk."""
    opened = os.open(place, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def sync_archives(folder: Path) -> None:
    """Put the functions' code on the disk."""
    for place in (*folder.glob("*.zip"), folder) if folder.exists() else ():
        sync(place)


class DurableStreams:
    """Items and change records are one generation: both are in DynamoDB's one file of state."""

    def __init__(self) -> None:
        self._save, self._load = dynamodb.get_state, dynamodb.load_persisted_state
        self._load_readers = lambda_svc.load_persisted_state
        dynamodb.get_state, dynamodb.load_persisted_state = self.save, self.load
        lambda_svc.load_persisted_state = self.load_readers

    def save(self) -> dict[str, Any]:
        streams = (dynamodb._stream_records, dynamodb._stream_trimmed, dynamodb._stream_seq_counter)
        return {**self._save(), "streams": copy.deepcopy(streams)}

    def load(self, state: dict[str, Any]) -> None:
        records, trimmed, dynamodb._stream_seq_counter = state.pop("streams", ({}, {}, 0))
        self._load(state)
        dynamodb._stream_records.update(records)
        dynamodb._stream_trimmed.update(trimmed)

    def load_readers(self, state: dict[str, Any]) -> None:
        """A reader saved later than the records must not stand past their end, or it skips the next ones."""
        self._load_readers(state)
        positions = lambda_svc._dynamodb_stream_positions._data
        for (account, region, mapping), position in list(positions.items()):
            source = lambda_svc._esms._data[(account, region, mapping)]["EventSourceArn"]
            table = source.split("/stream/")[0].split("/")[-1]
            end = dynamodb.stream_end_position(table, account_id=account, region=region)
            positions[(account, region, mapping)] = min(position, end)


class SharedLayers:
    """A layer is unpacked once; what ministack keeps of it is a note that leads workers there."""

    def __init__(self) -> None:
        self._publish, self._load = lambda_svc._publish_layer_version, lambda_svc.load_persisted_state
        lambda_svc._publish_layer_version, lambda_svc.load_persisted_state = self.publish, self.load

    def publish(self, name: str, request: dict[str, Any]) -> Any:
        answer = self._publish(name, request)
        version = lambda_svc._layers[name]["versions"][-1]
        if version["_zip_data"]:
            version["_zip_data"] = self._note(self._unpacked(self._digest(version), version["_zip_data"]))
        return answer

    def load(self, state: dict[str, Any]) -> None:
        """Restore, and clear the folder of layers that were deleted."""
        self._load(state)
        layers = lambda_svc._layers._data.values()
        versions = [version for layer in layers for version in layer["versions"]]
        kept = {self._digest(version) for version in versions if not version.get("_deleted")}
        for folder in LAYERS.iterdir() if LAYERS.is_relative_to(DATA) and LAYERS.exists() else ():
            if folder.name not in kept:
                shutil.rmtree(folder)

    @staticmethod
    def _digest(version: dict[str, Any]) -> str:
        return base64.b64decode(version["Content"]["CodeSha256"]).hex()

    @staticmethod
    def _unpacked(digest: str, archive: bytes) -> Path:
        folder = LAYERS / digest
        if not folder.exists():
            LAYERS.mkdir(parents=True, exist_ok=True)
            unfinished = tempfile.mkdtemp(dir=LAYERS)
            zipfile.ZipFile(io.BytesIO(archive)).extractall(unfinished)
            try:
                os.rename(unfinished, folder)
            except OSError:
                shutil.rmtree(unfinished)  # another cloud was faster
        return folder

    @staticmethod
    def _note(folder: Path) -> bytes:
        """A layer of one `.pth` file, which the worker's `site.addsitedir` runs."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as writer:
            line = f"import sys; sys.path.insert(0, {str(folder / 'python')!r})\n"
            writer.writestr("python/lib/shared/site-packages/layer.pth", line)
        return archive.getvalue()


def load_or_refuse(service: str) -> Any:
    """State that is there and cannot be read ends the start; ministack would go on empty and save that."""
    state = persistence.load_state(service)
    file = Path(persistence.STATE_DIR, f"{service}.json")
    if state is None and file.exists():
        sys.stderr.write(f"{file} cannot be read. Restore it from a backup, or move it away to start without it.\n")
        sys.stderr.flush()
        os._exit(1)
    return state


class Snapshots:
    """Saves everything from a forked copy; the server stands still for the fork only.

    Copies are taken every `EVERY` seconds, however long writing one takes, so a crash loses that and the time
    of one writing. While nobody asks for anything, nothing is written.
    """

    def __init__(self) -> None:
        self.stale = False
        self._child = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._repeat())

    def stop(self) -> None:
        """ministack saves now itself; nobody else may write its files."""
        if self._task:
            self._task.cancel()
        if self._child:
            os.kill(self._child, signal.SIGKILL)

    async def _repeat(self) -> None:
        while True:
            begun = time.monotonic()
            if self.stale:
                self.stale = False
                await self._take()
            await asyncio.sleep(max(0.0, EVERY - (time.monotonic() - begun)))

    async def _take(self) -> None:
        self._child = os.fork()
        if not self._child:
            try:
                # Dies with the server: an orphan must not overwrite a later generation.
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                signal.alarm(SNAPSHOT_LIMIT_SECONDS)
                persistence.save_all(ministack._build_persistence_save_dict())
                sync(Path(persistence.STATE_DIR))
            finally:
                os._exit(0)
        await asyncio.to_thread(os.waitpid, self._child, 0)
        self._child = 0


def refusal(headers: list[tuple[bytes, bytes]]) -> str | None:
    """Why a request is not answered: it was sent by a web page of another site, or under another name."""
    fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    origin, host = fields.get("origin"), fields.get("host", "")
    if origin is not None and not _is_loopback(urlsplit(origin).hostname):
        return f"Requests from pages of {origin} are refused; the embedded cloud serves this machine only."
    if not _is_loopback(urlsplit(f"//{host}").hostname):
        return f"The embedded cloud does not answer for {host!r}; use 127.0.0.1 or localhost."
    return None


def _is_loopback(name: str | None) -> bool:
    return name is not None and (name in LOOPBACK or name.endswith(".localhost"))


class Door:
    """ministack's application behind the checks, with the snapshots that live as long as it does."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._snapshots = Snapshots()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif reason := refusal(scope["headers"]):
            await _answer(scope, send, 403, {"message": reason})
        elif scope["path"] == "/_rallyuxr":
            await _answer(scope, send, 200, {"pid": os.getpid(), "dataDir": str(DATA)})
        else:
            try:
                await self._inner(scope, receive, send)
            finally:
                self._snapshots.stale = True

    async def _live(self, scope: Scope, receive: Any, send: Any) -> None:
        self._snapshots.start()
        watch = asyncio.create_task(end_without_users())

        async def until_shutdown() -> Any:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                self._snapshots.stop()
            return message

        await self._inner(scope, until_shutdown, send)
        watch.cancel()


async def _answer(scope: Scope, send: Any, status: int, body: dict[str, Any]) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


async def end_without_users() -> None:
    """Stop when no process holds the users' lock; the kernel drops it however a process ends.

    The lock is held to the end, so that whoever comes meanwhile waits and starts a cloud of their own.
    """
    with (DATA / "users.lock").open("a") as users:
        while (DATA / "keep").exists() or not _locked(users):
            await asyncio.sleep(WATCH_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()


def _locked(file: io.TextIOWrapper) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def claim() -> io.TextIOWrapper:
    """Hold the folder: two clouds on one state would overwrite each other.

    Whoever asks what runs holds the note for a moment, so one refusal is not the last word.
    """
    note = (DATA / "cloud.json").open("a+")
    for _ in range(CLAIMS):
        if _locked(note):
            note.truncate(0)
            note.write(json.dumps({"pid": os.getpid(), "port": PORT}))
            note.flush()
            return note
        time.sleep(0.1)
    sys.exit(f"Another embedded cloud uses {DATA}.")


def main() -> None:
    held = claim()
    DurableStreams()
    SharedLayers()
    ministack.load_state = load_or_refuse
    persistence.save_state = save_synced
    ministack.app = Door(ministack.app)
    ministack.main()
    sync(Path(persistence.STATE_DIR))
    held.close()


if __name__ == "__main__":
    main()
