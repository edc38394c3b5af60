"""What a change of plan would make of the running period's invoice: line by line, nothing written.

The lines are those of the specification of the close, with the usage so far; a change that takes
effect later changes none of them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.adjustments.case import Case
from pipelines.adjustments.given import given_by_tenant, versions_of
from pipelines.adjustments.invoice import adjust
from pipelines.columns.tables import as_table, rows_of
from pipelines.rating.fee_terms import told_versions
from pipelines.rating.proration import prorate_fees
from pipelines.rating.rating import Usage, rate_usage
from pipelines.segments.segments import bounds
from pipelines.usage.metering import meters_of
from pipelines.usage.usage_reading import bounds_of
from schemas.catalog import Catalog
from schemas.extras import NOTHING, Given
from schemas.invoice import InvoiceLine
from schemas.ledger_ports import ClosingLedger
from schemas.period import BillingPeriod
from schemas.ports import UsageReader
from schemas.subscription import Subscription
from schemas.tables import USAGE_COLUMNS
from schemas.vector import Vector


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """The invoice of a period as it would be without and with a change."""

    period: BillingPeriod
    currency: str
    before: Sequence[InvoiceLine]
    after: Sequence[InvoiceLine]

    @property
    def removed(self) -> list[InvoiceLine]:
        """Lines that would not be there any more, in their order."""
        return _beside(self.before, self.after)

    @property
    def added(self) -> list[InvoiceLine]:
        """Lines that would come, in their order."""
        return _beside(self.after, self.before)

    @property
    def difference_minor(self) -> int:
        """What the invoice would cost more; less than nothing is cheaper."""
        return _total(self.after) - _total(self.before)


def preview_change(
    before: Subscription,
    after: Subscription,
    now_ms: int,
    ledger: ClosingLedger,
    usage: UsageReader,
    as_of: Vector,
) -> PlanPreview:
    """The lines of the running period without and with a change, by the usage so far.

    `after` is what `pipelines.plans.plan_life.carry_out` made of `before`. Usage is read once for
    each: a change cuts it in two where it takes effect.
    """
    period = after.period_around(now_ms)
    rater = _Rater(period, ledger, usage, as_of)
    return PlanPreview(period, after.currency, rater.lines(before), rater.lines(after))


class _Rater:
    """Makes a subscription's lines of a period."""

    def __init__(
        self, period: BillingPeriod, ledger: ClosingLedger, usage: UsageReader, as_of: Vector
    ) -> None:
        self._period = period
        self._ledger = ledger
        self._reader = usage
        self._as_of = as_of
        # an invoice is of the month in which its period ends
        self._extras = ledger.extras(BillingPeriod.month_of(period.end_ms - 1).key)
        self._newest = ledger.catalog()[0]

    def lines(self, subscription: Subscription) -> list[InvoiceLine]:
        parts = subscription.parts(self._period)
        if not parts:
            return []
        kept = told_versions(subscription, self._period)
        catalogs = self._catalogs(kept | versions_of(self._extras) | {self._newest})
        rated = [
            *prorate_fees(subscription, self._period, catalogs),
            *rate_usage(subscription, self._period, catalogs, self._usage(subscription, catalogs)),
        ]
        given = given_by_tenant(self._extras).get(subscription.tenant, NOTHING)
        return [*rated, *self._adjusting(subscription, catalogs, rated, given)]

    def _adjusting(
        self,
        subscription: Subscription,
        catalogs: Mapping[int, Catalog],
        rated: Sequence[InvoiceLine],
        given: Given,
    ) -> list[InvoiceLine]:
        taxes = catalogs[self._newest].taxes
        return adjust(Case(subscription, self._period, catalogs, rated, given, taxes))

    def _catalogs(self, versions: set[int]) -> dict[int, Catalog]:
        return {version: self._ledger.catalog(version)[1] for version in sorted(versions)}

    def _usage(self, subscription: Subscription, catalogs: Mapping[int, Catalog]) -> Usage:
        cuts = {subscription.tenant: bounds(subscription, self._period)}
        found = self._reader.usage(self._period, self._as_of, bounds_of(cuts), meters_of(catalogs))
        return {
            (row["meter"], row["segment"], row["value"]): row["quantity_micro"]
            for row in rows_of(as_table(found, USAGE_COLUMNS))
            if row["tenant"] == subscription.tenant
        }


def _beside(lines: Sequence[InvoiceLine], others: Sequence[InvoiceLine]) -> list[InvoiceLine]:
    """The lines that are not among the others; of equal ones as many as there are more."""
    left = Counter(others)
    found = []
    for line in lines:
        if left[line]:
            left[line] -= 1
        else:
            found.append(line)
    return found


def _total(lines: Sequence[InvoiceLine]) -> int:
    return sum(line.amount_minor for line in lines)
