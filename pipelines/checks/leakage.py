"""What no invoice bills, usage and one-off items: findings, warnings all; empty where all is well.

Usage is read off the month's recorded comparison.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow.compute as pc

from pipelines.columns.tables import as_table, rows_of
from pipelines.invoices.books import Books
from schemas.extras import ITEM_COLUMNS
from schemas.money import Money
from schemas.quantity import format_micro


@dataclass(frozen=True, slots=True)
class Unbilled:
    """A tenant's usage of a meter, in 1e-6 units, that no invoice bills, and why."""

    tenant: str
    meter: str
    quantity_micro: int
    why: str

    def __str__(self) -> str:
        return f"{self.tenant}: {format_micro(self.quantity_micro)} {self.meter}, {self.why}"


def unbilled(books: Books) -> list[Unbilled]:
    """Both kinds together."""
    return usage_without_subscription(books) + unpriced_usage(books)


def usage_without_subscription(books: Books) -> list[Unbilled]:
    """The leakage report: who used something and has no subscription in the month at all."""
    return [Unbilled(*row, "no subscription") for row in _unpriced(books, is_subscribed=False)]


def unpriced_usage(books: Books) -> list[Unbilled]:
    """Usage of priced meters by tenants that have a subscription, at a time when it had no plan."""
    priced = {meter for catalog in books.catalogs.values() for meter in catalog.priced_meters}
    found = (Unbilled(*row, "no plan in force") for row in _unpriced(books, is_subscribed=True))
    return [each for each in found if each.meter in priced]


def items_without_invoice(books: Books) -> list[str]:
    """One-off items of tenants who have no invoice in their month, a void one neither."""
    items = as_table(books.extras.items, ITEM_COLUMNS)
    own = items.filter(pc.equal(items["month"], books.month))
    if not own.num_rows:  # as in most months: then nobody's invoices are read
        return []
    heads = books.heads
    invoiced = heads["tenant"].filter(pc.equal(heads["kind"], "invoice")).combine_chunks()
    lost = own.filter(pc.invert(pc.is_in(own["tenant"], value_set=invoiced)))
    return [
        f"{row['tenant']}: {Money(row['amount_minor'], row['currency'])} for {row['description']},"
        f" and no invoice in {books.month}"
        for row in rows_of(lost)
    ]


def _unpriced(books: Books, *, is_subscribed: bool) -> Iterator[tuple[str, str, int]]:
    found = books.compared.filter(pc.not_equal(books.compared["unpriced_micro"], 0))
    if not found.num_rows:
        return
    whose = pc.is_in(found["tenant"], value_set=pc.unique(books.segments["tenant"]))
    chosen = whose if is_subscribed else pc.invert(whose)
    for row in rows_of(found.filter(chosen)):
        yield row["tenant"], row["meter"], row["unpriced_micro"]
