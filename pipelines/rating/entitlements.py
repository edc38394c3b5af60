"""From a subscription to a tenant's timeline of entitlements: pools, thresholds, hard limits.

Owns the numbers that counters and gates compare with. What is included is the invoice's own pool,
by the policies of its plans. It sends nothing and measures no usage.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from msgspec import structs

from pipelines.rating.pools import pools
from pipelines.segments.segments import Part
from pipelines.segments.shares import plan_of
from schemas.catalog import Catalog, Plan
from schemas.decimals import scaled
from schemas.entitlement import (
    EntitlementEntry,
    MeterEntitlement,
    QuotaEntitlement,
    Threshold,
)
from schemas.period import BillingPeriod, add_months, format_instant, from_ms, to_ms
from schemas.plan_state import bounds
from schemas.quantity import format_micro
from schemas.rate_card import Grace, Quota, RateCard
from schemas.subscription import PlanSegment, Subscription

PAST_MONTHS = 3
"""How many months before the running one a timeline still holds, for usage that comes late."""

DEFAULT_VERSION = 0
"""The version of a tenant for whom nothing was published."""


def timeline(
    subscription: Subscription, catalogs: Mapping[int, Catalog], running: BillingPeriod
) -> tuple[EntitlementEntry, ...]:
    """What is in force from when on, from the subscription's start to what is known to follow.

    `running` is the running month: the billing periods of the three months before it are held, the
    next one always, and later ones where a change is known. An entry stands at the start of each
    of them and at each change; its pool is what is billed if nothing changes any more. Counters
    know the period alone, so pools that plans have of their own are one limit together.
    Free (100,000) to pro (1,000,000) on 16 October: 100,000 before, 48,387.096774 +
    516,129.032258 = 564,516.129032 from then on, 1,000,000 in November.

    `catalogs` are the versions that the segments name; where no plan is in force, as in a pause,
    the newest one's default plan is. A trial lends its plan, and what it lent stays in the pool to
    the period's end: its usage is counted in that period too.

    Raises:
        KeyError: a segment names a version or a plan that `catalogs` does not hold.
    """
    periods = _periods(subscription, running)
    return tuple(entry for each in periods for entry in _entries(subscription, catalogs, each))


def default_entry(catalog: Catalog) -> EntitlementEntry:
    """What a tenant may use for whom nothing was published: the default plan, every month whole."""
    plan = catalog.plans[catalog.default_plan]
    included = {meter: card.included for meter, card in plan.meters.items()}
    return _entry(0, catalog.default_plan, plan, included)


def _periods(subscription: Subscription, running: BillingPeriod) -> list[BillingPeriod]:
    """The billing periods of the timeline; see `timeline`. A full one needs no other after it."""
    changes = bounds(subscription)
    if not changes:
        return []
    this = from_ms(running.start_ms)
    near = (to_ms(add_months(this, n)) - 1 for n in range(-PAST_MONTHS, 3))
    known = {subscription.period_around(instant_ms) for instant_ms in near}
    for changed in map(subscription.period_around, changes):
        known |= {changed, subscription.period_around(changed.end_ms)}
    oldest = subscription.period_around(to_ms(add_months(this, -PAST_MONTHS)))
    first = max(oldest, subscription.period_around(changes[0]))
    return [each for each in sorted(known) if each >= first]


def _entries(
    subscription: Subscription, catalogs: Mapping[int, Catalog], period: BillingPeriod
) -> Iterator[EntitlementEntry]:
    """One entry for each stretch of the period, with the pool of a plan that lasts to its end."""
    lived: list[Part] = []
    for segment, stretch in _stretches(subscription, period):
        rest = BillingPeriod(stretch.start_ms, period.end_ms)
        part = Part(len(lived) + 1, *_in_force(segment, catalogs), rest)
        plan = plan_of(part, catalogs)
        included = {
            meter: _included([*lived, part], meter, period, catalogs) for meter in plan.meters
        }
        entry = _entry(stretch.start_ms, part.plan, plan, included)
        yield structs.replace(entry, anchor_day=subscription.anchor_day)
        if segment is not None:  # what the default plan lent between two plans is not billed
            lived.append(replace(part, period=stretch))


def _in_force(segment: PlanSegment | None, catalogs: Mapping[int, Catalog]) -> tuple[str, int]:
    """Plan and version of a segment; where there is none, the newest default plan is lent."""
    if segment is not None:
        return segment.plan, segment.catalog_version
    newest = max(catalogs)
    return catalogs[newest].default_plan, newest


def _stretches(
    subscription: Subscription, period: BillingPeriod
) -> Iterator[tuple[PlanSegment | None, BillingPeriod]]:
    """The period cut by the plans in force; a gap and a pause have no segment.

    Time before the subscription's first segment is no gap: nothing was published for it.
    """
    reached = max(period.start_ms, subscription.segments[0].starts_ms)
    for segment, part in subscription.parts(period):
        if segment.phase == "paused":
            continue
        if reached < part.start_ms:
            yield None, BillingPeriod(reached, part.start_ms)
        yield segment, part
        reached = part.end_ms
    if reached < period.end_ms:
        yield None, BillingPeriod(reached, period.end_ms)


def _included(
    found: Sequence[Part], meter: str, period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> int | None:
    """What a meter's pools come to for these parts of the period; None is unlimited."""
    total = 0
    for pool in pools(found, meter, period, catalogs).values():
        if pool is None:
            return None
        total += pool
    return total


