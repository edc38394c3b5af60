"""Rebuilding counters: what is to be made anew, of which usage, partition by partition.

Owns the choice and the wiring; how one partition is done is in `streams.rebuild.rebuilding`.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace

from countinghouse.init import now_ms
from countinghouse.settings import Settings
from countinghouse.wiring import counters_config, usage_log, usage_reader
from schemas.catalog import Catalog
from schemas.errors import InvalidInput
from schemas.period import BillingPeriod
from schemas.rebuild import Chosen, Part, PartitionCut
from stores.warehouse.usage import WarehouseUsage
from streams.journal.counters import CountersConfig
from streams.rebuild.rebuilding import RebuildPlan, Rebuilt, rebuild_partition
from streams.rebuild.remaking import CLOCK_SLACK_MS, LONGEST_WINDOW_MS, Remaking


def rebuild(
    settings: Settings, meters: Iterable[str] = (), tenants: Iterable[str] = ()
) -> Iterator[Rebuilt]:
    """Make counters anew from stored usage, one partition after the other; all without a choice.

    Each partition is one transaction, so what was done stays done, and doing it again is harmless.

    Raises:
        InvalidInput: a meter that counters do not follow.
        Conflict: counters run an older price list; a partition could not be taken over.
        DependencyUnreachable: a store does not answer.
    """
    config = counters_config(settings)
    log = usage_log(settings)
    chosen = Chosen(streamed(config.catalog, meters), frozenset(tenants))
    cuts = {
        partition: offset
        for (epoch, partition), offset in log.landed().items()
        if epoch == config.epoch
    }
    with usage_reader(settings) as usage:
        plan = replace(plan_of(config, chosen, log.partitions(), usage), cuts=cuts)
        yield from rebuild_all(plan)


def rebuild_all(plan: RebuildPlan) -> Iterator[Rebuilt]:
    """Carry a plan out, partition by partition."""
    for partition in range(plan.partitions):
        yield asyncio.run(rebuild_partition(plan, partition))


def plan_of(
    config: CountersConfig, chosen: Chosen, partitions: int, usage: WarehouseUsage
) -> RebuildPlan:
    """A plan for a topic of which nothing has landed yet."""
    from_ms = _from_ms(config, usage)

    def parts(cut: PartitionCut) -> list[Part]:
        return usage.parts(config.catalog, chosen, cut, from_ms)

    return RebuildPlan(Remaking(config, chosen, from_ms), parts, {}, partitions)


def _from_ms(config: CountersConfig, usage: WarehouseUsage) -> int:
    """Since when usage is stored whole and may still be counted: windows before it are left alone.

    The first month that is stored may be all there ever was: it counts as whole.
    """
    first_ms = usage.first_usage_ms()
    stored_ms = 0 if first_ms is None else BillingPeriod.month_of(first_ms).start_ms
    if config.max_age_ms is None:
        return stored_ms
    longest_ms = config.max_age_ms + CLOCK_SLACK_MS + 2 * LONGEST_WINDOW_MS
    return max(stored_ms, now_ms() - longest_ms)


def streamed(catalog: Catalog, wanted: Iterable[str] = ()) -> frozenset[str]:
    """The wanted meters, without a wish all, of those that counters follow. Raises InvalidInput."""
    known = [meter.name for meter in catalog.meter_list if meter.is_streamed]
    chosen = frozenset(wanted) or frozenset(known)
    if unknown := sorted(chosen - set(known)):
        raise InvalidInput(
            f"{unknown[0]!r} is not a meter that counters follow; there are {', '.join(known)}"
        )
    return chosen
