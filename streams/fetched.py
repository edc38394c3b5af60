"""How aiokafka's consumers of this process make records of what they fetched.

The library fills an object of eleven fields, with a dictionary of its own, for each record: that
takes more time than all that comes before it. Our readers know topic and partition: they are given
the record as its batch holds it, with `offset`, `timestamp`, `key`, `value` and `headers`.

Owns no connection: it changes how the library works, once a process.
"""

from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer import fetcher

from streams.odd_headers import PatientRecords


class _AsTheyAre(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of a partition, as their batches hold them."""

    def _consumer_record(self, tp: TopicPartition, record: Any) -> Any:
        return record


def install() -> None:
    """Make every aiokafka consumer of this process read so; again changes nothing."""
    fetcher.MemoryRecords = PatientRecords
    fetcher.PartitionRecords = _AsTheyAre
