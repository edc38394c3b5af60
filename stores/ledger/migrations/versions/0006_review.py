"""A person's look at drafts: holds that outlive drafts, and approvals."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Three tables that are empty."""
    op.create_table("holds", *_texts("month", "tenant"), _text("why"), _text("who"), _at())
    op.create_table("approvals", *_texts("invoice"), _text("document_hash"), _text("who"), _at())
    op.create_table("months_to_approve", *_texts("month"))


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _TEXT, primary_key=True) for name in names]


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, _TEXT, nullable=False)


def _at() -> sa.Column[int]:
    return sa.Column("at_ms", sa.BigInteger(), nullable=False)
