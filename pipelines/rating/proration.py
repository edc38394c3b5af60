"""What the base fee of a part of a period costs: fees, and the credit and charge of a change.

The specification of fee lines, in plain integers; `pipelines.rating.bulk_rating` must equal it.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipelines.rating.fee_terms import FeeTerms, fee_terms, is_followed, paid_next, year_left
from pipelines.segments.segments import Part, parts, unbroken
from pipelines.segments.shares import prorate, weights
from schemas.catalog import Catalog
from schemas.invoice import InvoiceLine, LineKind
from schemas.period import BillingPeriod
from schemas.plan_policies import Proration
from schemas.subscription import Subscription

__all__ = ["FeeLine", "fee_lines", "prorate", "prorate_fees"]


class FeeLine(NamedTuple):
    """A line, the period or year that its fee is a fee for, and how its part is measured."""

    line: InvoiceLine
    whole: BillingPeriod
    proration: Proration


def prorate_fees(
    subscription: Subscription, period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> list[InvoiceLine]:
    """The fee lines of a subscription for a billing period, in time order.

    The plan in force when an unbroken part of the subscription begins costs its fee to the end of
    that part; each change takes back what is left of the old plan and charges what is left of the
    new one. October, pro to enterprise on the 11th: 49.99 − 33.86 + 135.48 = 151.61 USD. A trial
    costs nothing; the fee begins when it ends.

    A year is charged to its end in the period in which it, or the plan, begins; what is left of it
    is given back when the plan ends. A fee in advance is on the invoice of the period before.
    """
    return [each.line for each in fee_lines(subscription, period, catalogs)]


def fee_lines(
    subscription: Subscription, period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> list[FeeLine]:
    """As `prorate_fees`, each line with what its fee is a fee for."""
    return list(_Fees(subscription, period, catalogs).lines())


class _Fees:
    """The fees of one subscription and billing period."""

    def __init__(
        self, subscription: Subscription, period: BillingPeriod, catalogs: Mapping[int, Catalog]
    ) -> None:
        self._subscription = subscription
        self._period = period
        self._catalogs = catalogs
        self._parts = parts(subscription, period)

    def lines(self) -> Iterator[FeeLine]:
        if self._parts and self._parts[0].period.start_ms == self._period.start_ms:
            yield from self._left_of_a_year()
        for run in unbroken(self._parts):
            yield from self._run(run)
        if self._parts:
            yield from self._next_period()

    def _left_of_a_year(self) -> Iterator[FeeLine]:
        """What a change at the period's very start leaves of the old plan's year."""
        found = year_left(self._subscription, self._period, self._catalogs)
        if found is not None:
            old, year = found
            plan = self._catalogs[old.catalog_version].plans[old.plan]
            fee_minor = plan.yearly_fee_minor(self._subscription.currency)
            terms = FeeTerms(fee_minor, year, plan.policies.proration)
            rest = BillingPeriod(self._period.start_ms, year.end_ms)
            yield _line("proration_credit", old.plan, terms, rest)

    def _run(self, run: list[Part]) -> Iterator[FeeLine]:
        ends_ms = run[-1].period.end_ms
        old = None
        for part in run:
            terms, start_ms = self._terms(part), part.period.start_ms
            if old is None:
                yield self._beginning(part, terms, ends_ms)
            else:
                yield from _change("proration_credit", *old, start_ms, ends_ms)
                yield from _change("proration_charge", part, terms, start_ms, ends_ms)
            old = part, terms
        if old is not None and self._is_left(old[1], ends_ms):
            yield from _change("proration_credit", *old, ends_ms, ends_ms)

    def _is_left(self, terms: FeeTerms, ends_ms: int) -> bool:
        """Has more been paid for than there was, and no later invoice will say so?"""
        is_told_later = ends_ms == self._period.end_ms and is_followed(self._subscription, ends_ms)
        return terms.is_paid_ahead and terms.whole.end_ms > ends_ms and not is_told_later

    def _beginning(self, part: Part, terms: FeeTerms, ends_ms: int) -> FeeLine:
        """The fee with which a run begins; 0 where it was paid, or a whole period was, before."""
        if terms.is_paid_already or self._is_paid_whole_before(part, terms):
            paid = FeeTerms(0, terms.whole, "second")
            return _line("base_fee", part.plan, paid, part.period)
        return _line("base_fee", part.plan, terms, _rest(part.period.start_ms, terms, ends_ms))

    def _is_paid_whole_before(self, part: Part, terms: FeeTerms) -> bool:
        if terms.proration != "none" or part.is_trial:
            return False
        paid = [each for each in self._parts if not each.is_trial]
        return weights(paid, self._period, self._catalogs)[paid.index(part)] == 0

    def _next_period(self) -> Iterator[FeeLine]:
        segment = paid_next(self._subscription, self._period, self._catalogs)
        if segment is not None:
            plan = self._catalogs[segment.catalog_version].plans[segment.plan]
            following = self._subscription.period_around(self._period.end_ms)
            fee_minor = plan.base_fee_minor(self._subscription.currency)
            terms = FeeTerms(fee_minor, following, plan.policies.proration)
            yield _line("base_fee", segment.plan, terms, following)

    def _terms(self, part: Part) -> FeeTerms:
        return fee_terms(self._subscription, part, self._period, self._catalogs)


def _change(
    kind: LineKind, part: Part, terms: FeeTerms, starts_ms: int, ends_ms: int
) -> Iterator[FeeLine]:
    """One side of a change; a plan that is not prorated is not touched within a period."""
    if terms.proration != "none":
        yield _line(kind, part.plan, terms, _rest(starts_ms, terms, ends_ms))


def _rest(starts_ms: int, terms: FeeTerms, ends_ms: int) -> BillingPeriod:
    """From an instant to the end of what is paid for: of the whole, or of the run."""
    return BillingPeriod(starts_ms, terms.whole.end_ms if terms.is_paid_ahead else ends_ms)


def _line(kind: LineKind, plan: str, terms: FeeTerms, rest: BillingPeriod) -> FeeLine:
    amount_minor = share_of_fee(terms.fee_minor, rest, terms.whole, terms.proration)
    signed = -amount_minor if kind == "proration_credit" else amount_minor
    line = InvoiceLine(kind, plan, rest, signed, fee_minor=terms.fee_minor)
    return FeeLine(line, terms.whole, terms.proration)


def share_of_fee(
    fee_minor: int, part: BillingPeriod, whole: BillingPeriod, proration: Proration
) -> int:
    """A fee for a part of what it is a fee for; all of it where nothing is prorated."""
    return fee_minor if proration == "none" else prorate(fee_minor, part, whole, proration)
