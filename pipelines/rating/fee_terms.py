"""By which fee a part of a billing period is paid: whose, for how long, and how far it reaches.

Owns who is paid by the year and who in advance; the lines are made in `pipelines.rating.proration`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.plans.plan_timeline import year_around
from pipelines.segments.segments import Part, parts
from pipelines.segments.shares import plan_of
from schemas.catalog import Catalog
from schemas.period import BillingPeriod
from schemas.plan_policies import Proration
from schemas.subscription import PlanSegment, Subscription


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """What a plan's fee is, of what whole, and how a part of that is measured.

    `is_paid_ahead`: it was, or is, paid to the end of the whole, so what is left when the plan ends
    is given back. `is_paid_already`: an earlier invoice has charged what a part would begin with.
    """

    fee_minor: int
    whole: BillingPeriod
    proration: Proration
    is_paid_ahead: bool = False
    is_paid_already: bool = False


def is_yearly(plan: str, version: int, interval: str, catalogs: Mapping[int, Catalog]) -> bool:
    """Is a plan paid by the year? One without a yearly fee is paid by the month."""
    return interval == "year" and bool(catalogs[version].plans[plan].base_fee_yearly)


def fee_terms(
    subscription: Subscription, part: Part, period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> FeeTerms:
    """The terms by which a part of a billing period is paid."""
    plan, currency, start_ms = plan_of(part, catalogs), subscription.currency, part.period.start_ms
    policy = plan.policies.proration
    if part.is_trial:
        return FeeTerms(0, period, policy)
    segment = subscription.segment_at(start_ms)
    if segment is not None and _is_yearly(segment, catalogs):
        year = year_around(subscription, start_ms)
        goes_on = segment.starts_ms < start_ms and year.start_ms < start_ms
        fee_minor = plan.yearly_fee_minor(currency)
        return FeeTerms(fee_minor, year, policy, is_paid_ahead=True, is_paid_already=goes_on)
    is_paid = start_ms == period.start_ms and _was_charged_before(subscription, period, catalogs)
    fee_minor = plan.base_fee_minor(currency)
    return FeeTerms(fee_minor, period, policy, is_paid_ahead=is_paid, is_paid_already=is_paid)


def paid_next(
    subscription: Subscription, period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> PlanSegment | None:
    """The segment whose fee for the following period is on this period's invoice, if any is."""
    segment = subscription.segment_at(period.end_ms)
    if segment is None or segment.phase != "active" or _is_yearly(segment, catalogs):
        return None
    policies = catalogs[segment.catalog_version].plans[segment.plan].policies
    return segment if policies.base_fee == "in_advance" else None


def year_left(
    subscription: Subscription, period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> tuple[PlanSegment, BillingPeriod] | None:
    """A yearly plan that another took the place of at the period's very start, and its year."""
    start_ms = period.start_ms
    for old in subscription.segments:
        if old.ends_ms == start_ms and old.phase == "active" and _is_yearly(old, catalogs):
            year = year_around(subscription, start_ms - 1)
            return (old, year) if year.end_ms > start_ms else None
    return None


def is_usual(
    subscription: Subscription, period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> bool:
    """Is every fee that the period's invoice may tell of monthly, in arrears, by the second?"""
    return not any(
        segment.starts_ms <= period.end_ms
        and (segment.ends_ms is None or segment.ends_ms >= period.start_ms)
        and (
            _is_yearly(segment, catalogs)
            or not catalogs[segment.catalog_version].plans[segment.plan].policies.are_usual_for_fees
        )
        for segment in subscription.segments
    )


def told_versions(subscription: Subscription, period: BillingPeriod) -> set[int]:
    """The price lists that a period's invoice may need: its own, its year's, the next period's.

    What was charged in advance is known by the period before, so that one's as well.
    """
    before_ms = subscription.period_around(period.start_ms - 1).start_ms
    return {
        segment.catalog_version
        for segment in subscription.segments
        if segment.starts_ms <= period.end_ms
        and (segment.ends_ms is None or segment.ends_ms >= before_ms)
    }


def has_only_usual(catalogs: Mapping[int, Catalog]) -> bool:
    """Do these price lists charge every fee by the month, in arrears, by the second?"""
    return not any(
        plan.base_fee_yearly or not plan.policies.are_usual_for_fees
        for catalog in catalogs.values()
        for plan in catalog.plans.values()
    )


def is_followed(subscription: Subscription, instant_ms: int) -> bool:
    """Is a plan in force at an instant, so that an invoice tells of it?"""
    segment = subscription.segment_at(instant_ms)
    return segment is not None and segment.phase != "paused"


def _was_charged_before(
    subscription: Subscription, period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> bool:
    before = subscription.period_around(period.start_ms - 1)
    return bool(parts(subscription, before)) and (
        paid_next(subscription, before, catalogs) is not None
    )


def _is_yearly(segment: PlanSegment, catalogs: Mapping[int, Catalog]) -> bool:
    return is_yearly(segment.plan, segment.catalog_version, segment.interval, catalogs)
