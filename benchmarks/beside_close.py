"""What is done with a month beside its close, for `benchmarks.closing`: each in its own process.

A dry run comes before it, all else after. The bundle has the digest of the events behind every sum
of usage; its own script computes the lines again from its files in DuckDB alone, `verify` from the
warehouse. `simulate` prices the month by the price list in force, so it must come to what was
billed.
"""

import resource
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from clickhouse_connect.driver.client import Client

from benchmarks.alone import alone
from benchmarks.dagster_close import Read
from benchmarks.month_fill import CUT
from countinghouse.bundling import check_bundle
from dagster_project.month_bundle import write_month
from pipelines.checks.month_ways import as_of_now
from pipelines.close.dry_run import Terms, dry_run
from pipelines.close.verification import verify
from pipelines.reports.preview import upcoming_invoices
from pipelines.reports.simulation import simulate
from schemas.bundle import RunRecord
from stores import ledger
from stores.ledger import Ledger
from stores.warehouse.client import connect
from stores.warehouse.events import WarehouseEvents
from stores.warehouse.usage import WarehouseUsage

DAY_MS = 86_400_000


def measure(names: Iterable[str], month: str, end_ms: int, clickhouse: str, books: str) -> None:
    """Print what each takes: seconds, CPU seconds and peak of its process."""
    with TemporaryDirectory() as folder:
        for name in names:
            told = alone(_measured, name, (month, str(end_ms), clickhouse, books, folder))
            print(f"{name:<24}{told[0]:>9.2f}{told[1]:>9.2f}{told[2]:>11,}", flush=True)


def _measured(name: str, given: tuple[str, str, str, str, str]) -> tuple[float, float, int]:
    month, end_ms, clickhouse, books, folder = given
    with connect(clickhouse) as client, closing(ledger.connect(books)) as opened:
        began, cpu = time.perf_counter(), time.process_time()
        _WORK[name](_Month(month, int(end_ms), client, opened, Path(folder) / "bundle"))
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    return seconds, cpu_seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


class _Month:
    """A closed month, and what reads it."""

    def __init__(
        self, month: str, end_ms: int, client: Client, books: Ledger, folder: Path
    ) -> None:
        self.month, self.end_ms, self.books, self.folder = month, end_ms, books, folder
        self.events = WarehouseEvents(client)
        self.usage = WarehouseUsage(client, dedupe_window=100_000)

    def dry_run(self) -> None:
        terms, now_ms = Terms(0, max_held=0.01), self.end_ms + DAY_MS
        found = dry_run(self.month, self.books, Read(), self.usage, now_ms, terms)
        told = [(check.name, check.findings[:3]) for check in found.checks if check.findings]
        _ensure(f"dry run: {told}", found.outcome == "passed")

    def bundle(self) -> None:
        run = RunRecord("2026-11-01T00:00:00Z", None, {}, ())
        write_month(self.month, self.folder, self.books, self.events, run)

    def script(self) -> None:
        found = check_bundle(self.folder, self.month)
        _ensure("script", not found.changed and not found.differences)

    def verify(self) -> None:
        _ensure("verify", not verify(self.month, self.books, self.usage).differences)

    def simulate(self) -> None:
        found = simulate(self.month, self.books.catalog()[1], self.books, {})
        _ensure("simulate", found.billed == found.drafted)

    def three_ways(self) -> None:
        found = as_of_now(self.month, self.books, self.usage, Read())
        _ensure("reconcile", not found.rows)

    def upcoming(self) -> None:
        now_ms = self.end_ms - 3 * DAY_MS
        upcoming_invoices(self.month, self.books, self.usage, CUT, now_ms)


def _ensure(what: str, holds: bool) -> None:
    """What is measured is what should come of it."""
    if not holds:
        raise SystemExit(f"{what}: not what it should be")


_WORK: dict[str, Callable[[_Month], None]] = {
    "dry run": _Month.dry_run,
    "bundle, with digests": _Month.bundle,
    "the bundle's script": _Month.script,
    "verify": _Month.verify,
    "simulate": _Month.simulate,
    "reconcile --invoices": _Month.three_ways,
    "invoices upcoming": _Month.upcoming,
}
BEFORE, *AFTER = _WORK