def _entry(
    from_: int, name: str, plan: Plan, included: Mapping[str, int | None]
) -> EntitlementEntry:
    meters = {meter: _limits(card, included[meter]) for meter, card in plan.meters.items()}
    return EntitlementEntry(format_instant(from_), name, meters, plan.features)


def _limits(card: RateCard, pool: int | None) -> MeterEntitlement:
    """A rate card in absolute numbers: the pool's limits, and those of other windows."""
    windows = {kind: _quota(quota) for kind, quota in card.quotas.items()}
    period = windows.pop("billing_period", None) or _pool(card, pool)
    return MeterEntitlement(**structs.asdict(period), windows=windows)


def _pool(card: RateCard, pool: int | None) -> QuotaEntitlement:
    """No alerts where the pool is 0, nothing to reach where it is unlimited."""
    if pool is None:
        return QuotaEntitlement(included=None)
    percents = [percent for percent in card.thresholds if pool and percent != card.soft_limit]
    return _stops(
        QuotaEntitlement(
            format_micro(pool),
            tuple(_threshold(percent, pool) for percent in percents),
            hard=_maybe(card.hard_limit, pool),
            soft=_maybe(card.soft_limit, pool),
        ),
        card.grace,
    )


def _quota(quota: Quota) -> QuotaEntitlement:
    limit = quota.limit
    percents = [percent for percent in quota.thresholds if limit]
    is_hard = quota.enforcement == "hard"
    return _stops(
        QuotaEntitlement(
            format_micro(limit),
            tuple(_threshold(percent, limit) for percent in percents if is_hard or percent != 100),
            hard=_threshold(100, limit) if is_hard else None,
            soft=None if is_hard else _threshold(100, limit),
        ),
        quota.grace,
    )


def _stops(limits: QuotaEntitlement, grace: Grace | None) -> QuotaEntitlement:
    """Where, or when, usage is denied: at the hard limit, or a grace beyond it."""
    if limits.hard is None or grace is None:
        return limits
    if grace.percent is None:
        return structs.replace(limits, deny_after_s=grace.seconds)
    deny_micro = scaled(limits.hard.at, 6) * (100 + grace.percent) // 100
    return structs.replace(limits, deny_at=format_micro(deny_micro))


def _maybe(percent: int | None, pool: int) -> Threshold | None:
    return None if percent is None else _threshold(percent, pool)


def _threshold(percent: int, pool: int) -> Threshold:
    return Threshold(percent, format_micro(pool * percent // 100))
