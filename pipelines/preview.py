"""What a month would cost by the usage so far: the close's own arithmetic, and nothing written."""

import pyarrow as pa

from pipelines import bulk_rating
from pipelines.adjustments import bulk
from pipelines.adjustments.concerned import concerned
from pipelines.adjustments.given import versions_of
from pipelines.fee_terms import told_versions
from pipelines.metering import meters_of
from pipelines.segments import bounds
from pipelines.tables import rows_of
from pipelines.usage_reading import read_usage
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
    before = BillingPeriod.month_of(period.start_ms - 1)
    around = ledger.subscriptions(BillingPeriod(before.start_ms, period.end_ms))
    subscriptions = [each for each in around if each.parts(each.billed_in(period))]
    anchored = {s.tenant: s.billed_in(period) for s in around if s.anchor_day != 1}
    extras, (newest, _) = ledger.extras(month), ledger.catalog()
    versions = {newest, *versions_of(extras)}
    versions = versions.union(*(told_versions(s, s.billed_in(period)) for s in subscriptions))
    catalogs = {version: ledger.catalog(version)[1] for version in sorted(versions)}
    cuts = {s.tenant: bounds(s, s.billed_in(period)) for s in subscriptions}
    found = read_usage(usage, period, as_of, cuts, meters_of(catalogs), anchored)
    totals: dict[tuple[str, str], int] = {(s.tenant, s.currency): 0 for s in subscriptions}
    charges = bulk_rating.rate_charges(found, subscriptions, period, catalogs)
    rated = pa.concat_tables([bulk_rating.prorate_fees(subscriptions, period, catalogs), charges])
    offered = bulk.Offered(catalogs, catalogs[newest].taxes, extras)
    adjusting = bulk.adjust_lines(rated, concerned(subscriptions, offered), period, offered)
    for row in rows_of(pa.concat_tables([rated, adjusting])):
        totals[row["tenant"], row["currency"]] += row["amount_minor"]
    amounts = [(tenant, Money(minor, currency)) for (tenant, currency), minor in totals.items()]
    return sorted(amounts, key=lambda each: (-each[1].amount_minor, each[0]))
