"""How fast a month of many tenants is closed, from the warehouse's events to finalized invoices.

    python -m benchmarks.closing --clickhouse http://… --tenants 1000000

Every step is the product's own: read the usage as of the cut, rate it, make fees, draft invoices
with their documents, check them, compare counters, warehouse and invoices, finalize and number.
The ledger is SQLite in a folder of its own, or the one that --ledger names; the warehouse holds
twelve months. Beside it stands what the specification takes for some of the same tenants, one by
one, from usage in memory to documents in memory: nothing stored, read or compared. A dry run comes
before the close; after it the month is bundled with the digests of its events, computed again by
that bundle's script and from the warehouse, priced anew and compared three ways. All of them run in
processes of their own; CPU and memory are these processes', the warehouse's are not in them.
"""

import argparse
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing as closing_of
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from benchmarks import beside_close
from benchmarks.alone import alone
from benchmarks.dagster_close import Read, close_in_dagster
from benchmarks.month_fill import CUT, fill_ledger, fill_warehouse
from benchmarks.rating import MONTH, Month
from pipelines.close import closing, opening
from pipelines.invoices import invoicing
from schemas.closing import Closing
from stores import ledger
from stores.warehouse.client import connect
from stores.warehouse.usage import WarehouseUsage

KEY = MONTH.key
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where one month of the benchmark lies."""

    clickhouse: str
    ledger: str
    tenants: int


@dataclass(frozen=True, slots=True)
class Step:
    """What a step took."""

    name: str
    seconds: float
    cpu_seconds: float
    peak_mib: int


def close(place: Place) -> list[Step]:
    """Close the month; what each step took."""
    log, steps = Read(), list[Step]()
    with connect(place.clickhouse) as client, closing_of(ledger.connect(place.ledger)) as books:
        usage = WarehouseUsage(client, dedupe_window=100_000)
        todo: dict[str, Callable[[], object]] = {
            "open": lambda: opening.open_closing(
                KEY, books, log, usage, _clock, code_version="1", grace_ms=0
            ),
            "aggregate usage": lambda: closing.aggregate_usage(KEY, books, usage),
            "rate charges": lambda: closing.rate_charges(KEY, books),
            "prorate fees": lambda: closing.prorate_fees(KEY, books),
            "draft invoices": lambda: closing.draft_invoices(KEY, books),
            "check and compare": lambda: closing.reconcile(KEY, books, usage, log, max_held=0.01),
            "finalize and number": lambda: closing.finalize(KEY, books, _clock, seller="seller"),
        }
        for name, work in todo.items():
            steps.append(_measured(name, work))
            print(_row(steps[-1]), flush=True)
    return steps


def _clock() -> int:
    return MONTH.end_ms + DAY_MS


def _measured(name: str, work: Callable[[], object]) -> Step:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Step(name, wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def specify(tenants: int) -> float:
    """Seconds a tenant by the specification: rate, prorate and document them one by one."""
    month = Month(tenants)
    began = time.perf_counter()
    charges, fees = month.specified()
    rests_on = invoicing.basis(Closing(KEY, CUT, 1, "1", MONTH.end_ms), month.catalogs)
    lines = dict(fees)
    for (name, own), each in zip(charges, month.subscriptions(), strict=True):
        invoicing.draft(each, lines[name] + own, rests_on)
    return (time.perf_counter() - began) / tenants


@contextmanager
def _place(given: argparse.Namespace, tenants: int, folder: Path) -> Iterator[Place]:
    """A database of its own, filled, and a ledger; the database is dropped afterwards."""
    name = f"closing_{uuid4().hex}"
    url = given.ledger or f"sqlite:///{folder}/{name}.db"
    with connect(given.clickhouse) as admin:
        admin.command(f"CREATE DATABASE {name}")
        try:
            place = Place(given.clickhouse.rpartition("/")[0] + f"/{name}", url, tenants)
            began = time.perf_counter()
            alone(_fill, place, given.months)
            print(f"\n{tenants:,} tenants, filled in {time.perf_counter() - began:.0f} s")
            yield place
        finally:
            admin.command(f"DROP DATABASE {name}")


def _copied(place: Place) -> Place:
    """The same month on a ledger of its own, a copy of the SQLite file."""
    file = Path(place.ledger.removeprefix("sqlite:///"))
    copied = shutil.copy(file, file.with_suffix(".copy"))
    return replace(place, ledger=f"sqlite:///{copied}")


def _fill(place: Place, months: int) -> None:
    with connect(place.clickhouse) as client:
        fill_warehouse(client, place.tenants, months)
    fill_ledger(place.ledger, place.tenants)


def _row(step: Step) -> str:
    figures = f"{step.seconds:>9.2f}{step.cpu_seconds:>9.2f}{step.peak_mib:>11,}"
    return f"{step.name:<24}{figures}"


def main() -> None:
    """Close a small month, then a large one, and print what each step took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--clickhouse", required=True)
    parser.add_argument("--ledger", help="an empty Postgres database; without it SQLite")
    parser.add_argument("--tenants", type=int, default=100_000)
    parser.add_argument("--small", type=int, default=10_000, help="tenants of the small month")
    parser.add_argument("--months", type=int, default=12, help="that the tables hold")
    parser.add_argument("--dagster", action="store_true", help="close by Dagster's jobs as well")
    given = parser.parse_args()
    each = []
    with TemporaryDirectory() as folder:
        # A database that is given takes one month.
        sizes = (given.tenants,) if given.ledger else (given.small, given.tenants)
        for tenants in dict.fromkeys(sizes):
            with _place(given, tenants, Path(folder)) as place:
                print(f"{'step':<24}{'seconds':>9}{'CPU s':>9}{'peak MiB':>11}")
                month = KEY, MONTH.end_ms, place.clickhouse, place.ledger
                beside_close.measure([beside_close.BEFORE], *month)
                again = _copied(place) if given.dagster else None
                steps = alone(close, place)
                if again:
                    seconds = alone(close_in_dagster, KEY, again.clickhouse, again.ledger)
                    print(f"by Dagster's jobs, checks and events kept: {seconds:.2f} s")
                whole = sum(step.seconds for step in steps)
                each.append(whole / tenants)
                print(f"{'in all':<24}{whole:>9.2f}{sum(s.cpu_seconds for s in steps):>9.2f}")
                beside_close.measure(beside_close.AFTER, *month)
    print(
        f"\na tenant: {each[-1] * 1e6:.1f} µs, {each[-1] / each[0]:.2f} times as in the small month"
    )
    specified = alone(specify, given.small)
    print(f"by the specification in memory, nothing stored or compared: {specified * 1e6:.1f} µs")


if __name__ == "__main__":
    main()
