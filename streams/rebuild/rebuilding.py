"""Makes the counters of a partition anew: from stored usage up to a cut, from the log after it.

Owns the order of things. Whatever takes long comes before the partition's lease is taken: its
owner, if there is one, rests three seconds when it is fenced, then takes it back and loads what
was written here. Until that is committed nothing has changed, so it may be killed anywhere.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from aiokafka.errors import KafkaError

from schemas.errors import Conflict, DependencyUnreachable, Fenced
from schemas.quota import INTERNAL, QuotaState, StatePosition
from schemas.rebuild import Part, PartitionCut
from streams.counting.rows import decode_state
from streams.counting.shard import Changes
from streams.journal.counters import CountersConfig
from streams.journal.journal_reader import JournalReader
from streams.journal.journal_writer import JournalWriter
from streams.journal.usage_feed import UsageFeed
from streams.rebuild.remaking import JournalRows, Remaking

logger = logging.getLogger(__name__)

ATTEMPTS = 5

Parts = Callable[[PartitionCut], Iterable[Part]]
"""Stored usage of the chosen counters before a cut."""


@dataclass(frozen=True, slots=True)
class RebuildPlan:
    """Which counters are made anew of what.

    `cuts` says by partition how far landing has come, of `partitions`; a rebuild begins there, or
    earlier. `inherited` are rows of a topic before this one, by the partition they belong to now.
    """

    remaking: Remaking
    parts: Parts
    cuts: Mapping[int, int]
    partitions: int
    inherited: Mapping[int, Mapping[bytes, QuotaState]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of a partition: its counters, those that changed, what was announced."""

    partition: int
    position: int
    counters: int
    changed: int
    announced: int


async def rebuild_partition(plan: RebuildPlan, partition: int) -> Rebuilt:
    """Make the chosen counters of a partition anew, in one transaction.

    What became of a transaction that the broker answered with an error is unknown: it is begun
    again from what is committed then, which comes to the same whether the first was or not.

    Raises:
        Conflict: its owner runs another price list, or takes the partition back each time.
        DependencyUnreachable: the broker does not answer, or refuses each time.
    """
    failure: KafkaError | Fenced = Fenced()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await _rebuild(plan, partition)
        except (KafkaError, Fenced) as told:
            failure = told
            logger.warning("partition %d, attempt %d: %r", partition, attempt, told)
    raise _given_up(plan, partition, failure) from failure


def _given_up(plan: RebuildPlan, partition: int, last: KafkaError | Fenced) -> Exception:
    if isinstance(last, Fenced):
        return Conflict(
            f"partition {partition} was taken back by its owner {ATTEMPTS} times before its "
            "counters were written: name fewer meters or tenants at once, or stop the counters "
            "meanwhile"
        )
    return DependencyUnreachable(
        f"Kafka at {plan.remaking.config.kafka.servers} did not take the counters of partition "
        f"{partition} ({last!r}): check the broker, then rebuild again; partitions done stay done"
    )


async def _rebuild(plan: RebuildPlan, partition: int) -> Rebuilt:
    config = plan.remaking.config
    inherited = plan.inherited.get(partition, {})
    before = await read_journal(config, partition)
    before.inherit(inherited)
    start = min(plan.cuts.get(partition, 0), before.counted_to)
    async with UsageFeed(config, partition) as usage:
        await usage.require(start)
        cut = PartitionCut(config.epoch, partition, plan.partitions, start)
        parts = await asyncio.to_thread(plan.parts, cut)
        shard = plan.remaking.shard(partition, parts, before)
        shard.start_at(start)
        await usage.feed(shard, before.counted_to)
        writer = JournalWriter(config, partition)
        try:
            await writer.fence()
            found = await read_journal(config, partition)
            found.inherit(inherited)
            await usage.feed(shard, found.counted_to)
            changes = plan.remaking.changes(shard, found, start)
            await writer.write(changes, found.entitlements)
        finally:
            await writer.close()
    return _told(partition, changes, found)


async def read_journal(config: CountersConfig, partition: int) -> JournalRows:
    """A partition's rows and timelines as they are committed.

    Raises:
        Conflict: its owner runs an older price list.
    """
    found = JournalRows()
    reader = JournalReader(config, partition, found)
    try:
        await reader.open()
        await reader.load()
        _require_same_prices(config, partition, reader.position)
    finally:
        await reader.close()
    found.entitlements = reader.entitlements_position
    return found


def _require_same_prices(
    config: CountersConfig, partition: int, position: StatePosition | None
) -> None:
    """An owner with an older price list would go on without the meters that it does not know."""
    if position is not None and position.catalog_version < config.catalog_version:
        raise Conflict(
            f"partition {partition} is counted by version {position.catalog_version} of the price "
            f"list, version {config.catalog_version} is applied: restart the counters first"
        )


def _told(partition: int, changes: Changes, found: JournalRows) -> Rebuilt:
    states = {
        key: decode_state(value)
        for key, value in changes.rows
        if value is not None and not key.startswith(INTERNAL)
    }
    same = sum(key in found.rows and found.rows[key].used == s.used for key, s in states.items())
    return Rebuilt(
        partition, changes.position, len(states), len(states) - same, len(changes.crossings)
    )
