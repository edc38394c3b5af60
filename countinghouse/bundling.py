"""A month's bundle on disk: made from ledger and warehouse, and checked by its own script."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing as closing_of
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb

from countinghouse.closing_run import CloseResult, check_month, dagster_environment
from countinghouse.init import now_ms
from countinghouse.settings import Settings
from pipelines.bundle import Bundle, make_bundle
from pipelines.bundle_manifest import content_hash, manifest
from schemas.bundle import Approval, RunRecord, WrittenFile
from schemas.errors import NotFound
from schemas.period import format_instant
from stores import ledger
from stores.bundles import MANIFEST, WRITER, changed_files, write_bundle
from stores.ledger import Ledger
from stores.warehouse import client
from stores.warehouse.events import WarehouseEvents


@dataclass(frozen=True, slots=True)
class BundleResult:
    """Where a bundle lies and what it holds."""

    month: str
    folder: str
    content_sha256: str
    files: int
    bytes: int
    lines: int


@dataclass(frozen=True, slots=True)
class BundleChecked:
    """What is wrong with a bundle: files that were changed, and lines that come out otherwise."""

    folder: str
    lines: int
    changed: tuple[str, ...]
    differences: tuple[dict[str, str], ...]


def bundle_folder(settings: Settings, month: str) -> Path:
    """Where a month's bundle lies if nobody says otherwise."""
    return settings.home.absolute() / "bundles" / month


def bundle_month(settings: Settings, month: str, folder: Path | None = None) -> BundleResult:
    """Write the bundle of a month whose invoices are there.

    Raises:
        NotFound: the month was not opened, or has no invoices yet. InvalidInput: not a month, or
        the folder cannot be written. DependencyUnreachable: ledger or warehouse does not answer.
    """
    check_month(month)
    where = folder or bundle_folder(settings, month)
    warehouse = client.connect(settings.clickhouse_url)
    with closing_of(warehouse), closing_of(ledger.connect(settings.ledger_url)) as books:
        bundle = make_bundle(month, books, WarehouseEvents(warehouse))
        if not bundle.books.invoices and bundle.books.subscriptions:
            raise NotFound(f"{month} has no invoices yet; run `countinghouse close {month}`")
        run = _run_record(settings, month, books)
        return _write(month, where, bundle, run)


def bundle_closed(settings: Settings, closed: CloseResult, folder: Path | None) -> str | None:
    """Where the bundle of a month lies after its close; None while there are only drafts.

    It is written anew when the close did something, was asked for a folder, or finds none.
    """
    if closed.closed_at is None:
        return None
    where = folder or bundle_folder(settings, closed.month)
    if closed.runs or folder is not None or not (where / MANIFEST).exists():
        bundle_month(settings, closed.month, where)
    return str(where)


def check_bundle(folder: Path) -> BundleChecked:
    """Compare a bundle's files with its manifest, and its lines with those of its own script.

    Raises:
        NotFound: there is no bundle.
    """
    changed = tuple(changed_files(folder))
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET file_search_path = $folder", {"folder": str(folder.absolute())})
        found = connection.execute((folder / "verify.sql").read_text())
        names = [column[0] for column in found.description or ()]
        rows = [dict(zip(names, map(str, row), strict=True)) for row in found.fetchall()]
        [lines] = connection.execute("SELECT count(*) FROM verified.billed").fetchone() or (0,)
    return BundleChecked(str(folder), lines, changed, tuple(rows))


def _write(month: str, folder: Path, bundle: Bundle, run: RunRecord) -> BundleResult:
    told: list[BundleResult] = []

    def describe(written: Mapping[str, WrittenFile]) -> bytes:
        content = bundle.content(written, WRITER)
        size = sum(file.bytes for file in written.values())
        lines = bundle.tables["lines"].num_rows
        sha256 = content_hash(content)
        told.append(BundleResult(month, str(folder), sha256, len(written) + 1, size, lines))
        return manifest(content, run)

    write_bundle(folder, bundle.tables, bundle.texts, describe)
    return told[0]


def _run_record(settings: Settings, month: str, books: Ledger) -> RunRecord:
    issued = [it.issued_ms for it in books.invoices(month) if it.issued_ms is not None]
    return RunRecord(
        written_at=format_instant(now_ms()),
        issued_at=format_instant(min(issued)) if issued else None,
        seconds=_durations(settings, month),
        approved=tuple(_approvals(month, books)),
    )


def _approvals(month: str, books: Ledger) -> Iterator[Approval]:
    for row in books.audit_log():
        if row["action"] == "hold.overridden":
            detail = json.loads(row["detail"])
            if detail["month"] == month:
                at = format_instant(row["at_ms"])
                yield Approval(row["subject"], row["who"], detail["why"], at)


def _durations(settings: Settings, month: str) -> dict[str, float]:
    """Seconds by step of the month's runs, the latest of each; Dagster's log has them."""
    seconds: dict[str, float] = {}
    with (
        dagster_environment(settings) as home,
        dg.DagsterInstance.from_config(str(home)) as instance,
    ):
        wanted = dg.RunsFilter(
            tags={"dagster/partition": month}, statuses=[dg.DagsterRunStatus.SUCCESS]
        )
        for run in reversed(instance.get_runs(wanted)):
            for step in instance.get_run_step_stats(run.run_id):
                if step.start_time is not None and step.end_time is not None:
                    seconds[step.step_key] = round(step.end_time - step.start_time, 3)
    return seconds
