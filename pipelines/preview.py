"""What a month would cost by the usage so far: the close's own arithmetic, and nothing written."""

from pipelines import bulk_rating
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

    Fees are those of the whole month.
    """
    period = BillingPeriod.month(month)
    subscriptions = ledger.subscriptions(period)
    versions = {part.catalog_version for s in subscriptions for part, _ in s.parts(period)}
    catalogs = {version: ledger.catalog(version)[1] for version in sorted(versions)}
    cuts = {s.tenant: bounds(s, period) for s in subscriptions}
    found = usage.usage(period, as_of, cuts, meters_of(catalogs))
    totals: dict[tuple[str, str], int] = {(s.tenant, s.currency): 0 for s in subscriptions}
    for lines in (
        bulk_rating.rate_charges(found, subscriptions, period, catalogs),
        bulk_rating.prorate_fees(subscriptions, period, catalogs),
    ):
        for row in rows_of(lines):
            totals[row["tenant"], row["currency"]] += row["amount_minor"]
    amounts = [(tenant, Money(minor, currency)) for (tenant, currency), minor in totals.items()]
    return sorted(amounts, key=lambda each: (-each[1].amount_minor, each[0]))
