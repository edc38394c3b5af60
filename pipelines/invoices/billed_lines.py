"""What tenants were billed for a month, as it stands: lines of invoices and notes, none void."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.tables import as_table
from pipelines.invoices.books import Books
from schemas.tables import INVOICE_LINE_COLUMNS


def billed_lines(books: Books) -> pa.Table:
    """The lines (`INVOICE_LINE_COLUMNS`) of all that is not void, with tenant and currency.

    Invoices that were made again are among them, and credit notes by hand.
    """
    heads = books.live_heads
    lines = as_table(books.lines_on_invoices(), INVOICE_LINE_COLUMNS)
    places = pc.index_in(lines["invoice"], value_set=heads["id"].combine_chunks())
    own, whose = lines.filter(pc.is_valid(places)), heads.take(places.drop_null())
    for column in ("tenant", "currency"):
        own = own.append_column(column, whose[column])
    return own
