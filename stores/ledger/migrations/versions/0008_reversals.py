"""Refunds and disputes of payments, and what they come to on their invoice."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """A table that is empty, and a column of zeros."""
    op.create_table(
        "payment_reversals",
        sa.Column("provider", _TEXT, primary_key=True),
        sa.Column("reference", _TEXT, primary_key=True),
        sa.Column("attempt", _TEXT, sa.ForeignKey("payment_attempts.id"), nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        *(_big(name) for name in ("amount_minor", "at_ms", "changed_ms")),
        sa.CheckConstraint("kind IN ('refund', 'dispute')", name="kind"),
        sa.CheckConstraint("state IN ('pending', 'settled', 'undone')", name="state"),
        sa.CheckConstraint("amount_minor > 0", name="amount"),
    )
    op.create_index("ix_payment_reversals_attempt", "payment_reversals", ["attempt"])
    op.add_column(
        "invoices",
        sa.Column("reversed_minor", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)
