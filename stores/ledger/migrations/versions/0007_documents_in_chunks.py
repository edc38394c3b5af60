"""Documents of invoices packed as columns, a thousand together, in the chunks of their lines."""

import pyarrow as pa
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_PACKED = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 1))
_SCHEMA = pa.schema([("invoice", pa.string()), ("document", pa.binary())])
_SPANS = "SELECT month, first_serial, last_serial FROM line_chunks ORDER BY first_serial"
_DOCUMENTS = (
    "SELECT i.id AS invoice, d.document FROM invoices AS i"
    " JOIN invoice_documents AS d ON d.invoice = i.serial"
    " WHERE i.serial BETWEEN :first AND :last ORDER BY i.serial"
)
_PUT = (
    'INSERT INTO document_chunks (month, first_serial, last_serial, "rows")'
    " VALUES (:month, :first, :last, :rows)"
)


def upgrade() -> None:
    """Each invoice has a chunk of lines; its document goes into one of the same serials."""
    op.create_table(
        "document_chunks",
        sa.Column("month", _TEXT, primary_key=True),
        sa.Column("first_serial", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last_serial", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.LargeBinary, nullable=False),
    )
    connection = op.get_bind()
    for month, first, last in connection.execute(sa.text(_SPANS)).all():
        span = {"first": first, "last": last}
        found = connection.execute(sa.text(_DOCUMENTS), span).mappings()
        rows = pa.Table.from_pylist([dict(row) for row in found], schema=_SCHEMA)
        connection.execute(sa.text(_PUT), {"month": month, **span, "rows": _pack(rows)})
    op.drop_table("invoice_documents")


def _pack(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=_PACKED) as writer:
        writer.write_table(rows.combine_chunks())
    return bytes(sink.getvalue())
