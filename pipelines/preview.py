"""What a month would cost by the usage so far: the close's own arithmetic, and nothing written."""

import pyarrow as pa

from pipelines import bulk_rating
from pipelines.adjustments import bulk
from pipelines.adjustments.concerned import concerned
from pipelines.adjustments.given import versions_of
from pipelines.metering import meters_of
from pipelines.segments import bounds
from pipelines.tables import rows_of
from schemas.money import Money
from schemas.period import BillingPeriod
from schemas.ports import ClosingLedger, UsageReader
from schemas.vector import Vector


def preview_totals(
    month: str, ledger: ClosingLedger, usage: UsageReader, as_of: Vector
) -> list[tuple[str, Money]]:
    """Each tenant's total if the month ended as of the vector, the largest first.

    Fees are those of the whole month. Limits, discounts, tax and credits are as of now.
    """
    period = BillingPeriod.month(month)
    subscriptions = ledger.subscriptions(period)
    extras, (newest, _) = ledger.extras(month), ledger.catalog()
    versions = {part.catalog_version for s in subscriptions for part, _ in s.parts(period)}
    versions |= {newest, *versions_of(extras)}
    catalogs = {version: ledger.catalog(version)[1] for version in sorted(versions)}
    cuts = {s.tenant: bounds(s, period) for s in subscriptions}
    found = usage.usage(period, as_of, cuts, meters_of(catalogs))
    totals: dict[tuple[str, str], int] = {(s.tenant, s.currency): 0 for s in subscriptions}
    charges = bulk_rating.rate_charges(found, subscriptions, period, catalogs)
    rated = pa.concat_tables([bulk_rating.prorate_fees(subscriptions, period, catalogs), charges])
    offered = bulk.Offered(catalogs, catalogs[newest].taxes, extras)
    adjusting = bulk.adjust_lines(rated, concerned(subscriptions, offered), period, offered)
    for row in rows_of(pa.concat_tables([rated, adjusting])):
        totals[row["tenant"], row["currency"]] += row["amount_minor"]
    amounts = [(tenant, Money(minor, currency)) for (tenant, currency), minor in totals.items()]
    return sorted(amounts, key=lambda each: (-each[1].amount_minor, each[0]))
