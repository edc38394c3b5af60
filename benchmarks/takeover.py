"""Taking over partitions with many counters: how long until all are live, and what they weigh.

    python -m benchmarks.takeover --kafka 127.0.0.1:19092 --counters 1000000

Counts one event for each of half as many tenants, then starts a worker on what was written, on one
core; starts a second beside it, which gets half of the partitions and reads them while the first
goes on with the other half from memory; kills the second with -9 and waits until a third counts in
its place. Beside it: the records of `quota.state` merely read.
"""

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.counting import PARTITIONS, Load, config_of, fill, written
from streams.journal.counters import CountersConfig
from streams.journal.journal_reader import FETCH_RECORDS
from streams.worker.app import CountersApp, build
from streams.worker.collector import calm_collector


def resident_bytes() -> int:
    """Memory of this process."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def live(app: CountersApp) -> int:
    """Partitions that are loaded and fed."""
    return sum(lag.counted is not None for lag in app.intake.lags())


async def serve(config: CountersConfig, partitions: int) -> None:
    """Say when so many partitions are live, and when half of them are after a rebalance."""
    app = build(config)
    before = resident_bytes()
    async with app:
        print(json.dumps(await taken(app, partitions, before)), flush=True)
        while app.intake.lags():
            await asyncio.sleep(0.002)
        print(json.dumps(await taken(app, partitions // 2, before)), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def taken(app: CountersApp, partitions: int, before: int) -> dict[str, float]:
    """Seconds from being assigned partitions until so many are live, and bytes since `before`."""
    while not app.intake.lags():
        await asyncio.sleep(0.002)
    began, cpu = time.time(), time.process_time()
    while live(app) < partitions:
        await asyncio.sleep(0.01)
    wall, cpu = time.time() - began, time.process_time() - cpu
    return {"wall": wall, "cpu": cpu, "bytes": resident_bytes() - before}


async def count_all(config: CountersConfig, events: int) -> None:
    """Count so many events, and write them."""
    app = build(config)
    async with app:
        while written(app.metrics.registry.get_sample_value) < events:
            await asyncio.sleep(0.1)


async def read_state(config: CountersConfig) -> tuple[int, float]:
    """The records of `quota.state`, thrown away: how many, and seconds."""
    partitions = [TopicPartition(config.topics.state, n) for n in range(PARTITIONS)]
    began, records = time.perf_counter(), 0
    async with AIOKafkaConsumer(
        **config.kafka.aiokafka(),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    ) as consumer:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        while not all([await consumer.position(tp) >= end for tp, end in ends.items()]):
            fetched = await consumer.getmany(timeout_ms=200, max_records=FETCH_RECORDS)
            records += sum(map(len, fetched.values()))
    return records, time.perf_counter() - began


def start(servers: str, name: str, group: str, partitions: int) -> "subprocess.Popen[str]":
    """A worker in a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.takeover", "--kafka", servers, "--topics", name]
    argv += ["--group", group, "--live", str(partitions)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def answer(worker: "subprocess.Popen[str]") -> dict[str, float]:
    """What a worker says once its partitions are live."""
    told: dict[str, float] = json.loads(next(iter(worker.stdout or ())))
    return told


def report(servers: str, counters: int) -> None:
    """Fill, count, take over, kill, take over again."""
    name, load = f"benchmark-{uuid4().hex[:8]}", Load(counters // 2, 1, counters // 2)
    fill(servers, name, load)
    config = config_of(servers, name)
    logging.disable()
    asyncio.run(count_all(config, load.events))
    records, seconds = asyncio.run(read_state(config))
    print(f"{records:,} records of quota.state merely read: {seconds:.1f} s", flush=True)
    first = start(servers, name, config.group_id, PARTITIONS)
    took = answer(first)
    print(
        f"{counters:,} counters taken over by one worker: {took['wall']:.1f} s "
        f"({took['cpu']:.1f} s of CPU), {took['bytes'] / counters:.0f} bytes of the process each",
        flush=True,
    )
    second = start(servers, name, config.group_id, PARTITIONS // 2)
    moved, kept = answer(second), answer(first)
    print(
        f"when another comes: its half is live {moved['wall']:.1f} s after it is assigned, "
        f"the half that stays {kept['wall']:.2f} s after"
    )
    second.kill()
    began = time.time()
    third = start(servers, name, config.group_id, PARTITIONS // 2)
    answer(third)
    timeout_s = config.session_timeout_ms / 1000
    print(
        f"after kill -9 of one of two, until another counts in its place: "
        f"{time.time() - began:.1f} s (session timeout {timeout_s:.0f} s)"
    )
    for worker in (first, third):
        worker.kill()


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kafka", default="127.0.0.1:19092", help="bootstrap servers")
    parser.add_argument("--counters", type=int, default=1_000_000)
    parser.add_argument("--topics", help=argparse.SUPPRESS)
    parser.add_argument("--group", help=argparse.SUPPRESS)
    parser.add_argument("--live", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.topics is None:
        report(arguments.kafka, arguments.counters)
        return
    logging.disable()
    calm_collector()
    config = config_of(arguments.kafka, arguments.topics, group=arguments.group)
    asyncio.run(serve(config, arguments.live))


if __name__ == "__main__":
    main()
