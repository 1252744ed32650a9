"""The archives that functions run from: dependencies as layers, the package as code.

One layer serves every function. numpy and scipy make it (188 MB unzipped, 60 MB zipped); FastAPI and Mangum,
which the API alone needs, add 2 MB and a layer of their own would double what is built and stored. The one function
that writes Parquet has DuckDB beside it (70 MB unzipped, 24 MB zipped); pyarrow's 166 MB would not fit. Layers go
through the bucket, because a direct upload stops at 50 MB. They change with the lock only, so a change of the
code uploads some hundred kilobytes.

Layers hold their modules compiled too (27 MB). Functions cannot write where their layers are, so without that each
cold start would compile anew all it imports: three seconds on a desktop's core.
"""

import compileall
import hashlib
import io
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from py_compile import PycInvalidationMode

import rallyuxr
from infra.lock import part_of_lock
from infra.specs import Layer
from rallyuxr.errors import NotConfigured

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.txt"
RUNTIME = f"python3.{sys.version_info.minor}"
MACHINE = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
WHEELS = {"x86_64": "x86_64", "arm64": "aarch64"}

UNZIPPED_LIMIT = 250 * 2**20
_LEFT_OUT_OF_CODE = ("local", "dashboard", "cli.py", "result_commands.py", "order_commands.py", "price_commands.py")
_NEEDED_TESTS = ("numpy/_core/tests/_natype.py",)  # scipy.stats imports it
_LEFT_OUT_SUFFIXES = (".pyi", ".h", ".a", ".c", ".pxd", ".f90")


def architecture() -> str:
    """Lambda's name of this machine's processor; wheels and functions are made for it."""
    machine = platform.machine()
    if machine not in MACHINE:
        raise NotConfigured(f"Lambda runs on x86_64 and arm64; this machine is {machine!r}. Deploy from another.")
    return MACHINE[machine]


def layer_identity(layer: Layer) -> str:
    """Names the layer's content without building it: a digest of all that decides about it."""
    decisive = (
        " ".join(layer.packages).encode(),
        LOCK.read_bytes(),
        Path(__file__).read_bytes(),
        RUNTIME.encode(),
        architecture().encode(),
    )
    return hashlib.sha256(b"\0".join(decisive)).hexdigest()[:16]


def build_layer(layer: Layer, build: Path = ROOT / "build") -> Path:
    """The layer's archive, from the cache or built now (about ten seconds, with wheels cached)."""
    archive = build / f"{layer.name}-{layer_identity(layer)}.zip"
    if not archive.exists():
        build.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=build) as scratch:
            packages = Path(scratch, "packages")
            _install(layer, packages)
            _compile(packages)
            unfinished = Path(scratch, archive.name)
            needed = (path for path in _files(packages) if _needed(path.relative_to(packages)))
            unfinished.write_bytes(_zip(packages, "python", needed))
            unfinished.replace(archive)
    return archive


def build_code() -> bytes:
    """The package as functions need it: no pages, no embedded cloud, no command line."""
    package = Path(rallyuxr.__file__).parent
    kept = (path for path in _files(package) if path.relative_to(package).parts[0] not in _LEFT_OUT_OF_CODE)
    return _zip(package, "rallyuxr", (path for path in kept if path.suffix != ".pyc"))


def _install(layer: Layer, target: Path) -> None:
    """Exactly what the lock says, checked by its hashes; with uv where there is one, else with pip."""
    wheels, version = WHEELS[architecture()], f"3.{sys.version_info.minor}"
    part = target.with_name("requirements.txt")
    part.write_text(part_of_lock(LOCK.read_text(), layer.packages))
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv:
        command = [uv, "pip", "install", "--python-platform", f"{wheels}-manylinux_2_28"]
    else:
        command = [sys.executable, "-m", "pip", "install"]
        for tag in ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014"):
            command += ["--platform", f"{tag}_{wheels}"]
    command += ["--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--python-version", version, "--target", str(target), "--requirement", str(part)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotConfigured(
            f"The dependencies of the functions could not be installed:\n{done.stderr.strip()}\n"
            "Check the network and the package index, then run the same command again."
        )


def _compile(packages: Path) -> None:
    """Put every module's compiled form beside it, which is taken as it is: no date tells whether it fits."""
    compileall.compile_dir(
        packages,
        quiet=2,
        force=True,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        stripdir=packages,
        prependdir="/opt/python",
    )


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _needed(path: Path) -> bool:
    """Whether a function may load it; `path` begins at the packages."""
    if path.suffix in _LEFT_OUT_SUFFIXES or path.parts[0] == "bin" or path.name.startswith("."):
        return False
    return "tests" not in path.parts or path.as_posix() in _NEEDED_TESTS


def _zip(folder: Path, prefix: str, files: Iterable[Path]) -> bytes:
    """An archive whose bytes depend on the files alone: sorted, without dates."""
    archive, size = io.BytesIO(), 0
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for path in files:
            entry = zipfile.ZipInfo(f"{prefix}/{path.relative_to(folder).as_posix()}")
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            content = path.read_bytes()
            size += len(content)
            writer.writestr(entry, content)
    if size > UNZIPPED_LIMIT:
        raise NotConfigured(f"{prefix} unpacks to {size:,} bytes; Lambda takes {UNZIPPED_LIMIT:,} at most.")
    return archive.getvalue()
