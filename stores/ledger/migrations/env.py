"""What Alembic runs for each migration: on the connection, and in the transaction, of `migrate`."""

from alembic import context

from stores.ledger.tables.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
