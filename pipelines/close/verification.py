"""Is a month still what its usage and prices make of it? Every difference, line by line.

Compares what the ledger holds with what `pipelines.close.rerun` computes; owns no figure itself.
What was made again is held to the same, with the buyer and the credits that it found; a credit note
by hand follows from somebody's word and is left out. Corrections of earlier months are those that
the close recorded.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import zip_longest

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.close.rerun import rerun
from pipelines.columns.line_parts import ranges_of
from pipelines.columns.tables import rows_of
from pipelines.invoices.books import Books
from pipelines.invoices.invoice_parts import AT_ONCE, InvoicePart, read_part, records_of
from pipelines.invoices.standing import first_ids
from schemas.invoice import Invoice, InvoiceLine
from schemas.ledger_ports import ClosingLedger
from schemas.ports import UsageReader
from schemas.progress import Progress, unseen

_KEY = ("tenant", "meter", "segment", "value")


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the ledger holds and that is computed otherwise now.

    `where` is an invoice's number (or id) or `usage`; `line` counts an invoice's lines from 1.
    """

    tenant: str
    where: str
    line: int | None
    what: str
    stored: str | None
    recomputed: str | None


@dataclass(frozen=True, slots=True)
class Verified:
    """What was compared, and what differs."""

    month: str
    usage: int
    invoices: int
    lines: int
    differences: tuple[Difference, ...]


def verify(
    month: str, ledger: ClosingLedger, usage: UsageReader, progress: Progress = unseen
) -> Verified:
    """Compute a month again from the warehouse by its stored vector, and compare.

    Raises:
        NotFound: the month was not opened.
    """
    stored, again = Books(month, ledger), rerun(month, ledger, usage, progress)
    found, lines, read = list(_usage_differences(stored.usage, again.usage)), 0, 0
    made, now = stored.made, again.records
    for tenants, _ in ranges_of(stored.line_stream(), AT_ONCE):
        parts = read_part(made, stored, tenants), read_part(now, again, tenants)
        found += _invoice_differences(*parts)
        lines += parts[0].lines.num_rows
        read += parts[0].heads.num_rows
        progress("invoices compared", read, made.num_rows)
    return Verified(month, stored.usage.num_rows, made.num_rows, lines, tuple(found))


def _usage_differences(stored: pa.Table, again: pa.Table) -> Iterator[Difference]:
    if stored.equals(again):
        return
    told, now = ({tuple(row[k] for k in _KEY): row for row in rows_of(t)} for t in (stored, again))
    for key in sorted(told.keys() | now.keys()):
        was, is_ = told.get(key), now.get(key)
        tenant, meter, segment, value = key
        for name in ("quantity_micro", "events"):
            old, new = was and was[name], is_ and is_[name]
            if old != new:
                what = f"{meter}{f'/{value}' if value else ''} in segment {segment}: {name}"
                yield Difference(tenant, "usage", None, what, _text(old), _text(new))


def _invoice_differences(stored: InvoicePart, again: InvoicePart) -> Iterator[Difference]:
    """Of some tenants; where all are the same, as is usual, nothing is asked of each."""
    if _says(stored) == _says(again):
        return
    firsts = first_ids(stored.heads).to_pylist()
    told = dict(zip(firsts, records_of(stored), strict=True))
    now = {invoice.id: invoice for invoice in records_of(again)}
    totals = dict(zip(firsts, stored.heads["total_minor"].to_pylist(), strict=True))
    for name in sorted(told.keys() | now.keys()):
        was, is_ = told.get(name), now.get(name)
        if was is None or is_ is None:
            found = was or is_
            tenant = found.tenant if found else ""
            yield Difference(tenant, name, None, "invoice", _total(was), _total(is_))
        else:
            yield from _between(was, is_)
            if totals[name] != is_.total_minor:
                told_minor, minor = str(totals[name]), str(is_.total_minor)
                yield Difference(was.tenant, _name(was), None, "total", told_minor, minor)


def _says(part: InvoicePart) -> tuple[pa.Table, ...]:
    """All that is compared, of each invoice by the id that the close gave it."""
    firsts, ids = first_ids(part.heads), part.heads["id"].combine_chunks()
    heads = part.heads.select(["total_minor", "document_hash"]).append_column("invoice", firsts)

    def named(rows: pa.Table) -> pa.Table:
        own = firsts.take(pc.index_in(rows["invoice"], value_set=ids))
        return rows.drop_columns("invoice").append_column("invoice", own)

    return heads, named(part.lines), named(part.documents)


def _between(was: Invoice, is_: Invoice) -> Iterator[Difference]:
    where = _name(was)
    for place, (old, new) in enumerate(zip_longest(was.lines, is_.lines), start=1):
        if old != new:
            for what, before, after in _fields(old, new):
                yield Difference(was.tenant, where, place, what, before, after)
    if was.document != is_.document or was.document_hash != is_.document_hash:
        hashes = was.document_hash, is_.document_hash
        yield Difference(was.tenant, where, None, "document", *hashes)


def _fields(
    old: InvoiceLine | None, new: InvoiceLine | None
) -> Iterator[tuple[str, str | None, str | None]]:
    if old is None or new is None:
        yield "line", _line(old), _line(new)
        return
    before, after = asdict(old), asdict(new)
    for name, value in before.items():
        if value != after[name]:
            yield name, _text(value), _text(after[name])


def _name(invoice: Invoice) -> str:
    return invoice.number or invoice.id


def _line(line: InvoiceLine | None) -> str | None:
    return None if line is None else f"{line.kind} {line.meter or line.plan} {line.amount_minor}"


def _total(invoice: Invoice | None) -> str | None:
    return None if invoice is None else f"{invoice.currency} {invoice.total_minor}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
