"""The month's bundle: files from which anyone can compute its lines again, once they are final.

Owns how it is written, by Dagster and by `countinghouse bundle` alike; what is in it is
`pipelines.bundle`, where its bytes lie `stores.bundles`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from dagster_project import metadata, sources
from dagster_project.code_version import CODE_VERSION
from dagster_project.environment import Environment
from dagster_project.glances import month_before
from dagster_project.invoices import finalized_invoices
from dagster_project.ownership import BILLING, BILLING_GROUP
from dagster_project.partitions import billing_periods
from dagster_project.resources import LedgerResource, WarehouseResource, now_ms
from pipelines.bundle.bundle import Bundle, make_bundle
from pipelines.bundle.bundle_manifest import content_hash, manifest
from pipelines.checks.invoice_checks import no_surprising_change
from pipelines.checks.verdicts import verdict
from pipelines.invoices.books import Books
from schemas.bundle import Approval, RunRecord, Verdict, WrittenFile
from schemas.errors import NotFound
from schemas.evidence import EventReader
from schemas.period import format_instant
from schemas.progress import Progress, unseen
from stores.bundles import WRITER, write_bundle
from stores.ledger import Ledger

_APPROVALS = ("hold.overridden", "hold.released", "drafts.approved")
"""Audit entries of a person's word by which an invoice was let go."""


@dataclass(frozen=True, slots=True)
class BundleResult:
    """Where a bundle lies and what it holds; `sizes` are bytes by file."""

    month: str
    folder: str
    content_sha256: str
    files: int
    bytes: int
    lines: int
    sizes: Mapping[str, int]


@dg.asset(
    partitions_def=billing_periods,
    deps=[finalized_invoices, sources.raw_usage],
    group_name=BILLING_GROUP,
    owners=BILLING,
    kinds={"parquet"},
    code_version=CODE_VERSION,
)
def month_bundle(
    context: dg.AssetExecutionContext, ledger: LedgerResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[None]:
    """Usage, prices and invoices as files that anyone can recompute; written whole each time."""
    month = context.partition_key
    folder = Environment().bundle_folder(month)
    with ledger.open() as books, warehouse.events() as events:
        run = run_record(month, books, context.instance)
        written = write_month(month, folder, books, events, run)
    sizes: list[metadata.Row] = [
        {"file": name, "bytes": f"{size:,}"} for name, size in sorted(written.sizes.items())
    ]
    return dg.MaterializeResult(
        metadata={
            "period": month,
            "path": dg.MetadataValue.path(written.folder),
            "content sha256": written.content_sha256,
            "lines": written.lines,
            "bytes": written.bytes,
            "files": metadata.table(sizes),
        }
    )


def write_month(
    month: str,
    folder: Path,
    books: Ledger,
    events: EventReader,
    run: RunRecord,
    progress: Progress = unseen,
) -> BundleResult:
    """Write the bundle of a month whose invoices are there, in place of the one before.

    Raises:
        NotFound: the month was not opened, or has no invoices yet. InvalidInput: the folder cannot
        be written.
    """
    bundle = make_bundle(month, books, events, progress)
    if not bundle.books.live_heads.num_rows and len(bundle.books.subscribed):
        raise NotFound(f"{month} has no invoices yet; run `countinghouse close {month}`")
    return _write(month, folder, bundle, run, progress)


def _write(
    month: str, folder: Path, bundle: Bundle, run: RunRecord, progress: Progress
) -> BundleResult:
    told: list[BundleResult] = []

    def describe(written: Mapping[str, WrittenFile]) -> bytes:
        progress("checks for the manifest", 0, 0)
        content = bundle.content(written, WRITER)
        sizes = {name: file.bytes for name, file in written.items()}
        lines = written["lines.parquet"].rows or 0
        counts = len(written) + 1, sum(sizes.values()), lines
        told.append(BundleResult(month, str(folder), content_hash(content), *counts, sizes))
        return manifest(content, run)

    write_bundle(folder, bundle.parts(progress), bundle.texts, describe)
    return told[0]


def run_record(month: str, books: Ledger, instance: dg.DagsterInstance) -> RunRecord:
    """When the month was made, how long it took and by whose word: outside the bundle's hash."""
    issued_ms = books.first_issued_ms(month)
    return RunRecord(
        written_at=format_instant(now_ms()),
        issued_at=None if issued_ms is None else format_instant(issued_ms),
        seconds=_durations(month, instance),
        approved=tuple(_approvals(month, books)),
        checks={"no_surprising_change": _surprises(month, books)},
    )


def _surprises(month: str, books: Ledger) -> Verdict:
    both = Books(month, books), Books(month_before(month), books)
    return verdict(no_surprising_change(*both), "warning")


def _approvals(month: str, books: Ledger) -> Iterator[Approval]:
    for row in books.audit_log():
        if row["action"] in _APPROVALS:
            detail = json.loads(row["detail"])
            if detail["month"] == month:
                at = format_instant(row["at_ms"])
                yield Approval(row["subject"], row["who"], detail["why"], at)


def _durations(month: str, instance: dg.DagsterInstance) -> dict[str, float]:
    """Seconds by step of the month's runs, the latest of each; Dagster's log has them."""
    seconds: dict[str, float] = {}
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.STARTED]
    wanted = dg.RunsFilter(tags={"dagster/partition": month}, statuses=ended)
    for run in reversed(instance.get_runs(wanted)):
        for step in instance.get_run_step_stats(run.run_id):
            if step.start_time is not None and step.end_time is not None:
                seconds[step.step_key] = round(step.end_time - step.start_time, 3)
    return seconds
