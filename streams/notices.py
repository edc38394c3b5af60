"""Brings exceeded quotas from their topic to agents that act on them.

A consumer of its own with `read_committed`: Faust's would also tell what was aborted.
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import ConsumerStoppedError, KafkaError
from mode import Service

from schemas.quota import QuotaExceeded
from streams.counters import CountersConfig

logger = logging.getLogger(__name__)

_decode = msgspec.json.Decoder(QuotaExceeded).decode

Deliver = Callable[[QuotaExceeded], Awaitable[None]]


class QuotaIntake(Service):
    """Delivers each exceeded quota at least once to the worker's agents, once a group."""

    def __init__(self, config: CountersConfig, deliver: Deliver, **options: Any) -> None:
        super().__init__(**options)
        self._config = config
        self._deliver = deliver

    async def on_start(self) -> None:
        """Join the group of those that act on quotas."""
        consumer = AIOKafkaConsumer(
            self._config.topics.exceeded,
            bootstrap_servers=self._config.kafka_servers,
            group_id=f"{self._config.group_id}-notices",
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=self._config.session_timeout_ms,
            heartbeat_interval_ms=self._config.session_timeout_ms // 5,
            fetch_max_wait_ms=100,
        )
        self._consumer = consumer
        await self.add_async_context(consumer)

    @Service.task
    async def _pump(self) -> None:
        while not self.should_stop:
            with contextlib.suppress(ConsumerStoppedError):
                fetched = await self._consumer.getmany(timeout_ms=1000)
                for record in [record for records in fetched.values() for record in records]:
                    await self._deliver(_decode(record.value))
                await self._commit(bool(fetched))

    async def _commit(self, has_delivered: bool) -> None:
        with contextlib.suppress(KafkaError):  # a rebalance; its next owner delivers them again
            if has_delivered:
                await self._consumer.commit()
