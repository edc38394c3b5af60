"""Making counters anew from stored usage: which ones, up to where, and what they are made of."""

from dataclasses import dataclass
from typing import NamedTuple


class Part(NamedTuple):
    """What a tenant used of a meter in a part of time that begins at `began_ms`, each event once.

    `micro` is the sum in 1e-6 units, or the greatest or the latest value, by the meter's
    aggregation; `last_ms` the time of the latest event; `members` what a `unique_count` meter saw.
    """

    tenant: str
    meter: str
    began_ms: int
    micro: int
    last_ms: int
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """Counters to be made anew: those of these meters, of these tenants or, when empty, of all."""

    meters: frozenset[str]
    tenants: frozenset[str] = frozenset()

    def has(self, tenant: str, meter: str) -> bool:
        """Is a counter among them?"""
        return meter in self.meters and (not self.tenants or tenant in self.tenants)


@dataclass(frozen=True, slots=True)
class PartitionCut:
    """One of a live topic's `partitions`, up to an exclusive offset; earlier epochs in full."""

    epoch: int
    partition: int
    partitions: int
    offset: int
