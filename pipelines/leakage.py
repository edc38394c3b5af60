"""Usage that no invoice bills, and quantities that no invoice may bill: findings to read.

What is negative holds its tenant; what leaks is a warning. Each list is empty where all is well.
"""

from collections.abc import Mapping

from pipelines.books import Books
from pipelines.reconciliation import billed_quantities, unpriced_quantities
from pipelines.tables import rows_of
from schemas.quantity import format_micro


def negative_quantities(books: Books) -> list[str]:
    """Meters of which an invoice bills less than nothing; the ledger holds that tenant."""
    billed = billed_quantities(each for each in books.invoices if each.kind == "invoice")
    return [
        f"{tenant}: {format_micro(micro)} {meter} billed"
        for (tenant, meter), micro in sorted(billed.items())
        if micro < 0
    ]


def usage_without_subscription(books: Books) -> list[str]:
    """The leakage report: who used something and has no subscription in the month at all."""
    subscribed = {each.tenant for each in books.subscriptions}
    return [
        f"{tenant}: {format_micro(micro)} {meter}, and no subscription"
        for (tenant, meter), micro in sorted(_unpriced(books).items())
        if micro and tenant not in subscribed
    ]


def unpriced_usage(books: Books) -> list[str]:
    """Usage of priced meters by tenants that have a subscription, at a time when it had no plan."""
    subscribed = {each.tenant for each in books.subscriptions}
    priced = {meter for catalog in books.catalogs.values() for meter in catalog.priced_meters}
    return [
        f"{tenant}: {format_micro(micro)} {meter} while no plan was in force"
        for (tenant, meter), micro in sorted(_unpriced(books).items())
        if micro and tenant in subscribed and meter in priced
    ]


def _unpriced(books: Books) -> Mapping[tuple[str, str], int]:
    usage = rows_of(books.usage)
    return unpriced_quantities(usage, books.subscriptions, books.period, books.catalogs)
