"""A header whose name is no UTF-8 costs its record the headers, and nobody else anything."""

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch

from streams import fetched
from tests.unit.streams.fetches import a_batch, read, told

NAMES = ("sent-at", "odd", "sent-at", "odd", "sent-at")
PLAIN, ODD = b"odd", b"\xff\xfe\xe9"


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MemoryRecords", "PartitionRecords"):
        monkeypatch.setattr(fetcher, name, getattr(fetcher, name))
    fetched.install()


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("is_arrival", [False, True])
def test_a_record_with_an_odd_header_is_read_without_headers(*, is_arrival: bool) -> None:
    data = a_batch(NAMES, is_arrival=is_arrival)
    plain, odd = read(data), read(data.replace(PLAIN, ODD))
    assert [list(record.headers) for record in plain] == [[(name, b"1")] for name in NAMES]
    assert [list(record.headers) for record in odd] == [
        [] if name == "odd" else [("sent-at", b"1")] for name in NAMES
    ]
    assert list(map(told, plain)) == list(map(told, odd))


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
