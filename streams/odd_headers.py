"""Reads records whose headers have names that are no UTF-8: aiokafka refuses to read on there.

Producers in C or Go may write such names, and one of them would end every worker that is given the
partition. The record counts, as if it had no headers; all others keep theirs.

Owns no connection: `streams.fetched` has it used.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.record.default_records import (
    DefaultRecordBatch,
    _DefaultRecordBatchPy,
    _DefaultRecordPy,
)
from aiokafka.record.memory_records import _MemoryRecordsPy
from aiokafka.record.util import decode_varint


class _Patient(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch, read in Python; a record with odd headers is given none."""

    _pos: int

    def _read_msg(self) -> Any:
        try:
            return super()._read_msg()
        except UnicodeDecodeError:
            return self._without_headers()

    def _without_headers(self) -> Any:
        length, start = decode_varint(self._buffer, self._pos)
        _, at = decode_varint(self._buffer, start)  # attributes, of which there are none
        since_first, at = decode_varint(self._buffer, at)
        is_arrival = self.timestamp_type == self.LOG_APPEND_TIME
        time_ms = self.max_timestamp if is_arrival else self.first_timestamp + since_first
        number, at = decode_varint(self._buffer, at)
        key, at = self._bytes(at)
        value, _ = self._bytes(at)
        self._pos = start + length
        offset = self.base_offset + number
        return _DefaultRecordPy(offset, time_ms, self.timestamp_type, key, value, [])

    def _bytes(self, at: int) -> tuple[bytes | None, int]:
        length, at = decode_varint(self._buffer, at)
        return (None, at) if length < 0 else (bytes(self._buffer[at : at + length]), at + length)


class _Batch:
    """A batch as the library reads it, or patiently where it holds what the library cannot."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return iter(_Patient(self._data))

    def __next__(self) -> Any:
        return next(self._batch)


class PatientRecords(_MemoryRecordsPy):  # type: ignore[misc]
    """What was fetched of a partition, batch by batch."""

    def next_batch(self) -> Any:
        data = self._next_slice
        batch = super().next_batch()
        return _Batch(batch, data) if isinstance(batch, DefaultRecordBatch) else batch
