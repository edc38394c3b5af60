"""Invoices while they are drafts, and reading them in any state.

Drafts may be replaced and held; what finalizing does to them is in `finalizing.py`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from schemas.errors import InvalidInput, NotFound
from schemas.invoice import Invoice, InvoiceState
from schemas.ledger_ports import EVERYBODY, TenantRange
from schemas.tables import DOCUMENT_COLUMNS, HEAD_COLUMNS, INVOICE_LINE_COLUMNS, ArrowStream
from stores.ledger.columns import read_batches, streamed
from stores.ledger.invoices.documents import pack_documents
from stores.ledger.invoices.drafts import IS_DRAFT, Part, delete_invoices, next_serial, write_part
from stores.ledger.invoices.invoice_chunks import rows_of
from stores.ledger.invoices.lines import pack
from stores.ledger.invoices.review import words_of_holds
from stores.ledger.invoices.rows import head_row, line_table, load_invoices
from stores.ledger.months.slices import Slice
from stores.ledger.part import IN_CHUNK, LedgerPart, chunks
from stores.ledger.tables.invoice_tables import chosen, document_chunks, invoices, line_chunks


class Invoices(LedgerPart):
    """The table `invoices`, and what invoices say: lines and documents."""

    def replace_drafts(self, month: str, parts: Iterable[tuple[ArrowStream, ArrowStream]]) -> int:
        """Replace the month's drafts; invoices finalized already are left alone and counted.

        Each part are the drafts (`DRAFT_COLUMNS`) and the lines (`INVOICE_LINE_COLUMNS`) of some
        invoices, 25,000 at most; an invoice and its lines change together, a part a transaction.
        Until all are written nothing of the month can be finalized.

        Raises:
            InvalidInput: the columns are other ones, or a draft is of another month.
        """
        slice_ = drafts_slice(month)
        with self._writing() as connection:
            generation = slice_.begin(connection)
        written = 0
        for drafts, lines in parts:
            part = Part.of(month, drafts, lines)
            written += write_part(self._engine, slice_, generation, part)
        with self._writing() as connection:
            slice_.complete(connection, generation, written)
            own = invoices.c.month == month
            delete_invoices(connection, sa.and_(own, IS_DRAFT, invoices.c.generation < generation))
            left = sa.select(sa.func.count()).where(own, ~IS_DRAFT)
            return connection.execute(left).scalar_one()

    def hold(self, month: str, reasons: Mapping[str, str]) -> None:
        """Set why drafts of these tenants are held, and clear it from the others.

        Whom a person holds back stays held.
        """
        drafts = sa.update(invoices).where(invoices.c.month == month, IS_DRAFT)
        with self._writing() as connection:
            told = {**words_of_holds(connection, month), **reasons}
            rows = [{"held_tenant": tenant, "reason": why} for tenant, why in told.items()]
            connection.execute(drafts.where(invoices.c.held.is_not(None)).values(held=None))
            if rows:
                of_tenant = drafts.where(invoices.c.tenant == sa.bindparam("held_tenant"))
                connection.execute(of_tenant.values(held=sa.bindparam("reason")), rows)

    def invoice_heads(self, month: str, columns: Mapping[str, str] = HEAD_COLUMNS) -> ArrowStream:
        """The month's invoices and notes in any state: these columns, some of `RECORD_COLUMNS`.

        By tenant, subscription, kind and id.
        """
        its = invoices.c
        query = sa.select(*(its[name] for name in columns)).where(its.month == month)
        order = (its.tenant, its.subscription, its.kind, its.id)
        return streamed(self._read(query.order_by(*order), columns), columns)

    def invoice_lines(self, month: str, tenants: TenantRange = EVERYBODY) -> ArrowStream:
        """Their lines (`INVOICE_LINE_COLUMNS`); those of an invoice are together and in order."""
        return streamed(self._said(line_chunks, month, tenants), INVOICE_LINE_COLUMNS)

    def invoice_documents(self, month: str, tenants: TenantRange = EVERYBODY) -> ArrowStream:
        """Their documents (`DOCUMENT_COLUMNS`)."""
        return streamed(self._said(document_chunks, month, tenants), DOCUMENT_COLUMNS)

    def _said(self, table: sa.Table, month: str, tenants: TenantRange) -> Iterator[pa.RecordBatch]:
        first, end = tenants
        own = invoices.c.month == month
        own = own if first is None else sa.and_(own, invoices.c.tenant >= first)
        own = own if end is None else sa.and_(own, invoices.c.tenant < end)
        with self._reading() as connection:
            for rows in rows_of(connection, table, month, _serials(connection, own)):
                yield from rows.to_batches()

    def _read(self, query: sa.Select[Any], columns: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
        with self._reading() as connection:
            yield from read_batches(connection, query, columns)

    def invoices(
        self,
        month: str | None = None,
        states: Sequence[InvoiceState] = (),
        tenant: str | None = None,
    ) -> list[Invoice]:
        """Invoices with their lines, by month, tenant, subscription."""
        wanted = chosen(month, states, tenant)
        with self._reading() as connection:
            return [invoice for invoice, _ in load_invoices(connection, wanted)]

    def invoices_of(self, tenants: Collection[str]) -> list[Invoice]:
        """All invoices and notes of these tenants that are not void, by month, tenant, id."""
        found: list[Invoice] = []
        live = invoices.c.state != InvoiceState.VOID.value
        with self._reading() as connection:
            for part in chunks(sorted(tenants), IN_CHUNK):
                own = sa.and_(live, invoices.c.tenant.in_(part))
                found += [invoice for invoice, _ in load_invoices(connection, own)]
        return sorted(found, key=lambda it: (it.month, it.tenant, it.kind, it.id))

    def invoice(self, name: str) -> Invoice:
        """The invoice of a number, or of an id (drafts have no number). Raises NotFound."""
        named = sa.or_(invoices.c.number == name, invoices.c.id == name)
        with self._reading() as connection:
            found = load_invoices(connection, named)
        if not found:
            raise NotFound(f"there is no invoice {name!r}")
        if len(found) > 1:
            ids = ", ".join(invoice.id for invoice, _ in found)
            raise InvalidInput(f"{name!r} names several sellers' invoices; use an id: {ids}")
        return found[0][0]

    def invoice_numbers(self) -> list[str]:
        """What `invoice` finds: numbers of finalized invoices, ids of drafts, in order."""
        name = sa.func.coalesce(invoices.c.number, invoices.c.id)
        with self._reading() as connection:
            return list(connection.execute(sa.select(name).order_by(name)).scalars())


def _serials(connection: sa.Connection, which: sa.ColumnElement[bool]) -> Sequence[int]:
    """The serials of some invoices; where none is missing in between, as is usual, none is read."""
    serial = invoices.c.serial
    ends = sa.select(sa.func.min(serial), sa.func.max(serial), sa.func.count()).where(which)
    first, last, count = connection.execute(ends).one()
    if count and last - first + 1 == count:
        return range(first, last + 1)
    return connection.execute(sa.select(serial).where(which)).scalars().all()


def drafts_slice(month: str) -> Slice:
    """The month's drafts."""
    return Slice(month, "drafts")


def insert_issued(connection: sa.Connection, issued: Invoice, seller: str) -> None:
    """Insert an invoice or note that has its number already, with its lines."""
    serial = next_serial(connection)
    row = head_row(issued) | {"state": issued.state.value, "seller": seller, "serial": serial}
    named = {"number": issued.number, "issued_ms": issued.issued_ms, "due_ms": issued.due_ms}
    connection.execute(sa.insert(invoices).values(row | named | {"generation": 0, "version": 1}))
    ids = pa.array([issued.id], pa.string())
    pack(ids, line_table(issued)).insert(connection, issued.month, serial)
    document = pa.table({"id": ids, "document": pa.array([issued.document], pa.binary())})
    pack_documents(document).insert(connection, document_chunks, issued.month, serial)
