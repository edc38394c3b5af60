"""Which difference an override is of; those that are there stay of whatever is found."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """A column that is null in the rows there are."""
    op.add_column("overrides", sa.Column("held", _TEXT, nullable=True))
