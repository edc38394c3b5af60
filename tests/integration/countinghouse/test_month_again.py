"""A month on a real warehouse: the same bytes for ever, and every line made of its events."""

import hashlib
import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing as closing_of
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from countinghouse.bundling import bundle_month, check_bundle
from countinghouse.cli.app import app
from countinghouse.settings import Settings
from dagster_project.month_bundle import BundleResult
from pipelines.catalog import catalog_file
from pipelines.close import closing, opening
from pipelines.close.verification import verify
from pipelines.explain.line_events import Told, tell, usage_lines
from pipelines.invoices.books import Books
from schemas.catalog import Catalog
from schemas.evidence import digest
from schemas.vector import Vector
from stores import ledger as ledgers
from stores.bundles import write_parquet
from stores.ledger import Ledger
from stores.ledger.columns import packed, unpacked
from stores.warehouse.client import connect, migrate
from stores.warehouse.events import WarehouseEvents
from stores.warehouse.usage import WarehouseUsage
from tests.builders import a_subscription, at
from tests.embedded import running_front
from tests.fake_warehouse import FakeLog
from tests.warehouses import CATALOG, Delivery, deliver, own_warehouse

pytestmark = pytest.mark.integration

MONTH = "2026-10"
CUT = Vector({(1, 0): 150, (1, 1): 150})
PER_MILLION = {"model": "per_unit", "price": {"USD": "0.05"}}
TIERS = {
    "model": "graduated",
    "tiers": [{"up_to": 500, "price": {"USD": "0.03"}}, {"price": {"USD": "0.01"}}],
}


def sold() -> Catalog:
    """The meters of `tests.warehouses`, sold by a flat price, by tiers, and not at all."""
    body = json.loads(CATALOG.model_dump_json())
    body["plans"] |= {
        "pro": {
            "base_fee": {"USD": "10"},
            "meters": {
                "tokens": {"included": 300, "overage": PER_MILLION},
                "requests": {"included": 5, "overage": TIERS},
            },
        },
        "team": {
            "base_fee": {"USD": "25"},
            "meters": {"tokens": {"included": 0, "overage": TIERS}},
        },
    }
    return Catalog.model_validate(body)


def deliveries() -> list[Delivery]:
    """Events of four tenants, with corrections and resends, and some beyond the cut."""
    dice = random.Random(2026)  # noqa: S311
    found = []
    for offset in range(170):
        for partition, tenants in ((0, "ab"), (1, "cd")):
            day, hour = dice.randint(1, 31), dice.randint(0, 23)
            found.append(
                Delivery(
                    offset,
                    f"{partition}-{dice.choice((offset, offset, offset, offset // 2))}",
                    dice.choice((1, 3, 20, 45, -7)),
                    dice.choice(tenants),
                    partition,
                    f"2026-10-{day:02d}T{hour:02d}:00:00Z",
                )
            )
    return found


def subscribers() -> list[object]:
    return [
        a_subscription("free 09-01, pro 10-12", "a"),
        a_subscription("pro 09-01, team 10-20", "b"),
        a_subscription("team 10-05 .. 10-09, pro 10-15", "c"),
    ]


def close(folder: Path, url: str) -> Ledger:
    """Close October by the warehouse at an address, into a ledger of its own."""
    ledgers.migrate(f"sqlite:///{folder / 'ledger.db'}")
    ledger = ledgers.connect(f"sqlite:///{folder / 'ledger.db'}")
    ledger.apply_catalog(catalog_file.canonical(sold()), 0)
    ledger.save_subscriptions(subscribers(), 0, "test")  # type: ignore[arg-type]
    log, why = FakeLog(CUT, CUT), "no counters here"
    clock = partial(at, "11-01 02:00")
    with connect(url) as client:
        usage = WarehouseUsage(client, 10)
        opening.open_closing(
            MONTH, ledger, log, usage, clock, code_version="1", grace_ms=0, without_counters=why
        )
        closing.aggregate_usage(MONTH, ledger, usage)
        closing.rate_charges(MONTH, ledger)
        closing.prorate_fees(MONTH, ledger)
        closing.draft_invoices(MONTH, ledger)
        closing.reconcile(MONTH, ledger, usage, log, max_held=1)
        closing.finalize(MONTH, ledger, clock, seller="seller")
    return ledger


@dataclass
class Closed:
    """October as it was closed, and its bundle."""

    url: str
    home: Path
    ledger: Ledger
    bundle: BundleResult


