"""How a counter takes in a value, one function an aggregation that is more than a sum.

Owns what a counter of `max`, `latest` and `unique_count` meters must remember, in memory and in
its row. Sums need nothing of this.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import msgspec

from schemas.meter import UNIQUE_BOUND, Aggregation
from schemas.period import format_instant
from schemas.quantity import MICRO
from schemas.quota import QuotaState
from streams.counting.windows import instant_of

MEMBER_BYTES = 8
"""Of a value's hash: two of a thousand values are taken for one once in 10^13 counters."""


class Told(msgspec.Struct, gc=False, frozen=True):
    """What was announced of a counter, and when the grace ends that a hard limit began."""

    ids: tuple[str, ...] = ()
    denied_ms: int | None = None


NOTHING_TOLD = Told()


class Counter(msgspec.Struct, gc=False):
    """What one tenant used of one meter in one window, in 1e-6 units.

    `alarm` is the quantity at which the next announcement is due under the sheet's term; `version`
    that of the entitlements it was last judged by. `memory` is what an aggregation needs beside
    `used`: None until its first value, and always for sums. There are millions of counters: one
    attribute more costs each sixteen bytes.
    """

    used: int
    alarm: int
    version: int
    told: Told = NOTHING_TOLD
    memory: Any = None
    is_dirty: bool = False


def _max(counter: Counter, micro: int, time_ms: int) -> None:
    if counter.memory is None or micro > counter.used:
        counter.used, counter.memory = micro, True


def _latest(counter: Counter, micro: int, time_ms: int) -> None:
    """Values come in the order of the log, so at equal times the last one holds."""
    if counter.memory is None or time_ms >= counter.memory:
        counter.used, counter.memory = micro, time_ms


Fold = Callable[[Counter, int, int], None]

FOLDS: dict[Aggregation, Fold] = {"max": _max, "latest": _latest}
"""By aggregation; those that are missing add values up."""


def add_member(counter: Counter, text: str) -> None:
    """Take in a value of a `unique_count` meter; beyond the bound no more are told apart."""
    if counter.memory is None:
        counter.memory = set()
    if len(counter.memory) < UNIQUE_BOUND:
        counter.memory.add(blake2b(text.encode(), digest_size=MEMBER_BYTES).digest())
        counter.used = len(counter.memory) * MICRO


def merge(into: Counter, other: Counter, aggregation: Aggregation) -> None:
    """Take in what a counter of a part of the window holds."""
    if aggregation == "unique_count":
        members = sorted((into.memory or set()) | (other.memory or set()))[:UNIQUE_BOUND]
        into.memory, into.used = set(members), len(members) * MICRO
    elif fold := FOLDS.get(aggregation):
        if other.memory is not None:  # a row that a rebuild emptied knows no value
            fold(into, other.used, other.memory)
    else:
        into.used += other.used


def remember(state: QuotaState, aggregation: Aggregation) -> Any:
    """A counter's memory from its row."""
    if aggregation == "max":
        return True
    if state.as_of is not None:
        return instant_of(state.as_of)
    if state.members is None:
        return None
    packed = b64decode(state.members)
    return {packed[n : n + MEMBER_BYTES] for n in range(0, len(packed), MEMBER_BYTES)}


def memory_fields(counter: Counter) -> dict[str, str]:
    """A counter's memory as fields of its row."""
    memory = counter.memory
    if isinstance(memory, set):
        return {"members": b64encode(b"".join(sorted(memory))).decode()}
    if memory is None or memory is True:
        return {}
    return {"as_of": format_instant(memory)}
