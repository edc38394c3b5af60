"""The events behind a line of an invoice: which they are, and what is told of them.

Owns what their digest is made of (`Evidence`), so that whoever has the events can compute it again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from schemas.meter import Meter
from schemas.period import BillingPeriod
from schemas.repeats import RepeatedIds
from schemas.tables import ArrowStream
from schemas.vector import Vector


@dataclass(frozen=True, slots=True)
class EventsOf:
    """A tenant's events of a meter in a part of a billing period, as of a vector.

    `value` limits them to one value of the meter's pricing key, None takes all. In the order of
    their time they use up `left_micro`, what was left of what is included when the part began
    (None is without limit; less than nothing where as much had been used beyond). Those that lie
    before `after` in the log are left out: what came late is what lies beyond a vector.
    """

    tenant: str
    meter: str
    period: BillingPeriod
    as_of: Vector
    value: str | None = None
    left_micro: int | None = None
    after: Vector = field(default_factory=Vector)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What events add up to; of which so much, by so many events, is included or lies beyond.

    For `digest`, each event's SHA-256 is taken of its event_key, time in ms, quantity in 1e-6
    units, dimension and member, with tabs between them. The first eight bytes of all are added up
    modulo 2^64, and the second eight, so their order does not matter.
    """

    events: int
    quantity_micro: int
    digest: str
    included_events: int
    included_micro: int
    beyond_events: int
    beyond_micro: int


DIGEST_COLUMNS = {
    "tenant": "string",
    "meter": "string",
    "segment": "int32",
    "value": "string",
    "events_digest": "string",
}
"""The digest of the events of a row of usage."""


class EventReader(Protocol):
    """The warehouse, as explanations read it."""

    def evidence(self, asked: EventsOf) -> Evidence:
        """What the events add up to, and their digest."""

    def events(self, asked: EventsOf) -> ArrowStream:
        """The events themselves (`EVENT_COLUMNS`), in order."""

    def digests(
        self,
        period: BillingPeriod,
        as_of: Vector,
        bounds: ArrowStream,
        meters: Iterable[Meter],
        *,
        only_bounded: bool = False,
    ) -> ArrowStream:
        """The digests of usage (`DIGEST_COLUMNS`), cut as by `UsageReader.usage`.

        Of all tenants, or only of those that have bounds.
        """

    def repeated_ids(self, month: BillingPeriod, as_of: Vector) -> list[RepeatedIds]:
        """Ids of the month that came in the month before or after too, by tenant and month."""


EVENT_COLUMNS = {
    "tenant": "string",
    "meter": "string",
    "source": "string",
    "id": "string",
    "event_key": "string",
    "time_ms": "int64",
    "quantity_micro": "int64",
    "included_micro": "int64",
    "beyond_micro": "int64",
    "dimension": "string",
    "member": "string",
    "epoch": "int32",
    "partition": "int32",
    "offset": "int64",
    "item": "int32",
    "arrived_ms": "int64",
}
"""An event behind a line. `event_key` is SipHash-2-4 of 128 bits over source and id, in hex."""


def digest(halves: tuple[int, int]) -> str:
    """Two sums as 32 hex digits.

    The sums are, modulo 2^64, of the first and of the second eight bytes (big-endian) of each
    event's SHA-256, so the order of events does not matter, and no event can change, come or go
    unnoticed. They guard against mistakes, not against somebody who forges events by the million.
    """
    return "".join(f"{half % 2**64:016x}" for half in halves)
