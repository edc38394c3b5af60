"""What counters announce: the state of a counter, a usage alert, an exceeded quota.

Quantities are decimal text, times RFC 3339 UTC. Ids are functions of the fact alone, so a
resend is the same fact and a raised limit that is crossed again is a new one.
"""

import hashlib
from typing import Literal

import msgspec

Decision = Literal["allow", "warn", "deny"]
WindowKind = Literal["billing_period", "hour", "day", "week"]
WINDOW_KINDS: tuple[WindowKind, ...] = ("billing_period", "hour", "day", "week")
"""Tumbling, UTC. A week is ISO's, from Monday; a billing period is the tenant's."""


class Window(msgspec.Struct, frozen=True, gc=False):
    """A tumbling window, `[start, end)`, UTC."""

    kind: WindowKind
    start: str
    end: str


class Cause(msgspec.Struct, frozen=True):
    """The event that crossed a threshold; `sent_ms` is the producer's send time, if it gave one."""

    source: str
    id: str
    time: str
    sent_ms: int | None = None


class UsageAlert(
    msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="usage.alert"
):
    """A threshold was reached: at exactly the quantity `at`, not beyond it.

    `included` is what 100 % stands for: the pool, or the limit of the window's own quota.
    `is_soft_limit` marks a cap that is told and not enforced.
    """

    id: str
    tenant: str
    meter: str
    window: Window
    threshold_percent: int
    at: str
    included: str
    used: str
    entitlement_version: int
    cause: Cause
    is_soft_limit: bool = False


class QuotaExceeded(
    msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="quota.exceeded"
):
    """The hard limit was reached. `entitlement_version` is the version it was judged by.

    Where a grace in time is given, usage is to be refused from `deny_from` on.
    """

    id: str
    tenant: str
    meter: str
    window: Window
    threshold_percent: int
    limit: str
    included: str
    used: str
    entitlement_version: int
    cause: Cause
    deny_from: str | None = None


class QuotaState(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One counter as gates read it, and as the counters' own changelog.

    `announced` holds the ids of crossings already told; `position` is the offset in
    `usage.events` up to which (exclusive) `used` counts, in `epoch`'s topic. A `deny` with
    `deny_from` is one from that instant on only, a `warn` before.

    `grace_ends` is when a grace ends that began and puts nothing off now: below the limit again, or
    under one without a grace. A gate does not read it.

    `as_of` is the event time of a `latest` meter's value, `members` what a `unique_count` meter
    has seen (base64 of 8 bytes each): what a counter needs to go on.
    """

    tenant: str
    meter: str
    window: Window
    used: str
    limit: str | None
    decision: Decision
    resets_at: str
    announced: tuple[str, ...]
    epoch: int
    position: int
    entitlement_version: int
    deny_from: str | None = None
    grace_ends: str | None = None
    as_of: str | None = None
    members: str | None = None

    @property
    def grace_until(self) -> str | None:
        """When the grace ends that a hard limit began, whatever is decided now."""
        return self.deny_from or self.grace_ends


class StatePosition(msgspec.Struct, frozen=True):
    """The internal record of a partition of `quota.state`: what its rows stand for.

    `usage` and `entitlements` are exclusive offsets. A transaction begins with one that is not
    `complete` and ends with one that is: rows up to a complete one are all there.
    """

    epoch: int
    usage: int
    entitlements: int
    catalog_version: int
    complete: bool


class Rebuild(msgspec.Struct, frozen=True):
    """The internal record of counters that were made anew: a meter's, of one tenant or ('') of all.

    They hold what usage says up to the exclusive offset `usage`, and what the log says after it. It
    comes before its rows in their transaction.
    """

    meter: str
    tenant: str
    epoch: int
    usage: int


INTERNAL = b"\x00"
"""Keys of `quota.state` that begin with it are internal."""

POSITION_KEY = INTERNAL + b"position"
_REBUILD_KEY = INTERNAL + b"rebuild"


def rebuild_key(meter: str, tenant: str) -> bytes:
    """The record key of a rebuild: the newest of the same counters replaces it."""
    return _REBUILD_KEY + msgspec.json.encode((meter, tenant))


def is_rebuild(key: bytes) -> bool:
    """Is it the key of a rebuild?"""
    return key.startswith(_REBUILD_KEY)


def state_key(tenant: str, meter: str, kind: WindowKind, start: str) -> bytes:
    """The record key of a counter: a JSON array of its four parts."""
    return msgspec.json.encode((tenant, meter, kind, start))


def crossing_id(tenant: str, meter: str, window: Window, limit: str, percent: int) -> str:
    """The id of reaching `percent` of a pool where that stands for the quantity `limit`."""
    fact = msgspec.json.encode((tenant, meter, window.kind, window.start, limit, percent))
    return hashlib.blake2b(fact, digest_size=16).hexdigest()
