"""What the running month costs by the usage so far, and where it is going; nothing is written.

The arithmetic is the close's own. What is exact and what is projected never share a figure.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.adjustments.given import versions_of
from pipelines.adjustments.offered import Offered
from pipelines.columns.line_parts import begins
from pipelines.columns.tables import as_table
from pipelines.corrections.late_usage import corrections_until
from pipelines.invoices.month_lines import month_lines
from pipelines.reports.movements import totals_of
from pipelines.segments.billed_segments import (
    anchored,
    bounds_table,
    in_force,
    subscribed,
    told_versions,
)
from pipelines.usage.metering import meters_of
from pipelines.usage.projection import pace_bounds, pace_period, projected
from pipelines.usage.usage_reading import read_usage
from schemas.catalog import Catalog
from schemas.late_usage import Correction
from schemas.ledger_ports import ClosingLedger
from schemas.meter import Meter
from schemas.money import Money
from schemas.period import BillingPeriod
from schemas.ports import UsageReader
from schemas.tables import SEGMENT_COLUMNS
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
    """Every tenant's next invoice, the largest projection first; see `pipelines.usage.projection`.

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
    for tenant, subscription, currency, period in running.whose():
        key, more = (tenant, currency), due.get(subscription, 0)
        minor = fees.get(key, 0), so_far.get(key, 0) + more, guessed.get(key, 0) + more
        found.append(Upcoming(tenant, period, *(Money(amount, currency) for amount in minor)))
    return sorted(found, key=lambda it: (-it.projected.amount_minor, it.tenant))


class _Running:
    """A month that is not over: its subscriptions, price lists, and what tenants have."""

    def __init__(self, month: str, ledger: ClosingLedger) -> None:
        self.period = BillingPeriod.month(month)
        around = as_table(ledger.segments(self.period.reach), SEGMENT_COLUMNS)
        self._segments = subscribed(around, self.period)
        self._anchored = anchored(around, self.period)
        extras, (newest, _) = ledger.extras(month), ledger.catalog()
        versions = {newest, *versions_of(extras)} | told_versions(self._segments, self.period)
        self._catalogs: Mapping[int, Catalog] = {
            version: ledger.catalog(version)[1] for version in sorted(versions)
        }
        self._offered = Offered(self._catalogs, self._catalogs[newest].taxes, extras)
        self._policy = self._catalogs[newest].late_usage

    def whose(self) -> Iterator[tuple[str, str, str, BillingPeriod]]:
        """Tenant, subscription, currency and billing period of each invoice to come."""
        each = self._segments.filter(begins(self._segments["subscription"]))
        names = (each[name].to_pylist() for name in ("tenant", "subscription", "currency"))
        for *whose, day in zip(*names, each["anchor_day"].to_pylist(), strict=True):
            yield *whose, BillingPeriod.ending_in(self.period, day)

    def used(self, usage: UsageReader, as_of: Vector) -> pa.Table:
        """The month's usage so far."""
        bounds, meters = bounds_table(in_force(self._segments, self.period)), self._meters
        return read_usage(usage, self.period, as_of, bounds, meters, self._anchored)

    def projected(self, used: pa.Table, usage: UsageReader, as_of: Vector, now_ms: int) -> pa.Table:
        """The same to the end of every billing period, at the pace of the last days."""
        meters = [meter for meter in self._meters if meter.is_additive]
        bounds = pace_bounds(self._segments, now_ms)
        recent = usage.usage(pace_period(now_ms), as_of, bounds, meters)
        additive = [meter.name for meter in meters]
        return projected(used, recent, self._segments, self.period, now_ms, additive)

    @property
    def _meters(self) -> list[Meter]:
        return meters_of(self._catalogs)

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
        return month_lines(usage, self._segments, self.period, self._offered, corrected)


def _fees(lines: pa.Table) -> pa.Table:
    return lines.filter(pc.is_in(lines["kind"], value_set=pa.array(_FEE_KINDS)))
