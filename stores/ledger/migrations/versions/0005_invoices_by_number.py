"""Invoices known by a small number within the ledger; their documents in a table of their own.

Lines and documents are stored by that number: a month's are added at the end, whatever months
there were before, and numbering an invoice does not write its document again.
"""

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
_OF_LINE = (
    "ordinal, kind, plan, meter, value, period_start_ms, period_end_ms, quantity_micro, "
    "unit_price_pico, fee_minor, amount_minor, product, name, rate_ppm, base_minor, tax_minor"
)
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
_LINES = (
    f"INSERT INTO invoice_lines_anew (invoice, {_OF_LINE})"  # noqa: S608
    " SELECT a.serial, l.ordinal, "
    + ", ".join(f"l.{name}" for name in _OF_LINE.split(", ")[1:])
    + " FROM invoices_anew AS a JOIN invoice_lines AS l ON l.invoice = a.id"
    " ORDER BY a.serial, l.ordinal"
)
_REFERRING = ("payment_attempts", "credit_applications")


def upgrade() -> None:
    """The tables are made anew beside the old ones; what refers to an invoice's id stays."""
    _create_invoices()
    _create_lines()
    for statement in (_NUMBERED, _DOCUMENTS, _LINES):
        op.execute(statement)
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if not is_sqlite:
        for table in _REFERRING:
            op.drop_constraint(op.f(f"fk_{table}_invoice"), table, type_="foreignkey")
    for table in ("invoice_lines", "invoices"):
        op.drop_table(table)
        op.rename_table(f"{table}_anew", table)
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
        "invoice_lines_anew",
        sa.Column("invoice", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.Integer, autoincrement=False, nullable=False),
        _text("kind"),
        _text("plan"),
        sa.Column("meter", _TEXT),
        sa.Column("value", _TEXT),
        _big("period_start_ms"),
        _big("period_end_ms"),
        sa.Column("quantity_micro", sa.BigInteger),
        sa.Column("unit_price_pico", sa.BigInteger),
        sa.Column("fee_minor", sa.BigInteger),
        _big("amount_minor"),
        sa.Column("product", _TEXT),
        sa.Column("name", _TEXT),
        sa.Column("rate_ppm", sa.BigInteger),
        sa.Column("base_minor", sa.BigInteger),
        sa.Column("tax_minor", sa.BigInteger),
        sa.PrimaryKeyConstraint("invoice", "ordinal", name=op.f("pk_invoice_lines_by_serial")),
        sqlite_with_rowid=False,
    )


def _index() -> None:
    _partial(
        "ix_invoice_lines_credits", "invoice_lines", "invoice", where="kind = 'credit_applied'"
    )
    _partial("ix_invoice_lines_items", "invoice_lines", "invoice", where="kind = 'item'")
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
