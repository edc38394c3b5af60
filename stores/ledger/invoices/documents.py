"""The documents of invoices on their way into the ledger; they lie in chunks.

A month's documents differ in a few figures each: together they take a
nineteenth of their size.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from stores.ledger.invoices.invoice_chunks import Chunks, rows_of
from stores.ledger.tables.invoice_tables import document_chunks


def pack_documents(drafts: pa.Table) -> Chunks:
    """The documents of drafts (`DRAFT_COLUMNS`), by the places of these."""
    documents = drafts.select(["id", "document"]).rename_columns(["invoice", "document"])
    return Chunks.of(documents, np.arange(len(drafts)), len(drafts))


def documents_of(connection: sa.Connection, month: str, serials: Iterable[int]) -> dict[str, bytes]:
    """The documents of a few invoices of a month, by id."""
    return {
        row["invoice"]: row["document"]
        for table in rows_of(connection, document_chunks, month, serials)
        for row in table.to_pylist()
    }
