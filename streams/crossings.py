"""What is announced when a counter reaches a step: the messages, their ids, their cause.

Owns the facts that `usage.alerts` and `quota.exceeded` carry, not when they are due.
"""

from collections.abc import Iterable
from typing import Protocol

from schemas.event import Event
from schemas.period import format_instant
from schemas.quantity import format_micro
from schemas.quota import Cause, QuotaExceeded, UsageAlert, crossing_id
from schemas.topics import SENT_AT_HEADER
from streams.limits import Limits, Step
from streams.sheet import Counter

Crossing = UsageAlert | QuotaExceeded

HARD = "hard:"
"""Before a hard limit's id in `announced`: an alert at the same quantity has the same id."""

ENTITLEMENTS_SOURCE = "entitlements"
"""Source of a cause that is no event but a change of entitlements; its id is the version."""


class Record(Protocol):
    """A record of `usage.events`, as consumers give it; `timestamp` is its arrival (epoch ms)."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Iterable[tuple[str, bytes]]: ...


def cause_of(event: Event, record: Record) -> Cause:
    """The event that crossed, with its producer's send time if that was given."""
    sent = next((text for name, text in record.headers if name == SENT_AT_HEADER), b"")
    sent_ms = int(sent) if sent.isdigit() else None
    return Cause(event.source, event.id, format_instant(event.time_ms), sent_ms)


def change_of(counter: Counter, from_ms: int) -> Cause:
    """A change of entitlements as the cause, at the instant from which it holds in the window."""
    began = max(from_ms, counter.sheet.period.start_ms)
    return Cause(ENTITLEMENTS_SOURCE, str(counter.version), format_instant(began))


def announce(counter: Counter, meter: str, limits: Limits, cause: Cause) -> list[Crossing]:
    """The steps that are reached and were not announced before; they count as announced now."""
    crossings = []
    for step in limits.steps:
        if step.at_micro > counter.used:
            break
        sheet = counter.sheet
        fact = crossing_id(sheet.account.tenant, meter, sheet.window, step.at, step.percent)
        mark = HARD + fact if step.is_hard else fact
        if mark not in counter.announced:
            counter.announced += (mark,)
            crossings.append(_message(counter, meter, step, limits.included, fact, cause))
    return crossings


def _message(
    counter: Counter, meter: str, step: Step, included: str, fact: str, cause: Cause
) -> Crossing:
    sheet = counter.sheet
    tenant, version = sheet.account.tenant, sheet.account.timeline.version
    used = format_micro(counter.used)
    if not step.is_hard:
        return UsageAlert(
            id=fact,
            tenant=tenant,
            meter=meter,
            window=sheet.window,
            threshold_percent=step.percent,
            at=step.at,
            included=included,
            used=used,
            entitlement_version=version,
            cause=cause,
        )
    return QuotaExceeded(
        id=fact,
        tenant=tenant,
        meter=meter,
        window=sheet.window,
        threshold_percent=step.percent,
        limit=step.at,
        included=included,
        used=used,
        entitlement_version=version,
        cause=cause,
    )
