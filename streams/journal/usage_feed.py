"""Reads a partition of `usage.events` into a shard, outside of any consumer group."""

from typing import Self

from aiokafka import AIOKafkaConsumer

from schemas.errors import Conflict
from streams import fetched
from streams.counting.shard import Shard
from streams.journal.counters import CountersConfig

FETCH_MS = 500


class UsageFeed:
    """`usage.events` of a partition, read from where a shard wants it."""

    def __init__(self, config: CountersConfig, partition: int) -> None:
        fetched.install()
        self._place = config.usage(partition)
        self._consumer = AIOKafkaConsumer(
            **config.kafka.aiokafka(),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=FETCH_MS,
        )

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.assign([self._place])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def require(self, start: int) -> None:
        """Raise Conflict when Kafka does not hold the log from there on any more."""
        begins = await self._consumer.beginning_offsets([self._place])
        if begins[self._place] > start:
            raise Conflict(
                f"{self._place.topic}[{self._place.partition}] begins at offset "
                f"{begins[self._place]:,} and landing has come to {start:,} only: what lies "
                "between cannot be counted any more"
            )

    async def feed(self, shard: Shard, end: int) -> None:
        """Count up to an exclusive offset."""
        self._consumer.seek(self._place, shard.next)
        while await self._consumer.position(self._place) < end:
            fetched = await self._consumer.getmany(timeout_ms=FETCH_MS)
            for records in fetched.values():
                shard.apply(record for record in records if record.offset < end)
        shard.skip_to(end)
