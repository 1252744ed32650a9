"""Commands about results: analyze and simulate on this machine alone, publish to a deployment."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from rallyuxr.commands import Options, add_command
from rallyuxr.errors import InvalidData, InvalidInput
from rallyuxr.ingest import ReadOptions, Upload, inspect_results
from rallyuxr.ingest.price_files import read_price_file
from rallyuxr.models import ExperimentPlan, MetricValue
from rallyuxr.models.columns import utc64
from rallyuxr.version import __version__

DAY = np.timedelta64(1, "D")
STEPS = {"hourly": np.timedelta64(1, "h"), "daily": DAY, "units": DAY}
DEFAULT_BASELINE_DAYS, LONGEST_BASELINE_DAYS = 14, 365


def register(commands: Any) -> None:
    """Add `analyze`, `simulate`, `publish` and `version`."""
    add_command(
        commands, "analyze", analyze, "the effect in a file, its interval and its dollars", _analyze_options
    )
    add_command(commands, "simulate", simulate, "hourly results with known effects, as CSV", _simulate_options)
    add_command(commands, "publish", publish, "make a file an experiment's newest results", _publish_options)
    add_command(commands, "version", lambda _: __version__, "print the version")


def analyze(options: Options) -> str:
    """Read a file, plan its experiment from what it covers, analyse and print. Nothing leaves the machine."""
    from rallyuxr import analysis, analysis_text

    upload = inspect_results(_source(options.file), _read_options(options))
    data = upload.require()
    for caution in upload.warnings:
        sys.stderr.write(f"note: {caution.message}\n")
    plan = _plan(options, upload)
    result = analysis.analyze(data, _prices(options), experiment=plan)
    return json.dumps(result.to_json(), indent=2) if options.json else analysis_text.as_text(result, plan)


def simulate(options: Options) -> str:
    """Draw the plan's results and print them in the tidy long form, labelled SIMULATED."""
    from rallyuxr import simulation
    from rallyuxr.services.exports import results_csv

    plan = ExperimentPlan.from_json(
        {
            "name": "Simulated",
            "description": "",
            "metrics": options.metrics.split(","),
            "startDate": options.start,
            "endDate": options.end,
            "baselineDays": options.baseline_days,
            "expectedOutcome": options.expected,
        }
    )
    return results_csv(simulation.simulate(plan, seed=options.seed)).decode().rstrip()


def publish(options: Options) -> str:
    """Publish a file to the deployment that the environment names."""
    from rallyuxr.publishing import publish_results

    read = _read_options(options)
    given = {name: getattr(read, name) for name in ("mapping", "arms", "metric", "time_zone", "decimal")}
    version = publish_results(options.experiment_id, _source(options.file), actor=options.actor, **given)
    state = "published" if version.created else "already there, nothing was stored"
    return f"data version {version.data_version}: {state}"


def _analyze_options(parser: argparse.ArgumentParser) -> None:
    _reading_options(parser)
    parser.add_argument(
        "--start", required=True, metavar="DATE", help="when the change went live, such as 2025-01-15"
    )
    parser.add_argument(
        "--end", metavar="DATE", help="first moment that does not count; default: after the last row"
    )
    parser.add_argument("--baseline-days", type=int, metavar="N", help="days before the start; default: up to 14")
    parser.add_argument(
        "--price",
        action="append",
        default=[],
        metavar="METRIC=AMOUNT",
        help="worth of one stored unit of a metric over the experiment; 120000 on a conversion rate means that one "
        "percentage point is worth 1,200",
    )
    parser.add_argument(
        "--prices", metavar="FILE", help="metric values in JSON, TOML or CSV, as `prices apply` takes them"
    )
    parser.add_argument("--currency", default="USD", help="three letters; default: USD")
    parser.add_argument("--cost", metavar="AMOUNT", help="what the change cost; without it there is no ROI")
    parser.add_argument("--confidence", type=int, default=95, choices=(80, 90, 95, 99), help="default: 95")
    parser.add_argument("--expected", default="positive", choices=("positive", "negative", "neutral"))
    parser.add_argument(
        "--one-off", action="store_true", help="a campaign that will not recur: nothing is annualised"
    )
    parser.add_argument("--json", action="store_true", help="print the analysis as the contract's record")


