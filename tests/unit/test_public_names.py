"""What `import rallyuxr` gives, and what it must not load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rallyuxr

HEAVY = ("numpy", "pandas", "scipy", "pydantic", "boto3", "pyarrow", "statsmodels", "streamlit")
NOT_FOR_LAMBDAS = ("pandas", "scipy.stats", "statsmodels", "pyarrow", "polars", "duckdb")


def loaded_after(code: str, modules: tuple[str, ...]) -> str:
    report = f"{code}\nimport sys; print(*[name for name in {modules!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("name", rallyuxr.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(rallyuxr, name)
    assert name == "__version__" or value.__doc__


def test_type_checkers_see_exactly_the_public_names() -> None:
    tree = ast.parse(Path(rallyuxr.__file__).read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == rallyuxr._HOMES
    assert set(rallyuxr.__all__) == {"__version__", *seen}
    assert set(rallyuxr.__all__) <= set(dir(rallyuxr))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'rallyuxr' has no attribute 'analyse'"):
        rallyuxr.analyse  # noqa: B018


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import rallyuxr", HEAVY) == ""


def test_analysing_a_csv_needs_no_data_frame_library_and_no_cloud() -> None:
    code = "import rallyuxr; rallyuxr.analyze, rallyuxr.read_results, rallyuxr.simulate, rallyuxr.did_series"
    assert loaded_after(code, (*NOT_FOR_LAMBDAS, "boto3")) == ""


def test_estimating_effects_needs_no_validator() -> None:
    code = "import rallyuxr, rallyuxr.stats.diagnostics; rallyuxr.did_series, rallyuxr.did_panel"
    assert loaded_after(code, ("pydantic", *NOT_FOR_LAMBDAS)) == ""


def test_publishing_without_a_named_deployment_touches_none() -> None:
    with pytest.raises(rallyuxr.NotConfigured, match="AWS_ENDPOINT_URL"):
        rallyuxr.publish_results("some-id", b"")
