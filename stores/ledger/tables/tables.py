"""What the ledger's tables are made of; `*_tables.py` own their names, keys and indexes.

The migrations make them. Instants are epoch milliseconds, money minor units, quantities 1e-6 units,
prices 1e-12 of a currency unit: all BIGINT. Every table has a natural key; that is what makes a
second run harmless.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    Text,
    text,
)
from sqlalchemy.dialects import postgresql

VERSION_TABLE = "ledger_version"
"""Alembic's mark. Dagster's storage, which may share the server, has its own."""

REVISION = "0009"
"""The newest of `stores.ledger.migrations`, which the code needs."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Bytewise order on both: invoices are numbered by it, and documents must not depend on a locale.
TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
# SQLite numbers rows by itself only in a column that it calls INTEGER.
SERIAL = BigInteger().with_variant(Integer(), "sqlite")


def serial() -> Column[int]:
    """A number that the database gives."""
    return Column("id", SERIAL, primary_key=True, autoincrement=True)


def key(name: str) -> Column[str]:
    """A text that is a part of the key."""
    return Column(name, TEXT, primary_key=True)


def text_column(name: str) -> Column[str]:
    """A text that is always there."""
    return Column(name, TEXT, nullable=False)


def big(name: str) -> Column[int]:
    """A number of 64 bits that is always there."""
    return Column(name, BigInteger, nullable=False)


def count(name: str) -> Column[int]:
    """The same, 0 at first."""
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of some rows alone."""
    return Index(
        name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where)
    )