@pytest.fixture(scope="module")
def closed(warehouse_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    """Everything landed in order, in one insert."""
    home = tmp_path_factory.mktemp("home")
    with own_warehouse(warehouse_url) as (client, url):
        deliver(client, *deliveries())
        ledger = close(home, url)
        yield Closed(url, home, ledger, bundled(home, url))


def bundled(home: Path, url: str, out: Path | None = None) -> BundleResult:
    settings = Settings(home=home, ledger=f"sqlite:///{home / 'ledger.db'}", clickhouse=url)
    return bundle_month(settings, MONTH, out)


def contents(bundle: BundleResult) -> dict[str, str]:
    """The SHA-256 of every file, the manifest's of its content alone."""
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(bundle.folder).iterdir())
        if path.name != "manifest.json"
    }
    manifest = json.loads((Path(bundle.folder) / "manifest.json").read_text())
    return files | {"manifest.json": json.dumps(manifest["content"], sort_keys=True)}


def documents(ledger: Ledger) -> list[tuple[str | None, bytes]]:
    return [(invoice.number, invoice.document) for invoice in ledger.invoices(MONTH)]


def test_in_any_order_in_many_parts_merged_on_one_thread_and_after_a_restart(
    closed: Closed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front_home, shuffled = tmp_path / "front", deliveries()
    random.Random(7).shuffle(shuffled)  # noqa: S311
    one_thread = partial(duckdb.connect, config={"threads": 1})
    with running_front(front_home) as front, connect(front.url) as client:
        migrate(client)
        client.command("SYSTEM STOP MERGES")
        for start in range(0, len(shuffled), 17):
            deliver(client, *shuffled[start : start + 17])
        deliver(client, *shuffled[:40])
        monkeypatch.setattr(duckdb, "connect", one_thread)
        again = close(tmp_path, front.url)
        in_parts = bundled(tmp_path, front.url, tmp_path / "in_parts")
        monkeypatch.undo()
        client.command("SYSTEM START MERGES")
        for table in ("usage_events", "metered_usage"):
            client.command(f"OPTIMIZE TABLE {table} FINAL")
        merged = bundled(tmp_path, front.url, tmp_path / "merged")
    with running_front(front_home) as front:
        restarted = bundled(tmp_path, front.url, tmp_path / "restarted")
    assert documents(again) == documents(closed.ledger)
    for bundle in (in_parts, merged, restarted):
        assert contents(bundle) == contents(closed.bundle)
        assert bundle.content_sha256 == closed.bundle.content_sha256


def test_the_bundle_comes_out_of_its_files_again(closed: Closed) -> None:
    found = check_bundle(Path(closed.bundle.folder), MONTH)
    assert (found.changed, found.differences) == ((), ())
    assert found.lines == closed.bundle.lines > 10


def test_the_month_verifies(closed: Closed) -> None:
    with connect(closed.url) as client:
        assert verify(MONTH, closed.ledger, WarehouseUsage(client, 10)).differences == ()


def told(closed: Closed) -> list[Told]:
    books = Books(MONTH, closed.ledger)
    with connect(closed.url) as client:
        reader = WarehouseEvents(client)
        return [
            tell(each, reader) for invoice in books.invoices for each in usage_lines(invoice, books)
        ]


def test_the_events_of_every_line_add_up_to_it(closed: Closed) -> None:
    found = told(closed)
    assert {each.of.line.kind for each in found} == {"included", "overage", "not_billed"}
    for each in found:
        assert each.found_micro == each.of.quantity_micro == each.of.line.quantity_micro, each
        assert each.agrees


def test_a_line_s_digest_is_that_of_its_parquet_and_of_the_bundle(
    closed: Closed, tmp_path: Path
) -> None:
    columns = ["tenant", "meter", "quantity_micro", "events_digest"]
    rows = pq.read_table(Path(closed.bundle.folder) / "usage.parquet", columns=columns).to_pylist()
    usage = [tuple(row.values()) for row in rows]
    with connect(closed.url) as client:
        for each in told(closed)[:4]:
            events = WarehouseEvents(client).events(each.of.asked)
            assert sum(events["quantity_micro"].to_pylist()) == each.evidence.quantity_micro
            write_parquet(tmp_path / "events.parquet", [events])
            [halves] = duckdb.execute(
                f"""
                SELECT
                    sum(('0x' || hashed[1:16])::UBIGINT)::UHUGEINT,
                    sum(('0x' || hashed[17:32])::UBIGINT)::UHUGEINT
                FROM (
                    SELECT sha256(concat_ws(
                        chr(9), event_key, time_ms, quantity_micro, dimension, member
                    )) AS hashed
                    FROM '{tmp_path / "events.parquet"}'
                )
                """
            ).fetchall()
            assert digest((halves[0], halves[1])) == each.evidence.digest
            of, evidence = each.of.asked, each.evidence
            assert (of.tenant, of.meter, evidence.quantity_micro, evidence.digest) in usage


@pytest.fixture
def home(closed: Closed, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The closed month for the command line."""
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(closed.home))
    monkeypatch.setenv("COUNTINGHOUSE_LEDGER", f"sqlite:///{closed.home / 'ledger.db'}")
    monkeypatch.setenv("COUNTINGHOUSE_CLICKHOUSE", closed.url)
    return closed.home


def run(*arguments: str, code: int = 0) -> str:
    """What a command prints."""
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


def test_a_stranger_runs_the_script_with_python_and_duckdb_alone(closed: Closed) -> None:
    script = "import duckdb; print(duckdb.execute(open('verify.sql').read()).fetchall())"
    found = subprocess.run(
        [sys.executable, "-I", "-c", script],
        cwd=closed.bundle.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "[]\n"


def test_the_commands_verify_a_month_and_a_bundle(home: Path, tmp_path: Path) -> None:
    assert json.loads(run("verify", MONTH, "--json"))["differences"] == []
    run("bundle", MONTH, "--out", str(tmp_path / "bundle"))
    run("verify", MONTH, "--bundle", str(tmp_path / "bundle"))
    lines = pq.read_table(tmp_path / "bundle" / "lines.parquet")
    fewer = lines.filter(pc.not_equal(lines["kind"], "overage"))
    write_parquet(tmp_path / "bundle" / "lines.parquet", [fewer])
    told = run("verify", MONTH, "--bundle", str(tmp_path / "bundle"), code=1)
    assert "lines.parquet was changed" in told
    assert "overage" in told


def test_a_changed_amount_in_the_ledger_fails_the_verification(
    closed: Closed, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing_of(sqlite3.connect(home / "ledger.db")) as books:
        books.execute("VACUUM INTO ?", (str(tmp_path / "ledger.db"),))
    with closing_of(sqlite3.connect(tmp_path / "ledger.db")) as books, books:
        for month, serial, rows in books.execute(_CHUNKS).fetchall():
            books.execute(
                "UPDATE line_chunks SET rows = ? WHERE (month, first_serial) = (?, ?)",
                (_with_a_cent_more(rows), month, serial),
            )
        books.execute("UPDATE invoices SET total_minor = total_minor + 1")
    monkeypatch.setenv("COUNTINGHOUSE_LEDGER", f"sqlite:///{tmp_path / 'ledger.db'}")
    found = json.loads(run("verify", MONTH, "--json", code=1))["differences"]
    invoices = closed.ledger.invoices(MONTH)
    assert {(each["where"], each["line"], each["what"]) for each in found} == {
        (invoice.number, *told)
        for invoice in invoices
        for told in ((1, "amount_minor"), (None, "total"))
    }


_CHUNKS = "SELECT month, first_serial, rows FROM line_chunks"


def _with_a_cent_more(stored: bytes) -> bytes:
    """Stored lines, the first of each invoice a cent dearer."""
    lines = pa.Table.from_batches(unpacked(stored))
    place, is_first = lines.column_names.index("amount_minor"), pc.equal(lines["ordinal"], 1)
    dearer = pc.add(lines["amount_minor"], is_first.cast(pa.int64()))
    return packed(lines.set_column(place, lines.schema.field("amount_minor"), dearer))


def test_the_commands_explain_a_line_and_export_the_month(home: Path, tmp_path: Path) -> None:
    number, file = f"{MONTH}-000001", tmp_path / "events.parquet"
    rows = json.loads(run("invoices", "explain", number, "--json"))["events"]
    assert {row["agrees"] for row in rows} == {True}
    line = next(str(row["line"]) for row in rows if row["kind"] == "overage")
    told = run("invoices", "explain", number, line)
    assert "which is the line's quantity" in told
    assert "price list version 1, SHA-256 " in told
    listed = run("invoices", "explain", number, line, "--events").splitlines()
    run("invoices", "explain", number, line, "--parquet", str(file))
    assert pq.read_table(file).num_rows == len(listed) - 1 > 1
    assert "name it after the number" in str(
        CliRunner().invoke(app, ["invoices", "explain", number, "--events"]).exception
    )
    run("invoices", "export", "--focus", MONTH, "--out", str(tmp_path / "focus.csv"))
    assert (tmp_path / "focus.csv").read_text().startswith("BilledCost,BillingAccountId,")
