"""Batches as a broker keeps them, and what a consumer reads out of a fetch of them."""

from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder

FIRST_MS, ARRIVED_MS = 1_790_000_000_000, 1_790_000_009_000


def a_batch(names: Sequence[str], first: int = 70, *, is_arrival: bool = False) -> bytes:
    """A batch as a broker keeps it, one record a name; some without key and value."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for n, name in enumerate(names):
        key, value = (b"acme", b"%d" % n) if n % 3 else (None, None)
        builder.append(n, timestamp=FIRST_MS + n, key=key, value=value, headers=[(name, b"1")])
    data = bytearray(builder.build())
    data[:8] = first.to_bytes(8, "big")
    if is_arrival:
        data[22] |= 0x08
        data[35:43] = ARRIVED_MS.to_bytes(8, "big")
    return bytes(data)


def read(data: bytes) -> list[Any]:
    """Records as a consumer reads them out of a fetch."""
    place = TopicPartition("usage.events", 3)
    fetched = fetcher.MemoryRecords(data)
    return list(
        fetcher.PartitionRecords(
            place,
            fetched,
            aborted_transactions=None,
            fetch_offset=0,
            key_deserializer=None,
            value_deserializer=None,
            check_crcs=False,  # they are those of the names before they were made odd
            isolation_level=fetcher.READ_COMMITTED,
        )
    )


def told(record: Any) -> tuple[Any, ...]:
    """All that a record says, its headers apart."""
    return record.offset, record.timestamp, record.timestamp_type, record.key, record.value
