"""Making the ledger's tables, and bringing older ones up to this version.

Alembic is loaded here alone: a command that only asks the ledger need not wait for it.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from stores.ledger.connection import (
    is_sqlite,
    open_engine,
    reported,
    transaction,
    without_transaction,
)

_MIGRATIONS = Path(__file__).parent / "migrations"
# Any number that no one else locks by on the same Postgres database.
_MIGRATION_LOCK = 6_108_721_134


def migrate(url: str) -> None:
    """See `stores.ledger.migrate`."""
    engine = open_engine(url)
    if engine.dialect.name == "sqlite":
        Path(str(engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
    with reported(engine), engine.connect() as connection:
        if is_sqlite(connection):
            # A table that is made anew is gone for a moment; what refers to it stays as it is.
            without_transaction(connection, "PRAGMA foreign_keys = OFF")
        with transaction(connection):
            _upgrade_alone(connection)
    engine.dispose()


def _upgrade_alone(connection: sa.Connection) -> None:
    if not is_sqlite(connection):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
    upgrade(connection)
    if is_sqlite(connection) and connection.exec_driver_sql("PRAGMA foreign_key_check").all():
        raise AssertionError("a migration has left rows that refer to none")


def upgrade(connection: sa.Connection, revision: str = "head") -> None:
    """Run what is missing up to a revision, in the connection's transaction."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
