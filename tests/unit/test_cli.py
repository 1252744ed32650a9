"""The command line: readable tables, the contract's record, exit codes, and no network."""

import argparse
import io
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from causaldata import organ_donations

from rallyuxr import cli
from rallyuxr.models import ExperimentAnalysis
from rallyuxr.version import __version__

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
SIMULATE = ("simulate", "--metrics", "conversion_rate,aov", "--start", "2025-01-15", "--end", "2025-01-29")


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the command opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "data.csv"
    output = subprocess.run(
        [sys.executable, "-m", "rallyuxr.cli", *SIMULATE], capture_output=True, check=True
    ).stdout
    path.write_bytes(output)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_analyze_prints_a_table_with_effect_interval_and_dollars(data: Path, capsys: Any) -> None:
    code, out, err = run(capsys, "analyze", data, "--start", "2025-01-15", "--price", "conversion_rate=120000")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "data.csv (SIMULATED)"
    assert lines[1] == "2025-01-15 00:00 to 2025-01-29 00:00 UTC; baseline: 14 days"
    assert lines[3].split() == ["metric", "treatment", "control", "effect", "95%", "interval", "p", "worth"]
    assert re.fullmatch(r"conversion_rate +0\.0\d+ +0\.0\d+ +[+-]0\.\d+ +\[.*, .*\] +\S+ +-?\$[\d.,]+", lines[4])
    assert any(line.startswith("Total: ") and "interval" in line for line in lines)


def test_analyze_json_is_the_contracts_record(data: Path, capsys: Any) -> None:
    code, out, _ = run(capsys, "analyze", data, "--start", "2025-01-15", "--price", "aov=10", "--json")
    analysis = ExperimentAnalysis.from_json(json.loads(out))
    assert code == 0
    assert set(analysis.did_results) == {"conversion_rate", "aov"}
    assert analysis.economic_impact.metric_breakdown["aov"].metric_value_used == 10
    assert analysis.data_source == "simulator"


def test_analyze_loads_no_data_frame_library_and_no_cloud_client(data: Path) -> None:
    code = (
        "import sys; from rallyuxr import cli; cli.main(sys.argv[1:]); "
        "assert not {'pandas', 'boto3', 'scipy.stats', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, "analyze", str(data), "--start", "2025-01-15"], check=True)


def test_analyze_reads_standard_input(data: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data.read_bytes())))
    code, out, _ = run(capsys, "analyze", "-", "--start", "2025-01-15")
    assert (code, out.splitlines()[0]) == (0, "standard input (SIMULATED)")


def test_analyze_reads_units_with_all_their_baseline(tmp_path: Path, capsys: Any) -> None:
    frame = organ_donations.load_pandas().data
    frame["Treated"] = frame["State"] == "California"
    path = tmp_path / "organ_donations.csv"
    frame.to_csv(path, index=False)
    code, out, _ = run(capsys, "analyze", path, "--start", "2011-07-01", "--json")
    effect = json.loads(out)["didResults"]["rate"]["estimate"]["estimate"]
    assert code == 0
    assert effect == pytest.approx(-0.0224590, abs=5e-8)  # the published two-way fixed effects


def test_prices_come_from_a_file_of_metric_values(data: Path, tmp_path: Path, capsys: Any) -> None:
    prices = tmp_path / "prices.json"
    value = {
        "metricId": "conversion_rate",
        "name": "Conversion",
        "dollarsPerUnit": 0.42,
        "unit": "%",
        "description": "one percentage point for one visitor",
        "category": "conversion",
        "exposure": "participant",
        "lastUpdated": "2025-01-01",
        "version": 1,
    }
    prices.write_text(json.dumps([value]))
    code, out, _ = run(capsys, "analyze", data, "--start", "2025-01-15", "--prices", prices, "--json")
    impact = json.loads(out)["economicImpact"]["metricBreakdown"]["conversion_rate"]
    assert (code, impact["exposure"]) == (0, "participant")
    assert impact["dollarImpact"] == pytest.approx(impact["metricChange"] * 0.42 * impact["exposureQuantity"])


