"""Invoices while they are drafts, and reading them in any state.

Drafts may be replaced and held; what finalizing does to them is in `finalizing.py`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import sqlalchemy as sa

from schemas.errors import InvalidInput, NotFound
from schemas.invoice import Invoice, InvoiceState
from stores.ledger.connection import transaction
from stores.ledger.invoice_tables import invoice_lines, invoices
from stores.ledger.part import IN_CHUNK, LedgerPart, chunks, upsert
from stores.ledger.rows import (
    DRAFT_COLUMNS,
    DRAFT_LINE_COLUMNS,
    draft_table,
    line_table,
    load_invoices,
)
from stores.ledger.slices import Slice
from stores.ledger.staging import CHUNK, Staged, staged

_IS_DRAFT = invoices.c.state == InvoiceState.DRAFT.value


class Invoices(LedgerPart):
    """The tables `invoices` and `invoice_lines`."""

    def replace_drafts(self, month: str, drafts: Iterable[Invoice]) -> int:
        """Replace the month's drafts; invoices finalized already are left alone and counted.

        An invoice and its lines change together, in transactions of 50,000 invoices. Until all
        are written nothing of the month can be finalized.
        """
        slice_ = drafts_slice(month)
        with self._writing() as connection:
            generation = slice_.begin(connection)
        written = 0
        for chunk in chunks(_of_month(month, drafts), CHUNK):
            tables = {"drafts": draft_table(chunk), "lines": line_table(chunk)}
            with staged(self._engine, tables) as stage, transaction(stage.connection):
                slice_.check_owner(stage.connection, generation)
                _replace_chunk(stage, generation)
            written += len(chunk)
        with self._writing() as connection:
            slice_.complete(connection, generation, written)
            _delete_surplus(connection, month, generation)
            left = sa.select(sa.func.count()).where(invoices.c.month == month, ~_IS_DRAFT)
            return connection.execute(left).scalar_one()

    def hold(self, month: str, reasons: Mapping[str, str]) -> None:
        """Set why drafts of these tenants are held, and clear it from the others."""
        drafts = sa.update(invoices).where(invoices.c.month == month, _IS_DRAFT)
        rows = [{"held_tenant": tenant, "reason": why} for tenant, why in reasons.items()]
        with self._writing() as connection:
            connection.execute(drafts.where(invoices.c.held.is_not(None)).values(held=None))
            if rows:
                of_tenant = drafts.where(invoices.c.tenant == sa.bindparam("held_tenant"))
                connection.execute(of_tenant.values(held=sa.bindparam("reason")), rows)

    def invoices(
        self,
        month: str | None = None,
        states: Sequence[InvoiceState] = (),
        tenant: str | None = None,
    ) -> list[Invoice]:
        """Invoices with their lines, by month, tenant, subscription."""
        wanted: list[sa.ColumnElement[bool]] = [sa.true()]
        if month is not None:
            wanted.append(invoices.c.month == month)
        if tenant is not None:
            wanted.append(invoices.c.tenant == tenant)
        if states:
            wanted.append(invoices.c.state.in_([state.value for state in states]))
        with self._reading() as connection:
            return [invoice for invoice, _ in load_invoices(connection, sa.and_(*wanted))]

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


def drafts_slice(month: str) -> Slice:
    """The month's drafts."""
    return Slice(month, "drafts")


def _of_month(month: str, drafts: Iterable[Invoice]) -> Iterable[Invoice]:
    for draft in drafts:
        if draft.month != month or draft.state is not InvoiceState.DRAFT:
            raise InvalidInput(f"{draft.id} is not a draft of {month}")
        yield draft


def _replace_chunk(stage: Staged, generation: int) -> None:
    connection = stage.connection
    drafts = stage.table("drafts", DRAFT_COLUMNS)
    lines = stage.table("lines", DRAFT_LINE_COLUMNS)
    new = sa.select(
        *(drafts.c[name] for name in DRAFT_COLUMNS),
        sa.literal(InvoiceState.DRAFT.value),
        sa.literal(generation),
        sa.literal(1),
    )
    put = upsert(connection, invoices).from_select(
        # WHERE, because SQLite could take ON CONFLICT for a join's condition
        [*DRAFT_COLUMNS, "state", "generation", "version"],
        new.where(sa.true()),
    )
    replaced = {name: put.excluded[name] for name in (*DRAFT_COLUMNS, "generation")}
    connection.execute(
        put.on_conflict_do_update(index_elements=["id"], set_=replaced, where=_IS_DRAFT)
    )
    _delete_lines(connection, sa.and_(_IS_DRAFT, invoices.c.id.in_(sa.select(drafts.c.id))))
    of_drafts = sa.select(*(lines.c[name] for name in DRAFT_LINE_COLUMNS)).where(
        lines.c.invoice.in_(sa.select(invoices.c.id).where(_IS_DRAFT))
    )
    connection.execute(sa.insert(invoice_lines).from_select([*DRAFT_LINE_COLUMNS], of_drafts))


def _delete_surplus(connection: sa.Connection, month: str, generation: int) -> None:
    surplus = sa.and_(invoices.c.month == month, _IS_DRAFT, invoices.c.generation < generation)
    _delete_lines(connection, surplus)
    connection.execute(sa.delete(invoices).where(surplus))


def _delete_lines(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    of_them = sa.select(invoices.c.id).where(which)
    connection.execute(sa.delete(invoice_lines).where(invoice_lines.c.invoice.in_(of_them)))


def insert_issued(connection: sa.Connection, issued: Invoice, seller: str) -> None:
    """Insert an invoice or note that has its number already, with its lines."""
    [row] = draft_table([issued]).to_pylist()
    named = {"number": issued.number, "issued_ms": issued.issued_ms, "due_ms": issued.due_ms}
    marks = {"state": issued.state.value, "seller": seller, "generation": 0, "version": 1}
    connection.execute(sa.insert(invoices).values(row | named | marks))
    connection.execute(sa.insert(invoice_lines), line_table([issued]).to_pylist())
