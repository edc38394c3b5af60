"""Every counter of a month beside the warehouse, each as of a position that it stands for.

Owns the moment at which counters are taken and the wait until landing has come as far as they.
What a counter must hold then is said in `queries/compare_counters.sql`.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.client import Client

from schemas.catalog import Catalog
from schemas.closing import CountersCompared
from schemas.event import EARLIEST_MS, LATEST_MS
from schemas.period import BillingPeriod
from schemas.ports import Log
from schemas.tables import COUNTER_COLUMNS
from schemas.vector import OFFSET_BITS, Vector, position
from stores.warehouse.client import ask, ask_table, reachable, statement
from stores.warehouse.metering import meter_parameters

POLL_SECONDS = 0.1
MANY_TENANTS = 1_000
"""More than these do not differ for ids that come in two months: no need to look for them."""

_OF_OTHERS = re.compile(r"-- \{others\n.*?-- \}\n", re.DOTALL)
"""What the statement keeps of every counter for meters that do not add up."""

_OFFSETS = (1 << OFFSET_BITS) - 1
_NEVER_MS = 1 << 62


@dataclass(frozen=True, slots=True)
class _Taken:
    """Counters of one moment, kept as a slice: how far they read, where their windows end.

    `epoch` is the newest that any of them has begun, `partitions` are its own.
    """

    name: str
    epoch: int
    partitions: tuple[int, ...]
    counted: Vector
    reached: Vector
    end_ms: int
    has_anniversaries: bool


class Comparison:
    """Compares a month's counters; `dedupe_window` is the counters', in offsets.

    `patience_seconds` is how long landing may take to come as far as the counters.
    """

    def __init__(
        self, client: Client, catalog: Catalog, dedupe_window: int, patience_seconds: int
    ) -> None:
        self._client = client
        self._catalog = catalog
        self._meters = [meter for meter in catalog.meter_list if meter.is_streamed]
        self._dedupe_window = dedupe_window
        self._patience_seconds = patience_seconds

    def compare(self, month: BillingPeriod, log: Log) -> CountersCompared:
        """Take the counters, wait for landing, compare what is covered.

        Raises:
            DependencyUnreachable: the warehouse or the broker does not answer.
        """
        with self._taken(month) as taken:
            landed, behind = self._await_landing(taken.reached, log)
            asked = self._parameters(month, taken, landed)
            table = self._compare(asked)
            doubted = _doubted(table)
            if 0 < len(doubted) <= MANY_TENANTS:
                surer = self._compare({**asked, **self._all_months(doubted.to_pylist())})
                others = table.filter(pc.invert(pc.is_in(table["tenant"], value_set=doubted)))
                table = pa.concat_tables([others, surer])
        return CountersCompared(table, behind)

    @contextmanager
    def _taken(self, month: BillingPeriod) -> Iterator[_Taken]:
        """The counters of one moment, in a slice of their own; dropped afterwards.

        Their complete positions are read before them: a counter that is newer than these carries
        its own position, one that is older has not changed since.
        """
        counted = ask(self._client, "counted")
        name = uuid4().hex
        bounds = {"slice": name, "start_ms": month.start_ms, "end_ms": month.end_ms}
        with reachable(self._client.uri):
            self._client.command(statement("snapshot_counters"), parameters=bounds)
        try:
            rows = ask(self._client, "snapshot_reached", bounds)
            begun = [(at >> OFFSET_BITS, partition) for partition, at, _, _ in rows]
            begun += [(epoch, partition) for partition, epoch, _ in counted]
            newest = max((epoch for epoch, _ in begun), default=0)
            yield _Taken(
                name,
                newest,
                tuple(sorted({partition for epoch, partition in begun if epoch == newest})),
                Vector({(epoch, partition): offset for partition, epoch, offset in counted}),
                Vector({(at >> OFFSET_BITS, p): at & _OFFSETS for p, at, _, _ in rows}),
                max((end_ms for _, _, end_ms, _ in rows), default=month.end_ms),
                has_anniversaries=any(row[3] for row in rows),
            )
        finally:
            with reachable(self._client.uri):
                self._client.command(f"ALTER TABLE compared_counters DROP PARTITION '{name}'")

    def _await_landing(self, reached: Vector, log: Log) -> tuple[Vector, Mapping[int, int]]:
        """What has landed, and by how many records it is still behind the counters, if it is."""
        deadline = time.monotonic() + self._patience_seconds
        while True:
            landed = log.landed()
            behind = _behind(landed, reached)
            if not behind or time.monotonic() > deadline:
                return landed, behind
            time.sleep(POLL_SECONDS)

    def _parameters(self, month: BillingPeriod, taken: _Taken, landed: Vector) -> dict[str, object]:
        epoch = taken.epoch
        known = {p for e, p in landed if e == epoch}
        partitions = sorted(known.union(taken.partitions)) or [0]
        ends = [_landed_at(landed, epoch, p) for p in partitions]
        cuts = [
            min(position(epoch, taken.counted[epoch, p]), end)
            for p, end in zip(partitions, ends, strict=True)
        ]
        end_ms = max(month.end_ms, taken.end_ms)
        return {
            "slice": taken.name,
            "start_ms": month.start_ms,
            "end_ms": month.end_ms,
            "range_end_ms": end_ms,
            "repeats_start_ms": month.start_ms,
            "repeats_end_ms": end_ms,
            "tenants": [],
            "has_anniversaries": taken.has_anniversaries,
            "current_epoch": epoch,
            "partitions": partitions,
            "landed": ends,
            "cuts": cuts,
            "dedupe_window": self._dedupe_window,
            **self._windows(has_anniversaries=taken.has_anniversaries),
        }

    def _windows(self, *, has_anniversaries: bool) -> dict[str, object]:
        """How each meter is counted, and from which window of each kind on."""
        found = ask(self._client, "first_windows")
        first = {(meter, kind): start_ms for meter, kind, start_ms in found}
        names = [meter.name for meter in self._meters]
        named = [(name, kind) for name in names for kind in self._catalog.windows_of(name)]
        firsts = [first.get(at, 0 if at[1] == "billing_period" else _NEVER_MS) for at in named]
        return {
            **meter_parameters(self._catalog, self._meters, by_day=has_anniversaries),
            "windows": [f"{name} {kind}" for name, kind in named],
            "firsts": firsts,
        }

    def _all_months(self, tenants: Sequence[str]) -> dict[str, object]:
        """Look at these tenants' ids in all months: one that comes in two of them is explained."""
        return {
            "tenants": tenants,
            "repeats_start_ms": EARLIEST_MS,
            "repeats_end_ms": LATEST_MS,
        }

    def _compare(self, parameters: Mapping[str, object]) -> pa.Table:
        text = statement("compare_counters")
        if all(meter.is_additive for meter in self._meters):
            text = _OF_OTHERS.sub("", text)
        return ask_table(self._client, text, parameters, COUNTER_COLUMNS)


def _doubted(table: pa.Table) -> pa.Array:
    """The tenants of whom a counter differs from what is stored, in order."""
    due = pc.add(table["warehouse_micro"], table["beyond_window_micro"])
    tenants = pc.unique(table["tenant"].filter(pc.not_equal(table["counter_micro"], due)))
    return tenants.take(pc.sort_indices(tenants))


def counted_positions(client: Client) -> Vector:
    """The counters' positions whose rows are all in the `counters` table."""
    rows = ask(client, "counted")
    return Vector({(epoch, partition): offset for partition, epoch, offset in rows})


def _behind(landed: Vector, reached: Vector) -> dict[int, int]:
    """Records to land until the counters are reached, by partition; earlier topics are drained."""
    live = max((epoch for epoch, _ in landed), default=0)
    return {p: n for (epoch, p), n in landed.behind(reached).items() if epoch >= live}


def _landed_at(landed: Vector, epoch: int, partition: int) -> int:
    """The position up to which a partition has landed; an earlier topic has to its end."""
    if any(later > epoch for later, _ in landed):
        return position(epoch + 1, 0)
    return position(epoch, landed[epoch, partition])
