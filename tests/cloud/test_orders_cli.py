"""The orders' commands as people run them: processes of their own, their exit codes and what they say."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from infra.cloud import Cloud
from infra.plan import apply
from infra.resources.storage import Bucket
from infra.resources.tables import DynamoTable
from rallyuxr.local import Endpoint
from rallyuxr.models.order import Merchant
from rallyuxr.services.analytics import read_rows
from rallyuxr.services.context import Context
from rallyuxr.services.merchants import add_merchant, require_merchant
from rallyuxr.settings import Settings
from rallyuxr.store import Store
from rallyuxr.store.tables import EXPERIMENT_DEFINITION, ORDER_INDEX, ORDERS, VISITS

HEADER = "order_id,time,customer_id,sku,quantity,unit_price\n"
STAGE = "commands"
COMMAND = [sys.executable, "-m", "rallyuxr.cli", "orders"]


@pytest.fixture(scope="module")
def ctx(cloud: Endpoint) -> Context:
    """Tables and a bucket without functions, so that nothing is aggregated before a command does it."""
    settings = Settings(stage=STAGE, endpoint_url=cloud.url)
    infra = Cloud(settings, cloud.keys())
    tables = (ORDERS, ORDER_INDEX, VISITS, EXPERIMENT_DEFINITION)
    apply([*(DynamoTable(infra, table) for table in tables), Bucket(infra)])
    return Context(Store(settings))


def orders(*arguments: object, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    named = {"RALLYUXR_STAGE": STAGE} if environment is None else environment
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env={**os.environ, **named},
        capture_output=True,
        text=True,
        check=False,
    )


def done(*arguments: object) -> str:
    ran = orders(*arguments)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.fixture
def shop(ctx: Context) -> str:
    return a_shop(ctx)


@pytest.fixture(scope="module")
def untouched_shop(ctx: Context) -> str:
    return a_shop(ctx)


def a_shop(ctx: Context) -> str:
    merchant_id = f"shop-{uuid4().hex[:8]}"
    add_merchant(ctx, Merchant(merchant_id=merchant_id, name="Shop", time_zone="Europe/Berlin", currency="EUR"))
    return merchant_id


def a_file(folder: Path, *rows: str, name: str = "orders.csv", header: str = HEADER) -> Path:
    file = folder / name
    file.write_text(header + "".join(f"{row}\n" for row in rows))
    return file


def test_a_merchant_is_registered_once(ctx: Context) -> None:
    merchant_id = f"shop-{uuid4().hex[:8]}"
    said = done(
        "merchant", merchant_id, "--name", "Berlin Books", "--time-zone", "Europe/Berlin", "--currency", "EUR"
    )
    assert said == f"merchant {merchant_id}: days in Europe/Berlin, amounts in EUR"
    assert require_merchant(ctx, merchant_id).name == "Berlin Books"
    again = orders("merchant", merchant_id)
    assert (again.returncode, again.stdout) == (4, "")
    assert "exists: choose another id" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["merchant", "a/b"], 2, "should match pattern"),
        (["merchant", "shop", "--time-zone", "Mars"], 2, "'Mars' is not an IANA time zone"),
        (["import", "none.csv", "--merchant", "SHOP"], 2, "There is no file none.csv"),
        (["import", "FILE", "--merchant", "nobody"], 4, "There is no merchant 'nobody'"),
        (["import", "FILE"], 2, "has no column merchantId, currency"),
        (["visits", "FILE", "--merchant", "SHOP"], 2, "has no column hour, visits"),
        (["visits", "none.csv", "--merchant", "SHOP"], 2, "There is no file none.csv"),
        (["visits", "FILE"], 2, "--merchant"),
        (["rebuild", "SHOP", "--from", "yesterday"], 2, "Dates look like 2025-01-15"),
        (["rebuild", "nobody"], 4, "There is no merchant 'nobody'"),
        (["parquet", "nobody"], 4, "There is no merchant 'nobody'"),
        (["publish", "nothing"], 4, "nothing"),
        ([], 2, "usage"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done_is_said_with_its_exit_code(
    untouched_shop: str, tmp_path: Path, arguments: list[str], code: int, complaint: str
) -> None:
    file = a_file(tmp_path, "o-1,2025-01-15T14:05:00Z,ann,tea,2,4.50")
    ran = orders(*({"SHOP": untouched_shop, "FILE": file}.get(word, word) for word in arguments))
    assert (ran.returncode, ran.stdout) == (code, "")
    assert complaint in ran.stderr
    assert "Traceback" not in ran.stderr


def test_without_a_deployment_or_an_answer_the_code_is_5(cloud: Endpoint) -> None:
    nowhere = {"AWS_ENDPOINT_URL": "", "RALLYUXR_STAGE": ""}
    silent = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "RALLYUXR_STAGE": STAGE}
    for environment, complaint in ((nowhere, "No deployment is named"), (silent, "did not answer")):
        ran = orders("merchant", "shop", environment=environment)
        assert (ran.returncode, ran.stdout) == (5, "")
        assert complaint in ran.stderr


def test_a_file_is_imported_its_faults_are_named_and_repeating_it_changes_nothing(
    ctx: Context, shop: str, tmp_path: Path
) -> None:
    file = a_file(
        tmp_path,
        "o-1,2025-01-15T14:05:00Z,ann,tea,2,4.50",
        "o-1,2025-01-15T14:05:00Z,ann,cup,1,11",
        "o-2,2025-01-15T15:00:00+01:00,bob,tea,1,4.505",
        "o-3,2025-01-15T15:00:00+01:00,bob,tea,1,4.50",
    )
    ran = orders("import", file, "--merchant", shop)
    assert ran.returncode == 0
    assert sorted(ran.stdout.split("\n")[:-1]) == ["created: 2", "refused: 1"]
    assert "order o-2 refused: " in ran.stderr
    assert "more than 2 decimal places" in ran.stderr
    assert done("import", file, "--merchant", shop).split("\n") == ["unchanged: 2", "refused: 1"]
    assert not list(tmp_path.glob("*.progress"))
    stored = ctx.store.orders.order(shop, "o-1")
    assert stored is not None
    assert stored.net == 20


@pytest.mark.slow
def test_an_import_that_was_killed_goes_on_and_every_order_is_there_once(
    ctx: Context, shop: str, tmp_path: Path
) -> None:
    count = 7_000
    start = datetime(2025, 1, 1, tzinfo=UTC)
    rows = (f"o-{n},{(start + timedelta(minutes=n)).isoformat()},c-{n % 99},tea,1,1.00" for n in range(count))
    file = a_file(tmp_path, *rows)
    progress = tmp_path / "orders.csv.progress"
    with subprocess.Popen(
        [*COMMAND, "import", str(file), "--merchant", shop],
        env={**os.environ, "RALLYUXR_STAGE": STAGE},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 120
        while not progress.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.2)  # into the midst of the next piece
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    settled = json.loads(progress.read_text())["settled"]
    assert 0 < settled < count
    resumed = orders("import", file, "--merchant", shop)
    assert resumed.returncode == 0
    assert f"going on after {settled:,} orders" in resumed.stderr
    counted = {
        name: int(number.replace(",", "")) for name, number in re.findall(r"(\w+): ([\d,]+)", resumed.stdout)
    }
    assert sum(counted.values()) == count - settled
    assert counted.keys() <= {"created", "unchanged"}
    merchant = require_merchant(ctx, shop)
    stored = [
        o.order_id for day in ctx.store.orders.days(shop) for o in ctx.store.orders.orders_of_day(merchant, day)
    ]
    assert len(stored) == len(set(stored)) == count


def test_visits_are_counted_and_repeating_the_file_changes_nothing(ctx: Context, shop: str, tmp_path: Path) -> None:
    rows = (
        "2025-01-15T14:00:00Z,120,,,2025-01-15T15:01:00Z",
        "2025-01-15T14:00:00Z,61,x,treatment,2025-01-15T15:01:00Z",
        "2025-01-15T14:20:00Z,7,,,",
    )
    file = a_file(tmp_path, *rows, header="hour,visits,experiment_id,arm,counted_at\n")
    ran = orders("visits", file, "--merchant", shop)
    assert (ran.returncode, ran.stdout) == (0, "created: 2\nrefused: 1\n")
    assert "count of 2025-01-15T14:20:00Z refused: 2025-01-15T14:20:00Z is not the start of an hour" in ran.stderr
    assert done("visits", file, "--merchant", shop) == "unchanged: 2\nrefused: 1"
    counts = ctx.store.visits.counts_of_day(require_merchant(ctx, shop), date(2025, 1, 15))
    assert [count.visits for count in counts] == [120, 61]


@pytest.mark.slow
def test_rebuild_finds_what_was_never_counted_and_parquet_writes_it(
    ctx: Context, shop: str, tmp_path: Path
) -> None:
    days = (date(2025, 1, 15), date(2025, 2, 1))
    done("import", a_file(tmp_path, *(f"{day},{day}T14:05:00Z,ann,tea,2,4.50" for day in days)), "--merchant", shop)
    visits = a_file(tmp_path, "2025-01-16T09:00:00Z,12", name="visits.csv", header="hour,visits\n")
    done("visits", visits, "--merchant", shop)
    first = done("rebuild", shop, "--to", "2025-01-31").split("\n")
    assert first[0] == "2 days, 1 orders, 2 hours were different"
    assert first[1:] == ["  2025-01-15T14:00:00+00:00", "  2025-01-16T09:00:00+00:00"]
    assert done("rebuild", shop).split("\n")[0] == "3 days, 2 orders, 1 hours were different"
    assert done("rebuild", shop) == "3 days, 2 orders, 0 hours were different"
    rows = read_rows(ctx, require_merchant(ctx, shop), "daily", date(2025, 1, 1), date(2025, 3, 1))
    assert [(row.orders, row.visits) for row in rows] == [(1, 0), (0, 12), (1, 0)]
    written = done("parquet", shop, "--from", "2025-02-01").split("\n")
    folder = f"merchant={shop}/month=2025-02/rows.parquet"
    assert written == [f"aggregates/v1/parquet/{kind}/{folder}" for kind in ("hourly", "daily")]
    assert len(done("parquet", shop).split("\n")) == 4