def test_a_one_off_is_not_carried_into_a_year(data: Path, capsys: Any) -> None:
    arguments = ("analyze", data, "--start", "2025-01-15", "--price", "aov=10")
    assert "A year, if it lasts" in run(capsys, *arguments)[1]
    assert "A year, if it lasts" not in run(capsys, *arguments, "--one-off")[1]


def test_without_a_baseline_the_result_says_so(data: Path, capsys: Any) -> None:
    _, out, _ = run(capsys, "analyze", data, "--start", "2025-01-15", "--baseline-days", 0, "--json")
    assert json.loads(out)["didResults"]["aov"]["estimate"]["estimator"] == "difference_in_means"


def test_data_problems_exit_with_3_and_are_all_printed(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("timestamp,metric,arm,value,n\nyesterday,ctr,control,abc,-1\n")
    code, out, err = run(capsys, "analyze", path, "--start", "2025-01-15")
    assert (code, out) == (3, "")
    assert "row 2, column timestamp, value yesterday: The cell is not a time. Write ISO 8601" in err
    assert "row 2, column value, value abc: The cell is not a number." in err
    assert "row 2, column n, value -1: A sample size cannot be negative." in err


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (("--end", "2025-01-10"), "endDate must be after startDate"),
        (("--start", "15.1.2025"), "'15.1.2025' is not an ISO 8601 date"),
        (("--price", "aov"), "--price 'aov' is not of the form NAME=VALUE."),
        (("--price", "aov=ten"), "'ten' is not an amount such as 0.42."),
        (("--price", "aov=-1"), "the price of aov is -1"),
        (("--prices", "nowhere.json"), "give a file of metric values"),
        (("--arm", "new=left"), "an arm is treatment or control"),
        (("--map", "valu=x"), "mapping names valu"),
        (("--currency", "dollars"), "currency: "),
    ],
)
def test_what_cannot_be_used_exits_with_2_and_says_what_to_do(
    data: Path, capsys: Any, extra: tuple[str, str], says: str
) -> None:
    code, out, err = run(capsys, "analyze", data, "--start", "2025-01-15", *extra)
    assert (code, out) == (2, "")
    assert says in err


def test_unknown_options_exit_with_2(capsys: Any) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["analyze", "x.csv"])
    assert stop.value.code == 2


def test_publish_without_a_deployment_exits_with_5(data: Path, capsys: Any) -> None:
    code, _, err = run(capsys, "publish", "some-id", data)
    assert code == 5
    assert "No deployment is named." in err


def test_simulate_is_reproducible_and_labelled(data: Path, capsys: Any) -> None:
    code, out, _ = run(capsys, *SIMULATE)
    assert code == 0
    assert out.splitlines() == data.read_text().splitlines()
    assert all(line.endswith(",SIMULATED") for line in out.splitlines()[1:])


def test_version_prints_the_version(capsys: Any) -> None:
    assert run(capsys, "version") == (0, f"{__version__}\n", "")


def test_every_command_and_option_is_documented() -> None:
    text = DOCS.read_text()
    named = dict(commands_of(cli._parser()))
    assert {"analyze", "orders import", "prices apply"} <= named.keys()
    for name, command in named.items():
        assert f"rallyuxr {name}" in text
        for action in command._actions:
            for option in action.option_strings:
                assert f"`{option}" in text or option in ("-h", "--help"), f"{name} {option}"


def commands_of(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that does something, by all its words."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                below = [(f"{name} {word}", each) for word, each in commands_of(command)]
                yield from below or [(name, command)]


def test_every_exit_code_is_documented() -> None:
    for code in re.findall(r"^\| (\d) ", cli.__doc__ or "", re.MULTILINE):
        assert re.search(rf"^\| {code} \|", DOCS.read_text(), re.MULTILINE)
