"""Void invoices, notes that correct an invoice, and what notes take off it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATES = "state IN ('draft', 'finalized', 'paid', 'past_due', 'void')"
_ONE = "kind = 'invoice' AND state <> 'void'"


def upgrade() -> None:
    """SQLite makes the table anew, since it cannot change a constraint; foreign keys are off."""
    if op.get_bind().dialect.name == "sqlite":
        _made_anew()
    else:
        _altered()
    op.create_index(
        "uq_invoices_one",
        "invoices",
        ["subscription", "month"],
        unique=True,
        sqlite_where=sa.text(_ONE),
        postgresql_where=sa.text(_ONE),
    )


def _altered() -> None:
    text = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
    big = sa.BigInteger()
    op.add_column("invoices", sa.Column("kind", text, nullable=False, server_default="invoice"))
    op.add_column("invoices", sa.Column("corrects", text))
    op.add_column(
        "invoices", sa.Column("credited_minor", big, nullable=False, server_default=sa.text("0"))
    )
    op.drop_constraint("uq_invoices_subscription_month", "invoices", type_="unique")
    op.drop_constraint(op.f("ck_invoices_state"), "invoices", type_="check")
    op.create_check_constraint(op.f("ck_invoices_state"), "invoices", _STATES)
    op.create_check_constraint(op.f("ck_invoices_kind"), "invoices", "kind IN ('invoice', 'note')")


_COLUMNS = (
    "id, tenant, subscription, month, currency, total_minor, document, document_hash, state, "
    "seller, number, issued_ms, due_ms, held, generation, version, mirrored_version"
)
_TABLE = f"""
CREATE TABLE invoices_anew (
    id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    subscription TEXT NOT NULL,
    month TEXT NOT NULL,
    currency TEXT NOT NULL,
    total_minor BIGINT NOT NULL,
    document BLOB NOT NULL,
    document_hash TEXT NOT NULL,
    state TEXT NOT NULL,
    seller TEXT,
    number TEXT,
    issued_ms BIGINT,
    due_ms BIGINT,
    held TEXT,
    generation BIGINT NOT NULL,
    version BIGINT NOT NULL,
    mirrored_version BIGINT DEFAULT 0 NOT NULL,
    kind TEXT DEFAULT 'invoice' NOT NULL,
    corrects TEXT,
    credited_minor BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_invoices PRIMARY KEY (id),
    CONSTRAINT uq_invoices_number_seller UNIQUE (number, seller),
    CONSTRAINT ck_invoices_state CHECK ({_STATES}),
    CONSTRAINT ck_invoices_kind CHECK (kind IN ('invoice', 'note')),
    CONSTRAINT ck_invoices_numbered CHECK ((state = 'draft') = (number IS NULL))
)
"""
_COPY = f"INSERT INTO invoices_anew ({_COLUMNS}) SELECT {_COLUMNS} FROM invoices"  # noqa: S608
_INDEXES = (
    "ix_invoices_month_order ON invoices (month, tenant, subscription)",
    "ix_invoices_tenant ON invoices (tenant)",
    "ix_invoices_past_due ON invoices (subscription) WHERE state = 'past_due'",
    "ix_invoices_behind ON invoices (id) WHERE mirrored_version < version AND state <> 'draft'",
)


def _made_anew() -> None:
    op.execute(_TABLE)
    op.execute(_COPY)
    op.execute("DROP TABLE invoices")
    op.execute("ALTER TABLE invoices_anew RENAME TO invoices")
    for index in _INDEXES:
        op.execute(f"CREATE INDEX {index}")
