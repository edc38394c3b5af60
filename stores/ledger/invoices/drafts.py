"""Writing a month's drafts in bulk: some thousands of invoices with their lines a transaction."""

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from schemas.errors import InvalidInput
from schemas.invoice import InvoiceState
from schemas.tables import DRAFT_COLUMNS, INVOICE_LINE_COLUMNS, ArrowStream
from stores.ledger.bulk_insert import insert_columns
from stores.ledger.columns import storable, typed
from stores.ledger.connection import is_sqlite, reading, writing
from stores.ledger.invoices.documents import pack_documents
from stores.ledger.invoices.invoice_chunks import delete_chunks
from stores.ledger.invoices.lines import delete_lines, pack
from stores.ledger.months.slices import Slice
from stores.ledger.tables.invoice_tables import document_chunks, invoices

IS_DRAFT = invoices.c.state == InvoiceState.DRAFT.value
# Any number that no one else locks by on the same Postgres database.
_SERIAL_LOCK = 6_108_721_135
_HEADS = tuple(name for name in DRAFT_COLUMNS if name != "document")


@dataclass(frozen=True, slots=True)
class Part:
    """Some drafts of a month (`DRAFT_COLUMNS`) and all their lines (`INVOICE_LINE_COLUMNS`)."""

    month: str
    drafts: pa.Table
    lines: pa.Table

    @classmethod
    def of(cls, month: str, drafts: ArrowStream, lines: ArrowStream) -> "Part":
        """The part in two streams.

        Raises:
            InvalidInput: they have other columns, or a draft is of another month.
        """
        with storable():
            part = cls(
                month,
                typed(drafts, DRAFT_COLUMNS).read_all(),
                typed(lines, INVOICE_LINE_COLUMNS).read_all(),
            )
        others = part.drafts.filter(pc.not_equal(part.drafts["month"], month))["id"]
        if len(others):
            raise InvalidInput(f"{others[0]} is not a draft of {month}")
        return part

    def without(self, ids: Collection[str]) -> "Part":
        """The part but for some invoices."""
        if not ids:
            return self
        named = pa.array(sorted(ids), pa.string())
        drafts = self.drafts.filter(pc.invert(pc.is_in(self.drafts["id"], value_set=named)))
        lines = self.lines.filter(pc.invert(pc.is_in(self.lines["invoice"], value_set=named)))
        return Part(self.month, drafts, lines)

    def own(self) -> sa.ColumnElement[bool]:
        """Invoices of the month, whose tenants are between the first and the last of the part."""
        tenants = pc.min_max(self.drafts["tenant"]).as_py()
        tenant = invoices.c.tenant
        within = sa.and_(tenant >= tenants["min"], tenant <= tenants["max"])
        return sa.and_(invoices.c.month == self.month, within)


def write_part(engine: sa.Engine, slice_: Slice, generation: int, part: Part) -> int:
    """Put a part in the place of what earlier generations have of it; how many drafts.

    Invoices that are finalized are left alone.
    """
    part = part.without(_final(engine, part)) if part.drafts.num_rows else part
    if not part.drafts.num_rows:
        return 0
    lines = pack(part.drafts["id"].combine_chunks(), part.lines)
    documents = pack_documents(part.drafts)
    with writing(engine) as connection:
        slice_.check_owner(connection, generation)
        earlier = sa.and_(part.own(), IS_DRAFT, invoices.c.generation < generation)
        delete_invoices(connection, earlier)
        first = next_serial(connection)
        _insert(connection, part.drafts, first, generation)
        lines.insert(connection, part.month, first)
        documents.insert(connection, document_chunks, part.month, first)
    return int(part.drafts.num_rows)


def _final(engine: sa.Engine, part: Part) -> set[str]:
    query = sa.select(invoices.c.id).where(part.own(), ~IS_DRAFT)
    with reading(engine) as connection:
        return set(connection.execute(query).scalars())


def delete_invoices(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Delete invoices, their lines and documents."""
    serial = invoices.c.serial
    first, last = connection.execute(
        sa.select(sa.func.min(serial), sa.func.max(serial)).where(which)
    ).one()
    if first is None:
        return
    connection.execute(sa.delete(invoices).where(which))
    delete_lines(connection, first, last)
    delete_chunks(connection, document_chunks, first, last)


def _insert(connection: sa.Connection, drafts: pa.Table, first: int, generation: int) -> None:
    serials = pa.arange(first, first + drafts.num_rows)
    fixed = {"state": InvoiceState.DRAFT.value, "generation": generation, "version": 1}
    repeated = {name: pa.repeat(value, drafts.num_rows) for name, value in fixed.items()}
    heads = {name: drafts[name] for name in _HEADS}
    insert_columns(connection, invoices, {"serial": serials, **heads, **repeated})


def next_serial(connection: sa.Connection) -> int:
    """The first serial that is free; no other transaction takes one before this has ended."""
    if not is_sqlite(connection):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SERIAL_LOCK)))
    last = sa.select(sa.func.coalesce(sa.func.max(invoices.c.serial), 0))
    return int(connection.execute(last).scalar_one()) + 1
