"""Which of a month's lines stand on its invoices, and which corrections notes make instead."""

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.tables import lines_by_subscription, rows_of
from pipelines.invoices.books import Books
from schemas.invoice import CORRECTION_KINDS, InvoiceLine
from schemas.tables import ArrowStream


def on_invoices(books: Books) -> ArrowStream:
    """Those of the month's lines that stand on an invoice, batch after batch."""
    if not note_lines(books).num_rows:
        return books.line_stream()
    stream = pa.RecordBatchReader.from_stream(books.line_stream())
    tables = (told_apart(pa.Table.from_batches([batch]), books)[0] for batch in stream)
    batches = (batch for table in tables for batch in table.to_batches())
    chosen: ArrowStream = pa.RecordBatchReader.from_batches(stream.schema, batches)
    return chosen


def note_lines(books: Books) -> pa.Table:
    """The corrections that are made by notes: by policy, or where no invoice follows."""
    return told_apart(books.corrections, books)[1]


def corrected_minor(books: Books) -> dict[str, int]:
    """What corrections on invoices come to, by subscription."""
    sums: Counter[str] = Counter()
    for row in rows_of(told_apart(books.corrections, books)[0]):
        sums[row["subscription"]] += row["amount_minor"]
    return dict(sums)


def lines_among(subscriptions: pa.Array, books: Books) -> dict[str, tuple[InvoiceLine, ...]]:
    """The invoices' lines of some subscriptions, in their order."""
    stream = pa.RecordBatchReader.from_stream(on_invoices(books))
    own = [
        pa.Table.from_batches([batch]).filter(
            pc.is_in(batch["subscription"], value_set=subscriptions)
        )
        for batch in stream
    ]
    found = lines_by_subscription(pa.concat_tables(own)) if own else ()
    return {row["subscription"]: lines for row, lines in found}


def told_apart(lines: pa.Table, books: Books) -> tuple[pa.Table, pa.Table]:
    """Some of the month's lines: those on invoices, and those that notes make."""
    kinds = pa.array(CORRECTION_KINDS, pa.string())
    corrects = pc.is_in(lines["kind"], value_set=kinds)
    if not pc.any(corrects).as_py():
        return lines, lines.slice(0, 0)
    is_noted = _noted(lines["subscription"], corrects, books)
    return lines.filter(pc.invert(is_noted)), lines.filter(is_noted)


def _noted(
    subscriptions: pa.ChunkedArray, corrects: pa.ChunkedArray, books: Books
) -> pa.ChunkedArray:
    """For each line, is it a correction that a note makes?"""
    if books.catalogs[books.closing.catalog_version].late_usage.corrected_by == "note":
        return corrects
    is_invoiced = pc.is_in(subscriptions, value_set=books.subscribed)
    return pc.and_(corrects, pc.invert(is_invoiced))
