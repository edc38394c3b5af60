"""Writes a partition's journal: one transaction for rows, position and announcements.

Owns what is written, and in which order; how it becomes a transaction is in `transactions`.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterable

import msgspec
from aiokafka.errors import InvalidProducerEpoch, KafkaError

from schemas.errors import DependencyUnreachable, Fenced
from schemas.quota import POSITION_KEY, QuotaExceeded, StatePosition
from streams.bounded import within
from streams.counting.crossings import Crossing
from streams.counting.rows import Row, encode
from streams.counting.shard import Changes
from streams.journal.counters import CountersConfig
from streams.journal.transactions import Transactions

BROKER_SECONDS = 20
"""A broker restarts in less on a machine that is not busy. A journal that waits longer is dropped
and opened anew."""

CLOSE_SECONDS = 1


class JournalWriter:
    """The one writer of a partition of `quota.state`, and of what is announced for its tenants.

    `state_end` is where `quota.state` ended (exclusive) with the last transaction written here.
    """

    def __init__(self, config: CountersConfig, partition: int) -> None:
        self.state_end: int | None = None
        self._config = config
        self._topics = config.topics
        self._partition = partition
        lease = config.transactional_id(partition)
        self._transactions = Transactions(config.kafka, lease, partition)

    async def fence(self) -> None:
        """Become the owner. What an earlier one left unfinished is aborted when this returns."""
        topics = self._topics.exceeded, self._topics.alerts, self._topics.state
        what = f"opening the journal of partition {self._partition}"
        await within(BROKER_SECONDS, self._transactions.fence(topics), what)

    async def write(self, changes: Changes, entitlements_position: int) -> None:
        """Write all or nothing.

        Raises:
            Fenced: another owner has fenced this one.
            KafkaError, DependencyUnreachable: the broker does not answer or refuses; what became
                of it is unknown.
        """
        records = self._announced(changes.crossings)
        records[self._topics.state] = self._rows(changes, entitlements_position)
        what = f"a transaction of partition {self._partition}"
        try:
            last = await within(BROKER_SECONDS, self._transactions.write(records), what)
        except InvalidProducerEpoch:
            raise Fenced(f"partition {self._partition} has another owner now") from None
        self.state_end = last[self._topics.state] + 2  # the marker follows its last record

    def _announced(self, crossings: Iterable[Crossing]) -> dict[str, list[Row]]:
        """The announcements of each topic that has any."""
        announced: defaultdict[str, list[Row]] = defaultdict(list)
        for crossing in crossings:
            is_exceeded = isinstance(crossing, QuotaExceeded)
            topic = self._topics.exceeded if is_exceeded else self._topics.alerts
            announced[topic].append((crossing.tenant.encode(), encode(crossing)))
        return announced

    def _rows(self, changes: Changes, entitlements_position: int) -> list[Row]:
        """What changed, between the position that is not complete and the one that is."""
        begun = StatePosition(
            epoch=self._config.epoch,
            usage=changes.position,
            entitlements=entitlements_position,
            catalog_version=self._config.catalog_version,
            complete=False,
        )
        ended = msgspec.structs.replace(begun, complete=True)
        return [(POSITION_KEY, encode(begun)), *changes.rows, (POSITION_KEY, encode(ended))]

    async def close(self) -> None:
        """Let the lease go; it stays valid until someone else takes it."""
        # a fenced owner is told so once more
        with contextlib.suppress(KafkaError, DependencyUnreachable):
            await within(CLOSE_SECONDS, self._transactions.close(), "closing a journal")
