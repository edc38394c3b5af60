"""A month's usage as it was rated, each row with the digest of the events behind it."""

import pyarrow as pa

from pipelines.columns.engine import database
from pipelines.columns.tables import as_table
from pipelines.invoices.books import Books
from pipelines.usage.usage_reading import read_by_period
from schemas.evidence import DIGEST_COLUMNS, EventReader
from schemas.period import BillingPeriod

_JOIN = """
SELECT usage.*, digests.events_digest
FROM usage
LEFT JOIN digests USING (tenant, meter, segment, value)
"""


def usage_with_digests(books: Books, events: EventReader) -> pa.Table:
    """The rows of the month's usage; a row without events of its own has no digest."""
    with database({"usage": books.usage, "digests": _digests(books, events)}) as connection:
        return connection.sql(_JOIN).to_arrow_table()


def _digests(books: Books, events: EventReader) -> pa.Table:
    vector, meters = books.closing.vector, books.meters

    def read(period: BillingPeriod, bounds: pa.Table, only_bounded: bool) -> pa.Table:
        found = events.digests(period, vector, bounds, meters, only_bounded=only_bounded)
        return as_table(found, DIGEST_COLUMNS)

    return pa.concat_tables(read_by_period(read, books.period, books.bounds, books.anchored))
