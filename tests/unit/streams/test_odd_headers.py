"""A header whose name is no UTF-8 costs its record the headers, and nobody else anything."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from streams import odd_headers

NAMES = ("sent-at", "odd", "sent-at", "odd", "sent-at")
PLAIN, ODD = b"odd", b"\xff\xfe\xe9"
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


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher, "MemoryRecords", fetcher.MemoryRecords)
    odd_headers.install()


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("is_arrival", [False, True])
def test_a_record_with_an_odd_header_is_read_without_headers(*, is_arrival: bool) -> None:
    data = a_batch(NAMES, is_arrival=is_arrival)
    plain, odd = read(data), read(data.replace(PLAIN, ODD))
    assert [record.headers for record in plain] == [((name, b"1"),) for name in NAMES]
    assert [record.headers for record in odd] == [
        () if name == "odd" else (("sent-at", b"1"),) for name in NAMES
    ]
    for one, other in zip(plain, odd, strict=True):
        assert replace(one, headers=()) == replace(other, headers=())


@pytest.mark.usefixtures("lenient")
def test_batches_before_and_after_are_read_too() -> None:
    odd = a_batch(["odd"], 75).replace(PLAIN, ODD)
    records = read(a_batch(NAMES, 70) + odd + a_batch(NAMES, 76))
    assert [record.offset for record in records] == list(range(70, 81))
    assert [record.value for record in records[4:8]] == [b"4", None, None, b"1"]


def test_the_library_itself_reads_no_further() -> None:
    """When this fails, the library has learned it, and `odd_headers` can go."""
    with pytest.raises(UnicodeDecodeError):
        list(DefaultRecordBatch(a_batch(["odd"]).replace(PLAIN, ODD)))
