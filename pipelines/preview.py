"""What the running month costs by the usage so far, and where it is going; nothing is written.

The arithmetic is the close's own. What is exact and what is projected never share a figure.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from pipelines.adjustments.bulk import Offered
from pipelines.adjustments.given import versions_of
from pipelines.fee_terms import told_versions
from pipelines.late_usage import corrections_until
from pipelines.metering import meters_of
from pipelines.month_lines import month_lines
from pipelines.movements import totals_of
from pipelines.projection import pace_bounds, pace_period, projected
from pipelines.segments import bounds
from pipelines.usage_reading import bounds_of, read_usage
from schemas.catalog import Catalog
from schemas.late_usage import Correction
from schemas.money import Money
from schemas.period import BillingPeriod
from schemas.ports import ClosingLedger, UsageReader
from schemas.subscription import Subscription
from schemas.vector import Vector

_FEE_KINDS = ("base_fee", "proration_credit", "proration_charge")


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A tenant's next invoice. `fees` and `so_far` are exact as of now, `projected` is a guess.

    `so_far` is the total if nothing more were used until `period` ends, its fees whole.
    It and the guess hold what corrects closed months on this invoice.
    """

    tenant: str
    period: BillingPeriod
    fees: Money
    so_far: Money
    projected: Money


def upcoming_invoices(
    month: str, ledger: ClosingLedger, usage: UsageReader, as_of: Vector, now_ms: int
) -> list[Upcoming]:
    """Every tenant's next invoice, the largest projection first; see `pipelines.projection`.

    Fees are those of the whole month. Limits, discounts, tax and credits are as of now.
    """
    running = _Running(month, ledger)
    due = running.corrected(corrections_until(month, as_of, ledger, usage))
    used = running.used(usage, as_of)
    lines = running.lines(used, due)
    so_far, fees = totals_of(lines), totals_of(_fees(lines))
    guess = running.projected(used, usage, as_of, now_ms)
    guessed = totals_of(running.lines(guess, due))
    found = []
    for each in running.subscriptions:
        key, more = (each.tenant, each.currency), due.get(each.id, 0)
        minor = fees.get(key, 0), so_far.get(key, 0) + more, guessed.get(key, 0) + more
        amounts = (Money(amount, each.currency) for amount in minor)
        found.append(Upcoming(each.tenant, each.billed_in(running.period), *amounts))
    return sorted(found, key=lambda it: (-it.projected.amount_minor, it.tenant))


class _Running:
    """A month that is not over: its subscriptions, price lists, and what tenants have."""

    def __init__(self, month: str, ledger: ClosingLedger) -> None:
        self.period = BillingPeriod.month(month)
        around = ledger.subscriptions(self.period.reach)
        self.subscriptions = [each for each in around if each.parts(self._billed(each))]
        self._anchored = {s.tenant: self._billed(s) for s in around if s.anchor_day != 1}
        extras, (newest, _) = ledger.extras(month), ledger.catalog()
        versions = {newest, *versions_of(extras)}
        versions = versions.union(*(told_versions(s, self._billed(s)) for s in self.subscriptions))
        self._catalogs: Mapping[int, Catalog] = {
            version: ledger.catalog(version)[1] for version in sorted(versions)
        }
        self._offered = Offered(self._catalogs, self._catalogs[newest].taxes, extras)
        self._policy = self._catalogs[newest].late_usage

    def _billed(self, subscription: Subscription) -> BillingPeriod:
        return subscription.billed_in(self.period)

    def used(self, usage: UsageReader, as_of: Vector) -> pa.Table:
        """The month's usage so far."""
        cuts = {s.tenant: bounds(s, self._billed(s)) for s in self.subscriptions}
        meters = meters_of(self._catalogs)
        return read_usage(usage, self.period, as_of, bounds_of(cuts), meters, self._anchored)

    def projected(self, used: pa.Table, usage: UsageReader, as_of: Vector, now_ms: int) -> pa.Table:
        """The same to the end of every billing period, at the pace of the last days."""
        meters = [meter for meter in meters_of(self._catalogs) if meter.is_additive]
        cuts = pace_bounds(self.subscriptions, now_ms)
        recent = usage.usage(pace_period(now_ms), as_of, bounds_of(cuts), meters)
        additive = [meter.name for meter in meters]
        return projected(used, recent, self.subscriptions, self.period, now_ms, additive)

    def corrected(self, found: Iterable[Correction]) -> dict[str, int]:
        """What corrections add to these invoices, by subscription; notes add nothing."""
        if self._policy.corrected_by == "note":
            return {}
        sums: Counter[str] = Counter()
        for each in self._policy.are_due(found):
            sums[each.subscription] += each.amount_minor
        return dict(sums)

    def lines(self, usage: pa.Table, corrected: Mapping[str, int]) -> pa.Table:
        """All lines that the usage and the fees of the whole month make, and what follows."""
        return month_lines(usage, self.subscriptions, self.period, self._offered, corrected)


def _fees(lines: pa.Table) -> pa.Table:
    kinds = lines["kind"].to_pylist()
    return lines.filter(pa.array([kind in _FEE_KINDS for kind in kinds], pa.bool_()))
