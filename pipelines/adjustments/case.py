"""One invoice to be adjusted: whose it is, its lines so far, and all that may follow from them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.catalog import Catalog, Plan
from schemas.extras import NOTHING, Given
from schemas.invoice import InvoiceLine, LineKind
from schemas.money import divide_half_away
from schemas.period import BillingPeriod
from schemas.subscription import PlanSegment, Subscription
from schemas.tax import TaxRule


@dataclass(frozen=True, slots=True)
class Case:
    """A subscription's billing period, its fee and usage lines, and what its tenant was given.

    `catalogs` hold the versions that the subscription, its coupons and its add-ons keep; `taxes`
    are those of the price list by which the month is closed.
    """

    subscription: Subscription
    period: BillingPeriod
    catalogs: Mapping[int, Catalog]
    lines: Sequence[InvoiceLine] = ()
    given: Given = NOTHING
    taxes: Sequence[TaxRule] = ()
    corrected_minor: int = 0
    """What corrections of earlier months add to what is due."""

    @property
    def currency(self) -> str:
        """The invoice's currency."""
        return self.subscription.currency

    @property
    def last_plan(self) -> str:
        """The plan in force last within the period: what belongs to no plan is put under it."""
        return self.subscription.parts(self.period)[-1][0].plan

    def active_parts(self) -> list[tuple[PlanSegment, BillingPeriod]]:
        """The parts in which the plan is paid for: neither a trial nor a pause."""
        return [each for each in self.subscription.parts(self.period) if each[0].phase == "active"]

    def plan_of(self, segment: PlanSegment) -> Plan:
        """The terms of a segment's plan."""
        return self.catalogs[segment.catalog_version].plans[segment.plan]

    def line(self, kind: LineKind, plan: str, amount_minor: int, **facts: Any) -> InvoiceLine:
        """A line for the whole period."""
        return InvoiceLine(kind, plan, self.period, amount_minor, **facts)

    def share(self, shares: Iterable[tuple[int, int]]) -> int:
        """Amounts of a whole period, each for so many milliseconds of it: rounded once.

        99.00 for 10 days and 499.00 for 21 of 31 days is 369.97.
        """
        exact = sum(amount_minor * duration_ms for amount_minor, duration_ms in shares)
        return divide_half_away(exact, self.period.duration_ms)
