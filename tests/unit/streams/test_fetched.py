"""Records as our readers are given them say what the library's own say."""

import pytest
from aiokafka import ConsumerRecord
from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords

from streams import fetched
from tests.unit.streams.fetches import a_batch, read, told

(LIBRARYS,) = fetched._AsTheyAre.__bases__
"""Other tests may have installed ours before."""


def test_records_say_what_the_librarys_say(monkeypatch: pytest.MonkeyPatch) -> None:
    data = a_batch(["sent-at", "trace", "sent-at"], 70) + a_batch(["trace"], 90)
    monkeypatch.setattr(fetcher, "MemoryRecords", MemoryRecords)
    monkeypatch.setattr(fetcher, "PartitionRecords", LIBRARYS)
    theirs = read(data)
    fetched.install()
    ours = read(data)
    assert [record.offset for record in ours] == [70, 71, 72, 90]
    assert list(map(told, ours)) == list(map(told, theirs))
    assert [tuple(record.headers) for record in ours] == [record.headers for record in theirs]
    assert isinstance(theirs[0], ConsumerRecord)
    assert not isinstance(ours[0], ConsumerRecord)  # else it gains nothing
