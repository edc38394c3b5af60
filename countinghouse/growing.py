"""Growing to more partitions: new topics beside the old ones, then one switch from these to those.

Owns the order: the old topic is sealed, drained by counters and landing, and stays in every cut;
counters are made anew for their new partitions, with what was announced; last, the ledger calls
the new topics live. Until then nothing has changed, and the switch may be killed and repeated.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace

import msgspec

from countinghouse.init import now_ms
from countinghouse.rebuild import plan_of, rebuild_all, streamed
from countinghouse.settings import Settings
from countinghouse.waiting import wait_until
from countinghouse.wiring import (
    COUNTERS_GROUP,
    counters_config,
    live_epoch,
    usage_log,
    usage_reader,
)
from schemas.epoch import Epoch
from schemas.errors import Conflict, InvalidInput, NotFound
from schemas.partitions import partition_of
from schemas.quota import QuotaState
from schemas.rebuild import Chosen
from schemas.topics import TopicNames, named
from schemas.vector import Vector
from stores import ledger, log
from stores.log import KafkaLog, group_members
from streams.journal.counters import CountersConfig
from streams.rebuild.rebuilding import read_journal
from streams.rebuild.remaking import JournalRows
from streams.relay.relay_duties import Outlet
from streams.topics import ensure_topics, partition_counts, seal

Report = Callable[[str], None]
Pause = Callable[[], AbstractContextManager[None]]
"""Holds counters and relay back for a block, and starts them, with the new topics, after it."""

SETTLE_SECONDS = 1.0
TRANSACTION_SECONDS = 20
LOOKS = 5
"""Who writes one transaction after the other has a moment without, but not so many."""


@dataclass(frozen=True, slots=True)
class Switched:
    """What became of a switch: the topic that ended, where, and the one that is live."""

    ended: Epoch
    ends: Vector
    live: Epoch
    counters: int
    announced: int


def grow(settings: Settings, partitions: int) -> Epoch:
    """Make the next generation's topics, with more partitions; nothing uses them yet.

    Raises:
        InvalidInput: not more than there are. Conflict: they exist with another number.
        DependencyUnreachable: the broker does not answer.
    """
    live = live_epoch(settings)
    if partitions <= live.partitions:
        raise InvalidInput(
            f"{live.topic} has {live.partitions} partitions already; name a greater number"
        )
    generation = live.generation + 1
    known = partition_counts(settings.kafka_access).get(TopicNames.of(generation).usage)
    if known not in (None, partitions):
        raise Conflict(
            f"{TopicNames.of(generation).usage} was made with {known} partitions; switch to it, or "
            "delete the topics of that generation and grow again"
        )
    ensure_topics(
        settings.kafka_access,
        partitions=partitions,
        replication=settings.replication,
        generation=generation,
    )
    return _next(settings, live)


def switch(settings: Settings, pause: Pause, report: Report) -> Switched:
    """Make the topics live that `grow` has made.

    Raises:
        NotFound: there are none. Conflict: counters still run, or by an older price list.
        BillingError: counters or landing do not come to the end of the old topic.
        DependencyUnreachable: a store does not answer.
    """
    live = live_epoch(settings)
    following = _next(settings, live)
    _await_no_transaction(usage_log(settings))
    seal(settings.kafka_access, live.topic)
    report(f"{live.topic} is sealed: what producers still send to it comes back to them")
    ends = _drain(settings)
    report(f"{sum(ends.values()):,} records of {live.topic} are counted and landed")
    with pause():
        _require_no_counters(settings, live)
        counters, announced = _remake(settings, live, following)
        report(f"{counters:,} counters are made anew for {following.partitions} partitions")
        with closing(ledger.connect(settings.ledger_url)) as books:
            following = replace(following, opened_ms=now_ms())
            books.follow_epoch(live, ends, following)
        report(f"{following.topic} is live, as epoch {following.number}")
    return Switched(live, ends, following, counters, announced)


def _next(settings: Settings, live: Epoch) -> Epoch:
    topic = TopicNames.of(live.generation + 1).usage
    partitions = partition_counts(settings.kafka_access).get(topic)
    if partitions is None:
        raise NotFound(
            f"there is no {topic} to switch to: run `countinghouse topics grow --partitions N`"
        )
    found = log.topic_id(settings.kafka_access, topic)
    return Epoch(live.number + 1, found, topic, partitions, now_ms())


def _await_no_transaction(usage_topic: KafkaLog) -> None:
    """A sealed topic refuses the marker that ends a transaction, too: it would stay open."""
    wait_until(
        lambda: all(_has_no_transaction(usage_topic) for _ in range(LOOKS)),
        "producers to end their transactions on the old topic: stop those that write to it in "
        "transactions, then switch again;",
        patience_seconds=TRANSACTION_SECONDS,
    )


def _has_no_transaction(usage_topic: KafkaLog) -> bool:
    """Is all committed that was there a moment ago? What comes meanwhile is no transaction."""
    there = usage_topic.ends(committed=False)
    return usage_topic.ends().covers(there)


def _drain(settings: Settings) -> Vector:
    """Where the old topic ends, once that is read by counters and landing alike."""
    usage_topic = usage_log(settings)
    ends = _final_ends(usage_topic)
    wait_until(
        lambda: usage_topic.landed().covers(ends),
        "landing to reach the end of the old topic",
        progress=usage_topic.landed,
    )
    with usage_reader(settings) as usage:
        wait_until(
            lambda: usage.counted().covers(ends),
            "the counters to reach the end of the old topic",
            progress=usage.counted,
        )
    return ends


def _final_ends(usage_topic: KafkaLog) -> Vector:
    """The ends, when nothing comes any more and no transaction is open."""
    seen = [Vector()]

    def are_final() -> bool:
        time.sleep(SETTLE_SECONDS)
        seen.append(usage_topic.ends())
        return seen[-2] == seen[-1] == usage_topic.ends(committed=False)

    wait_until(are_final, "the old topic to come to an end", progress=lambda: seen[-1])
    return seen[-1]


def _require_no_counters(settings: Settings, live: Epoch) -> None:
    """What an owner would announce from here on would not be known in the new topics."""
    group = named(COUNTERS_GROUP, live.generation)
    members = group_members(settings.kafka_access, group)
    if members:
        raise Conflict(
            f"{members} workers of counters still run and {live.topic} is drained: stop them, then "
            "switch again; usage waits in the new topic"
        )


def _remake(settings: Settings, live: Epoch, following: Epoch) -> tuple[int, int]:
    """Counters and timelines in the new topics; how many counters, and what was due."""
    config = counters_config(settings, following)
    old = asyncio.run(_journals(counters_config(settings, live), live.partitions))
    _publish(settings, following, old)
    inherited: dict[int, dict[bytes, QuotaState]] = {}
    for journal in old:
        for key, state in journal.rows.items():
            partition = partition_of(state.tenant.encode(), following.partitions)
            inherited.setdefault(partition, {})[key] = state
    chosen = Chosen(streamed(config.catalog))
    with usage_reader(settings) as usage:
        plan = plan_of(config, chosen, following.partitions, usage)
        done = list(rebuild_all(replace(plan, inherited=inherited)))
    return sum(one.counters for one in done), sum(one.announced for one in done)


async def _journals(config: CountersConfig, partitions: int) -> list[JournalRows]:
    return [await read_journal(config, partition) for partition in range(partitions)]


def _publish(settings: Settings, following: Epoch, old: list[JournalRows]) -> None:
    """The timelines that were in force, for the counters to be judged by; the relay's follow."""
    topic = TopicNames.of(following.generation).entitlements
    published: Mapping[str, bytes] = {
        tenant: msgspec.json.encode(entitlements)
        for journal in old
        for tenant, entitlements in journal.published.items()
    }
    Outlet(settings.kafka_access, topic).send(list(published.items())).check()
