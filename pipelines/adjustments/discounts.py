"""Discounts of plans and coupons: which apply, in which order, and what each takes off.

Percentages come before amounts, a plan's own before coupons, older coupons before newer ones; each
takes from what the one before has left, and nothing below zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.adjustments.buckets import Bucket, Left, in_order, taken, without
from pipelines.adjustments.case import Case
from schemas.extras import Redemption
from schemas.invoice import InvoiceLine
from schemas.money import divide_half_away
from schemas.offers import Discount
from schemas.period import BillingPeriod
from schemas.prices import PPM


@dataclass(frozen=True, slots=True)
class Applied:
    """A discount on one invoice: of a plan on its own lines, or of a coupon on all plans'.

    `amount_minor` is what it takes at most where it is no share.
    """

    terms: Discount
    amount_minor: int
    plan: str | None = None
    coupon: str | None = None

    def names(self, bucket: Bucket) -> bool:
        """May it take from this bucket?"""
        if self.plan is not None and (
            bucket.plan != self.plan or bucket.product not in ("fees", "usage")
        ):
            return False
        return self.terms.on in ("all", bucket.product) or (
            bucket.product == "usage" and bucket.meter == self.terms.on
        )

    def off(self, whole_minor: int) -> int:
        """What it takes from so much: 20 % of 49.99 is 10.00; 60.00 of 49.99 is 49.99."""
        if self.terms.percent is not None:
            return divide_half_away(whole_minor * self.terms.percent, PPM)
        return min(self.amount_minor, whole_minor)


def discounts(case: Case, left: Left) -> tuple[list[InvoiceLine], Left]:
    """The lines of all discounts in order, one for each plan and product that it reduces."""
    lines: list[InvoiceLine] = []
    for applied in in_force(case):
        named = [bucket for bucket, amount in left.items() if amount > 0 and applied.names(bucket)]
        whole = sum(left[bucket] for bucket in named)
        gone = taken(applied.off(whole), left, named)
        lines += _lines(case, applied, left, gone)
        left = without(left, gone)
    return lines, left


def in_force(case: Case) -> list[Applied]:
    """The discounts of an invoice in the order in which they apply."""
    found = [*_of_plans(case), *_of_coupons(case)]
    return sorted(found, key=lambda applied: applied.terms.percent is None)


def _of_plans(case: Case) -> Iterator[Applied]:
    """A plan's amount is for a whole period; its terms are those in force last within it."""
    parts = case.active_parts()
    for plan in sorted({segment.plan for segment, _ in parts}):
        own = [(segment, part) for segment, part in parts if segment.plan == plan]
        terms = case.plan_of(own[-1][0]).discount
        if terms is not None:
            amount = terms.amount_minor(case.currency)
            amount_minor = case.share((amount, part.duration_ms) for _, part in own)
            yield Applied(terms, amount_minor, plan=plan)


def _of_coupons(case: Case) -> Iterator[Applied]:
    for redeemed in sorted(case.given.redemptions, key=lambda it: (it.starts_ms, it.coupon)):
        if _reaches_into(redeemed, case.period):
            terms = case.catalogs[redeemed.catalog_version].coupons[redeemed.coupon]
            yield Applied(terms, terms.amount_minor(case.currency), coupon=redeemed.coupon)


def _reaches_into(redeemed: Redemption, period: BillingPeriod) -> bool:
    has_begun = redeemed.starts_ms < period.end_ms
    return has_begun and (redeemed.ends_ms is None or redeemed.ends_ms > period.start_ms)


def _lines(case: Case, applied: Applied, left: Left, gone: Left) -> Iterator[InvoiceLine]:
    for product, plan, _ in sorted({in_order(b._replace(meter="")) for b in gone}):
        own = [b for b in gone if in_order(b)[:2] == (product, plan)]
        yield case.line(
            "discount",
            plan,
            -sum(gone[bucket] for bucket in own),
            product=own[0].product,
            name=applied.coupon,
            rate_ppm=applied.terms.percent,
            base_minor=sum(left[bucket] for bucket in own),
        )
