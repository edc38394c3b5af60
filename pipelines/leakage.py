"""Usage that no invoice bills: findings to read, warnings all; empty where all is well.

They are read off the month's recorded comparison.
"""

from collections.abc import Iterator

import pyarrow.compute as pc

from pipelines.books import Books
from pipelines.tables import rows_of
from schemas.quantity import format_micro


def usage_without_subscription(books: Books) -> list[str]:
    """The leakage report: who used something and has no subscription in the month at all."""
    return [
        f"{tenant}: {format_micro(micro)} {meter}, and no subscription"
        for tenant, meter, micro in _unpriced(books, is_subscribed=False)
    ]


def unpriced_usage(books: Books) -> list[str]:
    """Usage of priced meters by tenants that have a subscription, at a time when it had no plan."""
    priced = {meter for catalog in books.catalogs.values() for meter in catalog.priced_meters}
    return [
        f"{tenant}: {format_micro(micro)} {meter} while no plan was in force"
        for tenant, meter, micro in _unpriced(books, is_subscribed=True)
        if meter in priced
    ]


def _unpriced(books: Books, *, is_subscribed: bool) -> Iterator[tuple[str, str, int]]:
    found = books.compared.filter(pc.not_equal(books.compared["unpriced_micro"], 0))
    if not found.num_rows:
        return
    whose = pc.is_in(found["tenant"], value_set=pc.unique(books.segments["tenant"]))
    chosen = whose if is_subscribed else pc.invert(whose)
    for row in rows_of(found.filter(chosen)):
        yield row["tenant"], row["meter"], row["unpriced_micro"]
