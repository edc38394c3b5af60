"""What a month's bundle says of itself: inputs, counts, checks; what must come out the same again.

Owns the manifest's content and its hash. When it was written, how long the run took and who
approved what lie beside the content, outside the hash.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.checks import invoice_checks, reconciliation
from pipelines.checks.verdicts import verdicts
from pipelines.invoices.books import Books
from pipelines.invoices.invoicing import basis
from schemas.bundle import RunRecord, WrittenFile
from schemas.invoice import InvoiceState
from schemas.period import format_instant
from schemas.quantity import format_micro
from schemas.repeats import RepeatedIds

FORMAT = 2
"""Raised whenever a file, a column or its meaning changes."""

_encode = msgspec.json.Encoder(order="sorted").encode


def content(
    books: Books,
    reconciled: pa.Table,
    repeated: Sequence[RepeatedIds],
    files: Mapping[str, WrittenFile],
    writer: str,
) -> dict[str, Any]:
    """What the same vector, price lists and code make of the month, whoever computes it."""
    closing = books.closing
    rests_on = basis(closing, books.offered.catalogs, books.given)
    return {
        "format": FORMAT,
        "month": books.month,
        "period": {
            "start": format_instant(books.period.start_ms),
            "end": format_instant(books.period.end_ms),
        },
        "vector": closing.vector.to_json(),
        "state": closing.state.value,
        "catalog_version": closing.catalog_version,
        "catalogs": {str(it): sha for it, sha in sorted(rests_on.catalog_hashes.items())},
        "code_version": closing.code_version,
        "without_counters": closing.without_counters,
        "writer": writer,
        "files": {name: msgspec.to_builtins(it) for name, it in sorted(files.items())},
        "counts": _counts(books),
        "totals_minor": invoice_checks.totals_by_currency(books.live_heads),
        "checks": {name: msgspec.to_builtins(it) for name, it in verdicts(books, repeated)},
        "reconciliation": _reconciliation(reconciled),
    }


def content_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of the content as JSON with sorted keys and without spaces."""
    return hashlib.sha256(_encode(content)).hexdigest()


def manifest(content: Mapping[str, Any], run: RunRecord) -> bytes:
    """`manifest.json`, for people and scripts."""
    told = {"content_sha256": content_hash(content), "content": content, "run": run}
    return msgspec.json.format(_encode(told), indent=1) + b"\n"


def _counts(books: Books) -> dict[str, int]:
    live, drafted = books.live_heads, InvoiceState.DRAFT.value
    return {
        "subscriptions": len(books.subscribed),
        "usage_rows": books.usage.num_rows,
        # One event is counted by each meter that reads it.
        "metered_events": pc.sum(books.usage["events"]).as_py() or 0,
        "invoices": live.num_rows,
        "finalized": live.filter(pc.not_equal(live["state"], drafted)).num_rows,
        "lines": _lines(books),
    }


def _lines(books: Books) -> int:
    """Of all invoices and notes that are not void."""
    void = books.records.filter(pc.equal(books.records["state"], InvoiceState.VOID.value))
    names, lines = void["id"].combine_chunks(), 0
    for batch in pa.RecordBatchReader.from_stream(books.lines_on_invoices()):
        lines += len(batch) - pc.is_in(batch["invoice"], value_set=names).true_count
    return lines


def _reconciliation(reconciled: pa.Table) -> dict[str, Any]:
    rows = reconciliation.rows_of_table(reconciliation.telling(reconciled))
    totals = reconciliation.explained(rows)
    return {
        "compared": reconciled.num_rows,
        "held": {row.tenant: row.held for row in rows if row.held},
        "explained": {
            f"{cause}/{it}": format_micro(n) for (cause, it), n in sorted(totals.items())
        },
    }
