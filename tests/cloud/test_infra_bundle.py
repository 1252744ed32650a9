"""What functions run from: what is in the archives, and that they need nothing else."""

import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import MAGIC_NUMBER
from pathlib import Path, PurePosixPath

import pytest

from infra import bundle, specs
from infra.lock import part_of_lock
from rallyuxr.local import cloud as local_cloud

HANDLERS = sorted(function.handler for function in specs.FUNCTIONS)
LAYERS_OF = {function.handler: function.layers for function in specs.FUNCTIONS}
NOT_COMPILED = {f"python/{path}" for path in bundle._NEEDED_TESTS}
FORBIDDEN = ("pandas", "pyarrow", "statsmodels", "duckdb", "streamlit", "plotly", "boto3", "botocore")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    for layer in specs.LAYERS:
        zipfile.ZipFile(bundle.build_layer(layer)).extractall(folder / layer.name)
    zipfile.ZipFile(io.BytesIO(bundle.build_code())).extractall(folder / "code")
    return folder


@pytest.fixture(scope="module")
def names() -> Iterator[set[str]]:
    with zipfile.ZipFile(bundle.build_layer(specs.COMPUTING)) as archive:
        yield {name.split("/")[1] for name in archive.namelist()}


def test_the_layer_carries_what_functions_compute_with_and_no_data_frames(names: set[str]) -> None:
    assert {"numpy", "scipy", "pydantic", "aws_lambda_powertools", "fastapi", "mangum", "tzdata"} <= names
    assert not names & set(FORBIDDEN)


@pytest.mark.parametrize("function", specs.FUNCTIONS, ids=lambda function: function.name)
def test_a_functions_layers_and_code_fit_into_lambda(function: specs.Function) -> None:
    archives = [bundle.build_layer(layer) for layer in function.layers]
    entries = [entry for archive in archives for entry in zipfile.ZipFile(archive).infolist()]
    entries += zipfile.ZipFile(io.BytesIO(bundle.build_code())).infolist()
    assert sum(entry.file_size for entry in entries) < bundle.UNZIPPED_LIMIT


@pytest.mark.parametrize("layer", specs.LAYERS, ids=lambda layer: layer.name)
def test_a_layers_modules_are_compiled_for_its_runtime_and_need_no_date(layer: specs.Layer) -> None:
    with zipfile.ZipFile(bundle.build_layer(layer)) as archive:
        names = set(archive.namelist())
        compiled = [name for name in names if name.endswith(".pyc")]
        heads = {archive.open(name).read(8) for name in compiled}
    unchecked = (1).to_bytes(4, "little")  # PEP 552
    assert heads == {MAGIC_NUMBER + unchecked}
    modules = [PurePosixPath(name) for name in names if name.endswith(".py") and name not in NOT_COMPILED]
    tag = sys.implementation.cache_tag
    assert not [one for one in modules if str(one.parent / "__pycache__" / f"{one.stem}.{tag}.pyc") not in names]


def test_the_code_is_not_compiled() -> None:
    names = zipfile.ZipFile(io.BytesIO(bundle.build_code())).namelist()
    assert not [name for name in names if "__pycache__" in name]


def test_only_the_function_that_writes_parquet_carries_its_writer() -> None:
    assert [function.name for function in specs.FUNCTIONS if specs.PARQUET in function.layers] == ["parquetWriter"]


def test_what_scipy_imports_of_numpys_tests_is_there(unpacked: Path) -> None:
    program = f"import sys; sys.path.insert(0, {str(unpacked / 'dependencies' / 'python')!r}); import scipy.stats"
    _run_alone(program)


@pytest.mark.parametrize("layer", specs.LAYERS, ids=lambda layer: layer.name)
def test_a_layer_holds_the_very_versions_of_the_lock_and_their_files_are_checked(layer: specs.Layer) -> None:
    part = part_of_lock(bundle.LOCK.read_text(), layer.packages)
    locked = {line.split(" ")[0] for line in part.splitlines() if "==" in line and not line.startswith(" ")}
    assert {line.split("==")[0] for line in locked} >= set(layer.packages)
    assert part.count("--hash=sha256:") > len(locked)
    with zipfile.ZipFile(bundle.build_layer(layer)) as archive:
        inside = {name.split("/")[1] for name in archive.namelist() if name.endswith(".dist-info/METADATA")}
    installed = {folder.removesuffix(".dist-info").replace("-", "==").replace("_", "-") for folder in inside}
    assert installed <= locked


def test_an_archive_depends_on_its_files_alone() -> None:
    first, second = bundle.build_code(), bundle.build_code()
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()
    entries = zipfile.ZipFile(io.BytesIO(first)).infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


def test_the_code_leaves_pages_and_the_embedded_cloud_at_home() -> None:
    names = zipfile.ZipFile(io.BytesIO(bundle.build_code())).namelist()
    assert "rallyuxr/handlers/__init__.py" in names
    assert not [name for name in names if name.startswith(("rallyuxr/local", "rallyuxr/dashboard"))]
    assert not [name for name in names if name.endswith(("cli.py", "_commands.py"))]


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_imports_where_nothing_else_is_installed(handler: str, unpacked: Path) -> None:
    """In the interpreter that functions run in: its layers, the code, the runtime's boto3, nothing more."""
    module, name = handler.rsplit(".", 1)
    layers = [str(unpacked / layer.name / "python") for layer in LAYERS_OF[handler]]
    program = f"""
import sys
sys.path[:0] = {[str(unpacked / "code"), *layers]!r}
import {module} as handler
assert callable(handler.{name})
assert not {{"pandas", "statsmodels", "pyarrow", "duckdb"}} & set(sys.modules)
"""
    _run_alone(program)


def test_the_layer_is_named_by_all_that_decides_about_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = bundle.layer_identity(specs.COMPUTING)
    other = tmp_path / "requirements.txt"
    other.write_bytes(bundle.LOCK.read_bytes() + b"\n")
    monkeypatch.setattr(bundle, "LOCK", other)
    assert bundle.layer_identity(specs.COMPUTING) != before
    assert f"python{sys.version_info.major}.{sys.version_info.minor}" == bundle.RUNTIME


def _run_alone(program: str) -> None:
    interpreter = local_cloud.ENVIRONMENT / "bin" / "python"
    environment = {"AWS_DEFAULT_REGION": "us-east-1", "RALLYUXR_STAGE": "test", "POWERTOOLS_SERVICE_NAME": "test"}
    command = [interpreter, "-I", "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
