"""What a tenant may use, as a short timeline in absolute numbers: the topic `entitlements`.

On the wire quantities are decimal text and times RFC 3339; `pipelines.entitlements` makes the
messages, the counters and gates read them.
"""

import msgspec

from schemas.period import parse_instant
from schemas.quantity import to_micro


class Threshold(msgspec.Struct, frozen=True):
    """A percentage of the pool and the quantity (decimal text) that it stands for."""

    percent: int
    at: str

    @property
    def at_micro(self) -> int:
        """The quantity in 1e-6 units."""
        return to_micro(self.at)


class MeterEntitlement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One meter: the pool (None is unlimited), where to alert, where to stop (None is nowhere)."""

    included: str | None
    thresholds: tuple[Threshold, ...] = ()
    hard: Threshold | None = None


class EntitlementEntry(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """What is in force from an instant on, until the next entry; `plan` is for people."""

    from_: str
    plan: str
    meters: dict[str, MeterEntitlement]
    features: tuple[str, ...] = ()

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
