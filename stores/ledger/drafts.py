"""Writing a month's drafts in bulk: some thousands of invoices with their lines a transaction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from schemas.errors import InvalidInput
from schemas.invoice import InvoiceState
from schemas.tables import DRAFT_COLUMNS, INVOICE_LINE_COLUMNS, ArrowStream
from stores.ledger.columns import storable, typed
from stores.ledger.connection import is_sqlite, reading, transaction
from stores.ledger.invoice_tables import invoice_documents, invoice_lines, invoices
from stores.ledger.slices import Slice
from stores.ledger.staging import Staged, staged

IS_DRAFT = invoices.c.state == InvoiceState.DRAFT.value
# Any number that no one else locks by on the same Postgres database.
_SERIAL_LOCK = 6_108_721_135
_HEADS = {
    "place": "int64",
    **{name: kind for name, kind in DRAFT_COLUMNS.items() if name != "document"},
}
_DOCUMENTS = {"place": "int64", "document": "binary"}
_LINES = {
    "place": "int64",
    **{name: kind for name, kind in INVOICE_LINE_COLUMNS.items() if name != "invoice"},
}


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

    def tables(self) -> Mapping[str, pa.Table]:
        """What is staged: the part's invoices are known by their place in it."""
        ids = self.drafts["id"].combine_chunks()
        places = pa.chunked_array([pa.arange(0, len(ids)).cast(pa.int64())])
        of_lines = pc.index_in(self.lines["invoice"], value_set=ids).cast(pa.int64())
        if of_lines.null_count:
            raise InvalidInput(f"{of_lines.null_count} lines of {self.month} are of no draft")
        heads = self.drafts.append_column("place", places)
        lines = self.lines.append_column("place", of_lines)
        return {
            "heads": heads.select(list(_HEADS)),
            "documents": heads.select(list(_DOCUMENTS)),
            "lines": lines.select(list(_LINES)),
        }

    def own(self) -> sa.ColumnElement[bool]:
        """Invoices of the month, whose tenants are between the first and the last of the part."""
        tenants = pc.min_max(self.drafts["tenant"]).as_py()
        within = invoices.c.tenant.between(tenants["min"], tenants["max"])
        return sa.and_(invoices.c.month == self.month, within)


def write_part(engine: sa.Engine, slice_: Slice, generation: int, part: Part) -> int:
    """Put a part in the place of what earlier generations have of it; how many drafts.

    Invoices that are finalized are left alone.
    """
    part = part.without(_final(engine, part)) if part.drafts.num_rows else part
    if not part.drafts.num_rows:
        return 0
    with staged(engine, part.tables()) as stage, transaction(stage.connection):
        slice_.check_owner(stage.connection, generation)
        earlier = sa.and_(part.own(), IS_DRAFT, invoices.c.generation < generation)
        delete_invoices(stage.connection, earlier)
        _insert(stage, next_serial(stage.connection), generation)
    return int(part.drafts.num_rows)


def _final(engine: sa.Engine, part: Part) -> set[str]:
    query = sa.select(invoices.c.id).where(part.own(), ~IS_DRAFT)
    with reading(engine) as connection:
        return set(connection.execute(query).scalars())


def delete_invoices(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Delete invoices, their lines and documents."""
    serials = sa.select(invoices.c.serial).where(which)
    if connection.execute(serials.limit(1)).first() is None:
        return
    for table in (invoice_lines, invoice_documents):
        connection.execute(sa.delete(table).where(table.c.invoice.in_(serials)))
    connection.execute(sa.delete(invoices).where(which))


def _insert(stage: Staged, first: int, generation: int) -> None:
    """Insert what is staged, in its order; the part's first invoice has the serial `first`."""
    fixed = {"state": InvoiceState.DRAFT.value, "generation": generation, "version": 1}
    _copy(stage, "heads", _HEADS, invoices.c.serial, first, fixed)
    _copy(stage, "documents", _DOCUMENTS, invoice_documents.c.invoice, first, {})
    _copy(stage, "lines", _LINES, invoice_lines.c.invoice, first, {})


def _copy(
    stage: Staged,
    name: str,
    columns: Mapping[str, str],
    serial: sa.Column[int],
    first: int,
    fixed: Mapping[str, object],
) -> None:
    source = stage.table(name, columns)
    names = [column for column in columns if column != "place"]
    literals = [sa.literal(value) for value in fixed.values()]
    chosen = sa.select(source.c.place + first, *(source.c[it] for it in names), *literals)
    copy = sa.insert(serial.table).from_select([serial.name, *names, *fixed], chosen)
    stage.connection.execute(copy)


def next_serial(connection: sa.Connection) -> int:
    """The first serial that is free; no other transaction takes one before this has ended."""
    if not is_sqlite(connection):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SERIAL_LOCK)))
    last = sa.select(sa.func.coalesce(sa.func.max(invoices.c.serial), 0))
    return int(connection.execute(last).scalar_one()) + 1