def _simulate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--metrics", required=True, metavar="IDS", help="metric ids, separated by commas")
    parser.add_argument("--start", required=True, metavar="DATE")
    parser.add_argument("--end", required=True, metavar="DATE")
    parser.add_argument("--baseline-days", type=int, default=DEFAULT_BASELINE_DAYS, metavar="N")
    parser.add_argument("--expected", default="positive", choices=("positive", "negative", "neutral"))
    parser.add_argument("--seed", type=int, default=1)


def _publish_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment_id", help="the experiment's id")
    _reading_options(parser)
    parser.add_argument("--actor", help="who publishes; goes into the audit trail")


def _reading_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="CSV, Parquet or JSON; - reads standard input")
    parser.add_argument("--map", action="append", default=[], metavar="FIELD=COLUMN", help="name a column by hand")
    parser.add_argument("--arm", action="append", default=[], metavar="LABEL=ARM", help="such as new=treatment")
    parser.add_argument("--metric", metavar="ID", help="the metric of a file that holds one and does not name it")
    parser.add_argument("--time-zone", metavar="ZONE", help="of times written without one, such as Europe/Berlin")
    parser.add_argument("--decimal", default=".", choices=(".", ","), help="decimal sign; default: a point")


def _source(file: str) -> Any:
    return sys.stdin.buffer if file == "-" else file


def _read_options(options: Options) -> ReadOptions:
    arms: Any = _pairs(options.arm, "--arm")
    if strangers := set(arms.values()) - {"treatment", "control"}:
        raise InvalidInput(f"--arm names {', '.join(sorted(strangers))}; an arm is treatment or control.")
    return ReadOptions(
        mapping=_pairs(options.map, "--map"),
        arms=arms,
        metric=options.metric,
        time_zone=options.time_zone,
        decimal=options.decimal,
    )


def _pairs(texts: list[str], option: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for text, (name, sign, value) in zip(texts, pairs, strict=True):
        if not (name and sign and value):
            raise InvalidInput(f"{option} {text!r} is not of the form NAME=VALUE.")
    return {name: value for name, _, value in pairs}


def _prices(options: Options) -> dict[str, Any]:
    prices: dict[str, Any] = _metric_values(options.prices) if options.prices else {}
    for metric_id, amount in _pairs(options.price, "--price").items():
        try:
            prices[metric_id] = float(amount)
        except ValueError:
            raise InvalidInput(f"--price {metric_id}={amount}: {amount!r} is not an amount such as 0.42.") from None
    return prices


def _metric_values(file: str) -> dict[str, MetricValue]:
    """A file's metric values, which need no version here."""
    now = {"version": 1, "lastUpdated": datetime.now(UTC)}
    return {name: MetricValue.from_json({**now, **entry}) for name, entry in read_price_file(Path(file)).items()}


def _plan(options: Options, upload: Upload) -> ExperimentPlan:
    """The experiment that the options and the data's own extent describe."""
    if upload.data is None or upload.granularity is None:
        raise InvalidData("There is no data to plan from.", upload.problems)
    last = max(metric.last for metric in upload.metrics) + STEPS[upload.granularity]
    plan = ExperimentPlan.from_json(
        {
            "name": "standard input" if options.file == "-" else Path(options.file).name,
            "description": "",
            "metrics": upload.data.metric_ids,
            "startDate": options.start,
            "endDate": options.end or datetime.fromtimestamp(int(last.astype(np.int64)), UTC),
            "baselineDays": 0,
            "expectedOutcome": options.expected,
            "dataSource": upload.data.source,
            "confidenceLevel": options.confidence,
            "cost": options.cost,
            "currency": options.currency,
            "projection": {"recurring": not options.one_off},
        }
    )
    days = _baseline_days(upload, plan) if options.baseline_days is None else options.baseline_days
    return ExperimentPlan.from_json(plan.to_json() | {"baselineDays": days})


def _baseline_days(upload: Upload, plan: ExperimentPlan) -> int:
    """The days that the data has before the start: of series two weeks at most, of units all."""
    before = utc64(plan.start_date) - min(metric.first for metric in upload.metrics)
    if upload.granularity == "units":
        return min(LONGEST_BASELINE_DAYS, max(0, int(np.ceil(before / DAY))))
    return min(DEFAULT_BASELINE_DAYS, max(0, int(before / DAY)))
