"""Where a tenant is at home: the partition that Kafka's own hash gives to its name.

Java's producer puts keys there, and librdkafka's with `partitioner=murmur2_random`; most other
clients do not unless they are told to.
"""

from collections.abc import Callable
from functools import lru_cache
from struct import Struct

IsAtHome = Callable[[bytes | None, int], bool]
"""Does a record with this key belong on this partition?"""

_REMEMBERED = 1 << 16
"""Keys whose place is known without a look: reckoning it takes some microseconds."""

_MASK = 0xFFFFFFFF
_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, of so many."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


def at_home(partitions: int | None) -> IsAtHome:
    """What tells whether a record lies on its tenant's partition, of so many; None: anywhere.

    A record without a key belongs nowhere in particular.
    """
    if partitions is None:
        return lambda key, partition: True

    @lru_cache(_REMEMBERED)
    def is_at_home(key: bytes | None, partition: int) -> bool:
        return key is None or partition_of(key, partitions) == partition

    return is_at_home


def _murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bits, with Kafka's seed."""
    hashed = _SEED ^ len(data)
    for word in _words(len(data) // 4)(data):
        mixed = word * _MULTIPLIER & _MASK
        # Cut back once a word: what is above 32 bits changes nothing below.
        hashed = (hashed * _MULTIPLIER ^ (mixed ^ mixed >> 24) * _MULTIPLIER) & _MASK
    if rest := data[len(data) & ~3 :]:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * _MULTIPLIER & _MASK
    hashed = (hashed ^ hashed >> 13) * _MULTIPLIER & _MASK
    return hashed ^ hashed >> 15


@lru_cache
def _words(count: int) -> Callable[[bytes], tuple[int, ...]]:
    return Struct(f"<{count}I").unpack_from
