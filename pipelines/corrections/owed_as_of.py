"""What a closed month's invoices would say, were its usage read up to a later cut."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from pipelines.adjustments import bulk
from pipelines.adjustments.as_billed import as_billed
from pipelines.adjustments.concerned import concerned
from pipelines.columns.tables import lines_by_subscription, table_of
from pipelines.invoices.books import Books
from pipelines.rating import bulk_rating
from pipelines.segments.segment_tables import segment_table
from pipelines.segments.segments import bounds
from pipelines.usage.usage_reading import read_usage_of
from schemas.extras import BUYER_COLUMNS, CREDIT_COLUMNS, NOTHING, Extras
from schemas.invoice import Invoice, InvoiceLine
from schemas.ports import UsageReader
from schemas.vector import Vector

Lines = Sequence[InvoiceLine]


def owed_as_of(
    books: Books, standing: Mapping[str, Invoice], as_of: Vector, usage: UsageReader
) -> Mapping[str, Lines]:
    """The lines that these subscriptions' invoices would have, but for credits; a void one none."""
    subscriptions = [each for each in books.subscriptions if each.id in standing]
    if not subscriptions:
        return {}
    periods = {each.tenant: books.billed(each) for each in subscriptions}
    cuts = {each.tenant: bounds(each, books.billed(each)) for each in subscriptions}
    used = read_usage_of(usage, periods, as_of, cuts, books.meters)
    month, catalogs = books.period, books.catalogs
    segments = segment_table(subscriptions)
    fees = bulk_rating.prorate_fees(segments, month, catalogs)
    charges = bulk_rating.rate_charges(used, segments, month, catalogs)
    rated = pa.concat_tables([fees, charges])
    offered = replace(books.offered, extras=_as_billed(books, standing.values()))
    found = concerned(segments, offered)
    following = [bulk.adjust_lines(rated, found, month, offered)] if found.num_rows else []
    return _by_subscription([fees, charges, *following])


def _by_subscription(tables: Iterable[pa.Table]) -> dict[str, list[InvoiceLine]]:
    found: dict[str, list[InvoiceLine]] = {}
    for table in tables:
        for row, lines in lines_by_subscription(table):
            found.setdefault(row["subscription"], []).extend(lines)
    return found


def _as_billed(books: Books, standing: Iterable[Invoice]) -> Extras:
    """What tenants had as their invoices found it: buyers as told there, and no credits."""
    told = sorted((each.tenant, as_billed(each, NOTHING).buyer) for each in standing)
    buyers = ((tenant, it.country, it.region, it.tax_id) for tenant, it in told if it.is_known)
    return replace(
        books.extras,
        buyers=table_of(buyers, BUYER_COLUMNS),
        credits=table_of([], CREDIT_COLUMNS),
    )
