"""Which events a replay sends twice, and what it sends that is no event: decided by row numbers.

Pure and the same every time, so that a replay that was cut short goes on where it stood.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.partitions import partition_of

RESEND_WITHIN = 10_000
"""A resend follows its original by at most so many events."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Extras:
    """What to send beside the file's events. `resend_share` is of the rows, in [0, 1]."""

    resend_share: float = 0
    resend_beyond: int = 0
    malformed: int = 0


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """By row index: the rows to send again after it, the number of the malformed element there.

    `beyond` are sent again at the very end, more than two windows after their originals.
    """

    resends: Mapping[int, list[int]] = field(default_factory=dict)
    beyond: tuple[int, ...] = ()
    malformed: Mapping[int, int] = field(default_factory=dict)

    @property
    def resent(self) -> frozenset[int]:
        """The rows that are sent again within their window."""
        return frozenset(row for rows in self.resends.values() for row in rows)


def plan_replay(
    tenants: pa.Array, partitions: int, dedupe_window: int, extras: Extras
) -> ReplayPlan:
    """The plan for a file with these tenants, on a topic with so many partitions."""
    count = len(tenants)
    if not count:
        return ReplayPlan()
    order = np.arange(count, dtype=np.uint64)
    resend_rows = np.flatnonzero(_chance(order, 1) < np.uint64(extras.resend_share * 2**32))
    delays = 1 + _chance(resend_rows.astype(np.uint64), 2) % np.uint64(RESEND_WITHIN)
    resends: dict[int, list[int]] = defaultdict(list)
    for row, delay in zip(resend_rows.tolist(), delays.tolist(), strict=True):
        resends[min(row + delay, count - 1)].append(row)
    behind = _records_behind(_partitions(tenants, partitions))
    eligible = np.flatnonzero(behind > 2 * dedupe_window)
    eligible = np.setdiff1d(eligible, resend_rows, assume_unique=True)
    ranked = eligible[np.argsort(_chance(eligible.astype(np.uint64), 3), kind="stable")]
    beyond = tuple(sorted(ranked[: extras.resend_beyond].tolist()))
    places = {(n + 1) * count // (extras.malformed + 1): n for n in range(extras.malformed)}
    return ReplayPlan(resends, beyond, {min(row, count - 1): n for row, n in places.items()})


def malformed_event(number: int, source: str, tenant: bytes) -> tuple[bytes, bytes]:
    """Key and value of a record that admission must reject; the kind goes round with the number."""
    spoil = _SPOILERS[number % len(_SPOILERS)]
    event = (
        f'{{"specversion":"1.0","id":"malformed-{number}","source":"{source}",'
        f'"type":"llm.request","subject":"{tenant.decode()}","time":"2026-10-01T00:00:00Z",'
        f'"data":{{"model":"none","input_tokens":1,"output_tokens":1}}}}'
    ).encode()
    return tenant, spoil(event)


_SPOILERS: tuple[Callable[[bytes], bytes], ...] = (
    lambda event: event[:-10],
    lambda event: event.replace(b'"time":"2026-10-01T00:00:00Z",', b""),
    lambda event: event.replace(b'"subject":"', b'"subject":"not-'),
    lambda event: event.replace(b'"input_tokens":1,', b'"input_tokens":0.1234567,'),
    lambda event: event.replace(b"2026-10-01T00:00:00Z", b"yesterday"),
)


def _chance(rows: NDArray[np.uint64], salt: int) -> NDArray[np.uint64]:
    """Evenly spread 32-bit numbers, a function of row and salt alone (splitmix64)."""
    mixed = (rows + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt << 40)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))) >> np.uint64(32)


def _partitions(tenants: pa.Array, partitions: int) -> Rows:
    """The partition of each row."""
    encoded = tenants.dictionary_encode()
    known = [partition_of(name.encode(), partitions) for name in encoded.dictionary.to_pylist()]
    rows: Rows = np.array(known, np.int64)[encoded.indices.to_numpy()]
    return rows


def _records_behind(partition: Rows) -> Rows:
    """How many later rows lie in the same partition, for each row."""
    behind = np.empty(len(partition), np.int64)
    for number in np.unique(partition):
        rows = np.flatnonzero(partition == number)
        behind[rows] = np.arange(len(rows))[::-1]
    return behind
