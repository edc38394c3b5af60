"""What a tenant may use, as a short timeline in absolute numbers: the topic `entitlements`.

On the wire quantities are decimal text and times RFC 3339; `pipelines.rating.entitlements` makes
the messages, the counters and gates read them.
"""

from typing import Annotated

import msgspec

from schemas.period import parse_instant
from schemas.quantity import to_micro
from schemas.quota import WindowKind

LONGEST_GRACE_S = 366 * 86_400
"""Longer than any window lasts: what lies beyond is no time that anybody meant."""


MADE_BY = 2
"""The revision of `pipelines.rating.entitlements`: it rises where other timelines are made of the
same plans. The relay then publishes everybody's once more, as it does when a month begins."""


def made_for(month: str) -> str:
    """The mark of timelines made for a running month by this revision: "2026-10" → "2026-10.002".

    Marks rise with months and, within one, with revisions; those of the first have a month alone.
    """
    return f"{month}.{MADE_BY:03}"


class Threshold(msgspec.Struct, frozen=True):
    """A percentage of the pool and the quantity (decimal text) that it stands for."""

    percent: int
    at: str

    @property
    def at_micro(self) -> int:
        """The quantity in 1e-6 units."""
        return to_micro(self.at)


class QuotaEntitlement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One meter in one kind of window: what 100 % is (None is unlimited), where to alert, to stop.

    `soft` is announced and stops nothing. Beyond `hard`, usage is denied from the quantity
    `deny_at` on, or `deny_after_s` seconds after it was reached; without either at once.
    """

    included: str | None
    thresholds: tuple[Threshold, ...] = ()
    hard: Threshold | None = None
    soft: Threshold | None = None
    deny_at: str | None = None
    deny_after_s: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_GRACE_S)] | None = None


class MeterEntitlement(QuotaEntitlement, frozen=True, omit_defaults=True):
    """One meter: its pool in the billing period, and limits of other windows, by their kind."""

    windows: dict[WindowKind, QuotaEntitlement] = {}


class EntitlementEntry(msgspec.Struct, frozen=True, omit_defaults=True, rename={"from_": "from"}):
    """What is in force from an instant on, until the next entry; `plan` is for people.

    Billing periods begin on `anchor_day` of the month, or its last day where it has no such day.
    """

    from_: str
    plan: str
    meters: dict[str, MeterEntitlement]
    features: tuple[str, ...] = ()
    anchor_day: Annotated[int, msgspec.Meta(ge=1, le=31)] = 1

    @property
    def from_ms(self) -> int:
        """The instant in epoch milliseconds."""
        return parse_instant(self.from_)


class Entitlements(msgspec.Struct, frozen=True):
    """A tenant's timeline; a higher version replaces a lower one, a lower one is ignored.

    Before its first entry, and for a tenant without a message, the default plan is in force.
    An entry with no `meters` for a meter does not limit that meter.
    """

    tenant: str
    version: int
    timeline: tuple[EntitlementEntry, ...]
