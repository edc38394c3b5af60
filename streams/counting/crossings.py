"""What is announced when a counter reaches a step: the messages, their ids, their cause.

Owns the facts that `usage.alerts` and `quota.exceeded` carry, not when they are due.
"""

from dataclasses import dataclass
from typing import Any

from schemas.event import Event
from schemas.period import format_instant
from schemas.quantity import format_micro
from schemas.quota import Cause, QuotaExceeded, UsageAlert, crossing_id
from schemas.sent_at import sent_ms_of
from streams.counting.folds import Counter, Told
from streams.counting.limits import Limits, Step
from streams.counting.sheet import Sheet
from streams.record import Record

Crossing = UsageAlert | QuotaExceeded

HARD = "hard:"
"""Before a hard limit's id in `announced`: an alert at the same quantity has the same id."""

ENTITLEMENTS_SOURCE = "entitlements"
"""Source of a cause that is no event but a change of entitlements; its id is the version."""


def cause_of(event: Event, record: Record) -> Cause:
    """The event that crossed, with its producer's send time if that was given."""
    sent_ms = sent_ms_of(record.headers)
    return Cause(event.source, event.id, format_instant(event.time_ms), sent_ms)


def change_of(sheet: Sheet, counter: Counter, from_ms: int) -> Cause:
    """A change of entitlements as the cause, at the instant from which it holds in the window."""
    began = max(from_ms, sheet.span.start_ms)
    return Cause(ENTITLEMENTS_SOURCE, str(counter.version), format_instant(began))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a counter is compared with, why, and when: `at_ms` is where a grace begins."""

    limits: Limits
    cause: Cause
    at_ms: int


def announce(sheet: Sheet, counter: Counter, meter: str, judged: Judgement) -> list[Crossing]:
    """The steps that are reached and were not announced before; they count as announced now."""
    crossings = []
    for step in judged.limits.steps:
        if step.at_micro > counter.used:
            break
        tenant, window = sheet.account.tenant, sheet.span.window
        fact = crossing_id(tenant, meter, window, step.at, step.percent)
        mark = HARD + fact if step.is_hard else fact
        if mark not in counter.told.ids:
            denied_ms = counter.told.denied_ms
            if step.is_hard and judged.limits.grace_ms is not None:
                denied_ms = judged.at_ms + judged.limits.grace_ms
            counter.told = Told((*counter.told.ids, mark), denied_ms)
            crossings.append(_message(sheet, counter, meter, step, fact, judged))
    return crossings


def _message(
    sheet: Sheet, counter: Counter, meter: str, step: Step, fact: str, judged: Judgement
) -> Crossing:
    account, limits = sheet.account, judged.limits
    told: dict[str, Any] = {
        "id": fact,
        "tenant": account.tenant,
        "meter": meter,
        "window": sheet.span.window,
        "threshold_percent": step.percent,
        "included": limits.included,
        "used": format_micro(counter.used),
        "entitlement_version": account.timeline.version,
        "cause": judged.cause,
    }
    if not step.is_hard:
        return UsageAlert(at=step.at, is_soft_limit=step.is_soft, **told)
    denied_ms = None if limits.grace_ms is None else counter.told.denied_ms
    deny_from = None if denied_ms is None else format_instant(denied_ms)
    return QuotaExceeded(limit=step.at, deny_from=deny_from, **told)
