"""Where an epoch ended, and when a price list was rolled out."""

from alembic import op
from sqlalchemy import BigInteger, Column, Text
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("epochs", Column("ends", TEXT, nullable=True))
    op.add_column("catalog_versions", Column("rolled_out_ms", BigInteger, nullable=True))
