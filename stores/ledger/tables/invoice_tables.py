"""The tables of invoices, their lines, documents and numbers.

An invoice is known outside by its id; inside the ledger its lines and documents are known by its
serial number: a month's are added at the end, and none is spread over what is there already. Lines
are read by whole invoices only, so some hundred invoices' are packed as columns.
"""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    and_,
    true,
)

from schemas.invoice import InvoiceState
from stores.ledger.tables.tables import (
    SERIAL,
    TEXT,
    big,
    count,
    key,
    metadata,
    partial,
    text_column,
)

invoices = Table(
    "invoices",
    metadata,
    Column("serial", SERIAL, autoincrement=False),
    text_column("id"),
    text_column("tenant"),
    text_column("subscription"),
    text_column("month"),
    text_column("currency"),
    big("total_minor"),
    text_column("document_hash"),
    text_column("state"),
    Column("seller", TEXT),
    Column("number", TEXT),
    Column("issued_ms", BigInteger),
    Column("due_ms", BigInteger),
    Column("held", TEXT),
    big("generation"),
    big("version"),
    count("mirrored_version"),
    Column("kind", TEXT, nullable=False, server_default="invoice"),
    # the id of the invoice that a note corrects, and what notes have taken off this one
    Column("corrects", TEXT),
    count("credited_minor"),
    # what went back of what was paid, by refunds and disputes
    count("reversed_minor"),
    PrimaryKeyConstraint("serial", name="pk_invoices_by_serial"),
    UniqueConstraint("id"),
    CheckConstraint("state IN ('draft', 'finalized', 'paid', 'past_due', 'void')", name="state"),
    CheckConstraint("kind IN ('invoice', 'note')", name="kind"),
    CheckConstraint("(state = 'draft') = (number IS NULL)", name="numbered"),
    Index("ix_invoices_month_order", "month", "tenant", "subscription"),
    Index("ix_invoices_tenant", "tenant"),
    partial("ix_invoices_past_due", "subscription", where="state = 'past_due'"),
    partial(
        "ix_invoices_behind", "serial", where="mirrored_version < version AND state <> 'draft'"
    ),
    partial("uq_invoices_number", "number", "seller", where="number IS NOT NULL", unique=True),
    partial(
        "uq_invoices_one",
        *("subscription", "month"),
        where="kind = 'invoice' AND state <> 'void'",
        unique=True,
    ),
)


def _chunks(name: str) -> Table:
    """Rows of the invoices with these serials, also of such as are gone, packed as columns."""
    return Table(
        name,
        metadata,
        key("month"),
        Column("first_serial", BigInteger, primary_key=True, autoincrement=False),
        big("last_serial"),
        # an Arrow IPC stream, compressed
        Column("rows", LargeBinary, nullable=False),
    )


# Without foreign keys: they are written and deleted with their invoices, and each would be looked
# up again. Their rows are `INVOICE_LINE_COLUMNS` and `DOCUMENT_COLUMNS` of `schemas.tables`.
line_chunks = _chunks("line_chunks")
document_chunks = _chunks("document_chunks")

# What is added up by the ledger itself: lines of used credits and of one-off items.
counted_lines = Table(
    "counted_lines",
    metadata,
    Column("invoice", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    text_column("kind"),
    Column("name", TEXT),
    big("amount_minor"),
    CheckConstraint("kind IN ('credit_applied', 'item')", name="kind"),
    sqlite_with_rowid=False,
)

number_series = Table(
    "number_series",
    metadata,
    key("seller"),
    key("month"),
    big("last"),
)


def chosen(
    month: str | None, states: Sequence[InvoiceState], tenant: str | None
) -> ColumnElement[bool]:
    """The invoices of a month, in one of some states, of a tenant; whatever is not said is any."""
    own = {invoices.c.month: month, invoices.c.tenant: tenant}
    wanted = [column == value for column, value in own.items() if value is not None]
    if states:
        wanted.append(invoices.c.state.in_([state.value for state in states]))
    return and_(true(), *wanted)
