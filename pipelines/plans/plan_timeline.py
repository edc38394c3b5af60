"""Surgery on a subscription's segments: cut, change what comes after an instant, join again.

Whatever is done, nothing before the instant changes, not even where its segments are cut: that
is what invoices were made from. Also where billing periods and years end.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from schemas.period import BillingPeriod, add_months, from_ms, to_ms
from schemas.subscription import Phase, PlanSegment, Subscription

Segments = list[PlanSegment]


def revised(
    subscription: Subscription, from_ms_: int, revise: Callable[[Segments], Segments]
) -> Subscription:
    """The subscription with what comes after an instant replaced by what `revise` makes of it.

    Its argument are the segments from the instant on, one in force at it cut in two there.
    """
    before, after = cut(subscription.segments, from_ms_)
    return replace(subscription, segments=_joined(before, revise(after)))


def cut(segments: Iterable[PlanSegment], at_ms: int) -> tuple[Segments, Segments]:
    """The segments before and from an instant on, one in force at it cut in two."""
    before: Segments = []
    after: Segments = []
    for each in segments:
        if each.starts_ms >= at_ms:
            after.append(each)
        elif each.ends_ms is not None and each.ends_ms <= at_ms:
            before.append(each)
        else:
            before.append(replace(each, ends_ms=at_ms, is_cancelled=False))
            after.append(replace(each, starts_ms=at_ms))
    return before, after


def unbroken(segments: Segments) -> tuple[Segments, Segments]:
    """The first segments up to a gap, and those behind it."""
    for count in range(1, len(segments)):
        if segments[count - 1].ends_ms != segments[count].starts_ms:
            return segments[:count], segments[count:]
    return segments, []


def run_at(subscription: Subscription, at_ms: int) -> Segments:
    """The unbroken stretch of segments that holds an instant; empty where none is in force."""
    rest = list(subscription.segments)
    while rest:
        run, rest = unbroken(rest)
        ends_ms = run[-1].ends_ms
        if run[0].starts_ms <= at_ms and (ends_ms is None or at_ms < ends_ms):
            return run
    return []


def trial_at(subscription: Subscription, at_ms: int) -> Segments:
    """The rest of the trial that runs at an instant: several segments where its plan changes."""
    run = run_at(subscription, at_ms)
    ahead = [each for each in run if each.ends_ms is None or each.ends_ms > at_ms]
    return leading(ahead, "trial")[0]


def leading(segments: Segments, phase: Phase) -> tuple[Segments, Segments]:
    """The first segments as long as they are of a phase, and all that follow."""
    count = next((n for n, each in enumerate(segments) if each.phase != phase), len(segments))
    return segments[:count], segments[count:]


def goes_on(subscription: Subscription, last: PlanSegment) -> Subscription:
    """The subscription as if a stretch did not end with this segment of it.

    A trial goes over into its plan. It goes on for ever, or until a later start.
    """
    if last.ends_ms is None:
        return subscription
    before, rest = cut(subscription.segments, last.ends_ms)
    further = replace(last, starts_ms=last.ends_ms, is_cancelled=False)
    until_ms = rest[0].starts_ms if rest else None
    if until_ms == last.ends_ms:
        return subscription
    phase: Phase = "active" if last.phase == "trial" else last.phase
    added = replace(further, ends_ms=until_ms, phase=phase)
    return replace(subscription, segments=_joined(before, [added, *rest]))


def same_terms(one: PlanSegment, other: PlanSegment) -> bool:
    """Do they differ by their bounds alone?"""
    return _terms(one) == _terms(other)


def _terms(segment: PlanSegment) -> tuple[object, ...]:
    return segment.plan, segment.catalog_version, segment.interval, segment.phase


def _joined(before: Sequence[PlanSegment], after: Segments) -> tuple[PlanSegment, ...]:
    """All of them; what changes nothing is no bound, and an end with a plan after it is no end."""
    joined = list(before)
    for each in after:
        last = joined[-1] if joined else None
        if last is None or last.ends_ms != each.starts_ms:
            joined.append(each)
        elif same_terms(last, each):
            joined[-1] = replace(each, starts_ms=last.starts_ms)
        else:
            joined[-1] = replace(last, is_cancelled=False)
            joined.append(each)
    return tuple(joined)


def period_end(subscription: Subscription, now_ms: int) -> int | None:
    """When what was paid for ends: the trial, the billing period, or the year of a yearly plan.

    None where no plan is in force.
    """
    segment = subscription.segment_at(now_ms)
    if segment is None:
        return None
    if segment.phase == "trial":
        trial_ends_ms = trial_at(subscription, now_ms)[-1].ends_ms
        if trial_ends_ms is not None:
            return trial_ends_ms
    if segment.interval == "year":
        return year_around(subscription, now_ms).end_ms
    return subscription.period_around(now_ms).end_ms


def year_around(subscription: Subscription, instant_ms: int) -> BillingPeriod:
    """The twelve billing periods for which a yearly fee is a fee.

    Years are counted from the billing period in which yearly payment began, so that they end with
    a billing period: begun on 16 October 2026, by calendar months, 1 October 2026 to 2027; by
    anniversary the 16th to the 16th; from 29 February to 28 February.
    """
    first = from_ms(subscription.period_around(_years_began(subscription, instant_ms)).start_ms)
    now = from_ms(subscription.period_around(instant_ms).start_ms)
    years = (now.year * 12 + now.month - first.year * 12 - first.month) // 12
    begun, ended = (
        _period_start(subscription, to_ms(add_months(first.replace(day=1), 12 * count)))
        for count in (years, years + 1)
    )
    return BillingPeriod(begun, ended)


def _years_began(subscription: Subscription, instant_ms: int) -> int:
    began_ms = instant_ms
    for each in reversed(run_at(subscription, instant_ms)):
        if each.starts_ms > instant_ms:
            continue
        if each.interval != "year" or each.phase == "trial":
            break
        began_ms = each.starts_ms
    return began_ms


def _period_start(subscription: Subscription, month_ms: int) -> int:
    """When the billing period begins that begins in a month, given by the month's first instant."""
    month = BillingPeriod.month_of(month_ms)
    return subscription.period_around(month.end_ms - 1).start_ms
