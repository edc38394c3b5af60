"""Bringing a new price list to counters and landing, and to the usage that is there already.

Owns the order: every process runs the new version, then stored usage gets its new meters, then
their counters are made of it. It may be killed and repeated anywhere.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from countinghouse.init import now_ms
from countinghouse.rebuild import rebuild
from countinghouse.settings import Settings
from countinghouse.waiting import wait_until
from countinghouse.wiring import live_epoch, usage_log, usage_reader
from schemas.catalog import Catalog
from schemas.errors import Conflict
from schemas.progress import Progress, unseen
from stores import ledger
from streams.rebuild.rebuilding import Rebuilt
from streams.rebuild.refill import refill

Report = Callable[[str], None]
PASSES = 5
PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class RolledOut:
    """What a rollout did; `meters` are those that are new, or counted in new windows."""

    version: int
    meters: tuple[str, ...]
    filled: int
    counters: int
    announced: int


def roll_out(
    settings: Settings, restart: Callable[[], None], report: Report, progress: Progress = unseen
) -> RolledOut:
    """Roll the newest price list out; nothing is done twice that was done. Each stage is told.

    `restart` starts counters and landing anew, one after the other, where we may.

    Raises:
        NotFound: no price list was applied.
        Conflict: counters or landing still run an older price list.
        DependencyUnreachable: a store does not answer.
    """
    with closing(ledger.connect(settings.ledger_url)) as books:
        version, catalog = books.catalog()
        before = books.rolled_out()
        _, known = books.catalog(before)
        if before == version:
            return RolledOut(version, (), 0, 0, 0)
        restart()
        _await_counters(settings, version, report)
        meters = new_meters(known, catalog)
        filled = _fill(settings, catalog, report, progress)
        done = list(_rebuilt(settings, meters, report))
        books.mark_rolled_out(version, now_ms())
    counters, announced = sum(d.counters for d in done), sum(d.announced for d in done)
    return RolledOut(version, meters, filled, counters, announced)


def _await_counters(settings: Settings, version: int, report: Report) -> None:
    epoch = live_epoch(settings).number
    awaited = f"all workers of counters to run version {version} of the price list"
    report(f"waiting for {awaited}")
    with usage_reader(settings) as usage:
        wait_until(
            lambda: usage.counted_by(epoch) >= version,
            f"{awaited} (restart them)",
            progress=lambda: usage.counted_by(epoch),
            patience_seconds=PATIENCE_SECONDS,
        )


def new_meters(before: Catalog, now: Catalog) -> tuple[str, ...]:
    """Meters that counters follow and did not, or not in all their windows."""
    return tuple(
        name
        for name in now.meters
        if set(now.windows_of(name)) - set(before.windows_of(name) if name in before.meters else ())
    )


def _fill(settings: Settings, catalog: Catalog, report: Report, progress: Progress) -> int:
    """Fill stored usage until what lands brings its meters along."""
    log = usage_log(settings)
    total = 0
    for _ in range(PASSES):
        ends = log.ends()
        report("filling stored usage with the meters that it lacks")
        filled = refill(settings.clickhouse_url, catalog, progress)
        total += filled
        if not filled:
            return total
        report(f"{filled:,} stored deliveries have their new meters; waiting for landing to go on")
        wait_until(
            lambda ends=ends: log.landed().covers(ends),  # type: ignore[misc]
            "landing to go on",
            progress=log.landed,
        )
    raise Conflict(
        "usage still lands without the new meters: restart every process of landing, so that it "
        "reads the newest price list, then run `countinghouse catalog rollout` again"
    )


def _rebuilt(settings: Settings, meters: tuple[str, ...], report: Report) -> Iterator[Rebuilt]:
    if not meters:
        return
    report(f"making the counters of {', '.join(meters)} anew")
    for one in rebuild(settings, meters):
        report(f"partition {one.partition}: {one.counters:,} counters of {', '.join(meters)}")
        yield one
