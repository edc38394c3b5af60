"""Invoices known by a small number within the ledger; their documents in a table of their own.

Lines and documents are stored by that number: a month's are added at the end, whatever months
there were before, and numbering an invoice does not write its document again. Lines are packed as
columns, some hundred invoices' at a time.
"""

import pyarrow as pa
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KEPT = (
    "id, tenant, subscription, month, currency, total_minor, document_hash, state, seller, number, "
    "issued_ms, due_ms, held, generation, version, mirrored_version, kind, corrects, credited_minor"
)
_CHUNK = 1_000
_PACKED = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 1))
_LINE = {
    "invoice": "string",
    "ordinal": "int32",
    "kind": "string",
    "plan": "string",
    "meter": "string",
    "value": "string",
    "period_start_ms": "int64",
    "period_end_ms": "int64",
    "quantity_micro": "int64",
    "unit_price_pico": "int64",
    "fee_minor": "int64",
    "amount_minor": "int64",
    "product": "string",
    "name": "string",
    "rate_ppm": "int64",
    "base_minor": "int64",
    "tax_minor": "int64",
}
_NUMBERED = (
    f"INSERT INTO invoices_anew (serial, {_KEPT})"  # noqa: S608
    f" SELECT row_number() OVER (ORDER BY month, tenant, subscription, kind, id), {_KEPT}"
    " FROM invoices"
)
_DOCUMENTS = (
    "INSERT INTO invoice_documents (invoice, document)"
    " SELECT a.serial, i.document FROM invoices_anew AS a JOIN invoices AS i ON i.id = a.id"
    " ORDER BY a.serial"
)
_COUNTED = (
    "INSERT INTO counted_lines (invoice, ordinal, kind, name, amount_minor)"
    " SELECT a.serial, l.ordinal, l.kind, l.name, l.amount_minor"
    " FROM invoices_anew AS a JOIN invoice_lines AS l ON l.invoice = a.id"
    " WHERE l.kind IN ('credit_applied', 'item') ORDER BY a.serial, l.ordinal"
)
_LINES = (
    f"SELECT {', '.join('l.' + name for name in _LINE)}"  # noqa: S608
    " FROM invoices_anew AS a JOIN invoice_lines AS l ON l.invoice = a.id"
    " WHERE a.serial BETWEEN :first AND :last ORDER BY a.serial, l.ordinal"
)
_REFERRING = ("payment_attempts", "credit_applications")


def upgrade() -> None:
    """The tables are made anew beside the old ones; what refers to an invoice's id stays."""
    _create_invoices()
    _create_lines()
    for statement in (_NUMBERED, _DOCUMENTS, _COUNTED):
        op.execute(statement)
    _pack_lines(op.get_bind())
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if not is_sqlite:
        for table in _REFERRING:
            op.drop_constraint(op.f(f"fk_{table}_invoice"), table, type_="foreignkey")
    op.drop_table("invoice_lines")
    op.drop_table("invoices")
    op.rename_table("invoices_anew", "invoices")
    if not is_sqlite:
        for table in _REFERRING:
            name = op.f(f"fk_{table}_invoice")
            op.create_foreign_key(name, table, "invoices", ["invoice"], ["id"])
    _index()


def _big(name: str, *, default: str | None = None) -> sa.Column[int]:
    given = None if default is None else sa.text(default)
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=given)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, _TEXT, nullable=False)


def _create_invoices() -> None:
    op.create_table(
        "invoices_anew",
        sa.Column("serial", _SERIAL, autoincrement=False, nullable=False),
        _text("id"),
        _text("tenant"),
        _text("subscription"),
        _text("month"),
        _text("currency"),
        _big("total_minor"),
        _text("document_hash"),
        _text("state"),
        sa.Column("seller", _TEXT),
        sa.Column("number", _TEXT),
        sa.Column("issued_ms", sa.BigInteger),
        sa.Column("due_ms", sa.BigInteger),
        sa.Column("held", _TEXT),
        _big("generation"),
        _big("version"),
        _big("mirrored_version", default="0"),
        sa.Column("kind", _TEXT, nullable=False, server_default="invoice"),
        sa.Column("corrects", _TEXT),
        _big("credited_minor", default="0"),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_invoices_by_serial")),
        sa.UniqueConstraint("id", name=op.f("uq_invoices_id")),
        sa.CheckConstraint(
            "state IN ('draft', 'finalized', 'paid', 'past_due', 'void')",
            name=op.f("ck_invoices_state"),
        ),
        sa.CheckConstraint("kind IN ('invoice', 'note')", name=op.f("ck_invoices_kind")),
        sa.CheckConstraint(
            "(state = 'draft') = (number IS NULL)", name=op.f("ck_invoices_numbered")
        ),
    )


def _create_lines() -> None:
    op.create_table(
        "invoice_documents",
        sa.Column("invoice", _SERIAL, autoincrement=False, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("invoice", name=op.f("pk_invoice_documents")),
    )
    op.create_table(
        "line_chunks",
        sa.Column("month", _TEXT, primary_key=True),
        sa.Column("first_serial", sa.BigInteger, primary_key=True, autoincrement=False),
        _big("last_serial"),
        sa.Column("rows", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "counted_lines",
        sa.Column("invoice", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
        _text("kind"),
        sa.Column("name", _TEXT),
        _big("amount_minor"),
        sa.CheckConstraint(
            "kind IN ('credit_applied', 'item')", name=op.f("ck_counted_lines_kind")
        ),
        sqlite_with_rowid=False,
    )


def _pack_lines(connection: sa.Connection) -> None:
    """Serials rise by month, so those of a month have no gap."""
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in _LINE.items()])
    put = sa.text(
        'INSERT INTO line_chunks (month, first_serial, last_serial, "rows")'
        " VALUES (:month, :first, :last, :rows)"
    )
    months = sa.text("SELECT month, min(serial), max(serial) FROM invoices_anew GROUP BY month")
    for month, low, high in connection.execute(months).all():
        for first in range(low, high + 1, _CHUNK):
            span = {"first": first, "last": min(first + _CHUNK - 1, high)}
            rows = connection.execute(sa.text(_LINES), span).mappings()
            table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
            connection.execute(put, {"month": month, **span, "rows": _pack(table)})


def _pack(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=_PACKED) as writer:
        writer.write_table(rows.combine_chunks())
    return bytes(sink.getvalue())


def _index() -> None:
    op.create_index("ix_invoices_month_order", "invoices", ["month", "tenant", "subscription"])
    op.create_index("ix_invoices_tenant", "invoices", ["tenant"])
    _partial("ix_invoices_past_due", "invoices", "subscription", where="state = 'past_due'")
    behind = "mirrored_version < version AND state <> 'draft'"
    _partial("ix_invoices_behind", "invoices", "serial", where=behind)
    numbered = "number IS NOT NULL"
    _partial("uq_invoices_number", "invoices", "number", "seller", where=numbered, unique=True)
    one = "kind = 'invoice' AND state <> 'void'"
    _partial("uq_invoices_one", "invoices", "subscription", "month", where=one, unique=True)


def _partial(name: str, table: str, *columns: str, where: str, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
    )
