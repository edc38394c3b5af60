"""Every kind of window and meter: what a shard counts, and what the warehouse makes of the log."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count

import pytest
from clickhouse_connect.driver.client import Client
from msgspec import structs

from pipelines.admission.admission import Admission
from schemas.catalog import Catalog
from schemas.closing import CounterComparison
from schemas.entitlement import Entitlements
from schemas.period import BillingPeriod, format_instant, parse_instant
from schemas.quantity import MICRO
from schemas.quota import POSITION_KEY, StatePosition, WindowKind
from schemas.vector import Vector
from stores.warehouse.usage import WarehouseUsage
from streams.counting.rows import decode_state, encode
from streams.counting.shard import Shard
from streams.landing.batches import Deliveries, judge, usage_table
from streams.landing.landed_counters import counters_table, positions_table, read_counters
from tests.integration.stores.test_compare_counters import Landed
from tests.unit.streams.builders import (
    ARecord,
    a_record,
    a_shard,
    a_wide_catalog,
    an_event,
    entitled,
    limits,
)

pytestmark = pytest.mark.integration

WINDOW = 20
MONTHS = [BillingPeriod.month(key) for key in ("2026-09", "2026-10", "2026-11", "2026-12")]
BEGIN_MS = parse_instant("2026-10-10T00:00:00Z")
SPAN_MS = 30 * 86_400_000


@dataclass(frozen=True)
class Sent:
    """A record of a topic, as landing's consumer gives it."""

    record: ARecord
    place: int
    name: str = "usage.events"

    def __len__(self) -> int:
        return len(self.record.value or b"")

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return self.name

    def partition(self) -> int:
        return self.place

    def offset(self) -> int:
        return self.record.offset

    def key(self) -> bytes | None:
        return self.record.key

    def value(self) -> bytes | None:
        return self.record.value

    def timestamp(self) -> tuple[int, int]:
        return (2, self.record.timestamp)

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return None

    def set_headers(self, value: list[tuple[str, bytes | None]]) -> None: ...


@dataclass
class World:
    """One partition's log, a shard that counts it, and a warehouse that both are landed in."""

    client: Client
    catalog: Catalog
    seed: int
    log: list[ARecord] = field(default_factory=list)
    _offsets: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311  the same log every time
        self.shard: Shard = a_shard(WINDOW, catalog=self.catalog)
        self.admission = Admission(self.catalog, None, None, 65_536)

    def write(self, records: int) -> list[ARecord]:
        """New records: some events again, some in arrays, some at the same instant."""
        written = []
        for _ in range(records):
            events = [self._event() for _ in range(self.random.choice([1, 1, 1, 3]))]
            tenant = events[0]["subject"]
            same = [{**event, "subject": tenant} for event in events]
            written.append(a_record(len(self.log), *same))
            self.log.append(written[-1])
        return written

    def _event(self) -> dict[str, object]:
        known = self.random.randrange(150)
        chosen = random.Random(known)  # noqa: S311  an id stands for one event, mostly
        at_ms = BEGIN_MS + chosen.randrange(SPAN_MS) // 3_600_000 * 3_600_000
        value = chosen.choice([0, 1, 2.5, 9, -3])
        if self.random.random() < 0.05:
            value += 1  # sent again with another content
        event = an_event(known, value, f"t{known % 4}", format_instant(at_ms))
        if self.random.random() < 0.02:
            event = {**event, "time": format_instant(at_ms + 31 * 86_400_000)}
        if known % 3 == 0:
            return {**event, "type": "seat", "data": {"user": f"u{chosen.randrange(8)}"}}
        return event

    def count(self, records: Sequence[ARecord]) -> None:
        """Let the shard count them, and land its rows as they are written then."""
        self.shard.apply(records)
        self.land_rows()

    def land_rows(self) -> None:
        changes = self.shard.changes()
        place = StatePosition(1, changes.position, 0, 1, complete=True)
        rows = [*changes.rows, (POSITION_KEY, encode(place))]
        self.land_states(rows)

    def land_states(self, rows: Sequence[tuple[bytes, bytes | None]]) -> None:
        sent = [Sent(ARecord(next(self._offsets), 0, k, v), 0, "quota.state") for k, v in rows]
        found = read_counters(sent, 1)
        self.client.insert_arrow("counters", counters_table(found))
        self.client.insert_arrow("counter_positions", positions_table(found))

    def land(self, records: Sequence[ARecord]) -> None:
        """Land usage."""
        found = Deliveries()
        judge([Sent(record, 0) for record in records], self.admission, found)
        self.client.insert_arrow("usage_events", usage_table(found, self.catalog, 1))

    def compare(self, landed: int) -> list[CounterComparison]:
        """All counters, landing having come to an offset."""
        usage = WarehouseUsage(self.client, WINDOW, 0)
        log = Landed(Vector({(1, 0): landed}))
        compared = [usage.compare_counters(month, self.catalog, log) for month in MONTHS]
        return [row for each in compared for row in each.rows]


@pytest.mark.parametrize("anniversary", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_no_counter_ever_differs_whoever_is_ahead(
    warehouse: Client, seed: int, anniversary: bool
) -> None:
    world = World(warehouse, a_wide_catalog(anniversary=anniversary), seed)
    landed = counted = 0
    for step in range(4):
        world.write(60)
        if anniversary and step == 1:
            for tenant in ("t1", "t2"):
                world.shard.apply_entitlements(anchored(tenant, 15), BEGIN_MS)
            world.land_rows()
        reached = world.random.randrange(counted, len(world.log) + 1)
        world.count(world.log[counted:reached])
        stored = world.random.randrange(landed, len(world.log) + 1)
        world.land(world.log[landed:stored])
        counted, landed = reached, world.random.randrange(landed, stored + 1)
        assert [row for row in world.compare(landed) if row.difference_micro] == []
        landed = stored
    world.count(world.log[counted:])
    world.land(world.log[landed:])
    rows = world.compare(len(world.log))
    assert [row for row in rows if row.difference_micro] == []
    assert {(row.meter, row.window_kind) for row in rows} == {
        (meter, kind) for meter in world.catalog.meters for kind in world.catalog.windows_of(meter)
    }
    assert any(row.beyond_window_micro for row in rows), "repeats beyond the window were sent"


def anchored(tenant: str, day: int) -> Entitlements:
    """A timeline whose billing periods begin on a day from the middle of October on."""
    return entitled(1, {"2026-10-20T00:00:00Z": limits(10**6)}, tenant=tenant, anchor_day=day)


@pytest.mark.parametrize(
    ("meter", "kind"),
    [
        ("tokens", "hour"),
        ("tokens", "day"),
        ("tokens", "week"),
        ("tokens", "billing_period"),
        ("peak", "day"),
        ("level", "billing_period"),
        ("seats", "billing_period"),
    ],
)
def test_a_wrong_counter_of_any_kind_is_told(
    warehouse: Client, meter: str, kind: WindowKind
) -> None:
    world = World(warehouse, a_wide_catalog(), seed=1)
    world.write(100)
    world.land(world.log)
    world.shard.apply(world.log)
    rows = dict(world.shard.changes().rows)
    key = next(k for k in rows if k.startswith(f'["t1","{meter}","{kind}"'.encode()))
    wrong = decode_state(rows[key] or b"")
    rows[key] = encode(structs.replace(wrong, used=str(Decimal(wrong.used) + 1)))
    world.land_states(list(rows.items()))
    [told] = [row for row in world.compare(len(world.log)) if row.difference_micro]
    assert (told.tenant, told.meter, told.window_kind) == ("t1", meter, kind)
    assert told.window_start_ms == parse_instant(wrong.window.start)
    assert told.difference_micro == MICRO


def test_counters_of_a_window_that_was_taken_back_are_not_compared(warehouse: Client) -> None:
    """A tenant's billing periods begin on another day from now on: October is none of them."""
    world = World(warehouse, a_wide_catalog(anniversary=True), seed=2)
    world.write(100)
    world.land(world.log)
    world.count(world.log)
    world.shard.apply_entitlements(
        entitled(1, {"2026-09-01T00:00:00Z": limits(10**6)}, tenant="t1", anchor_day=15), BEGIN_MS
    )
    world.land_rows()
    rows = world.compare(len(world.log))
    assert [row for row in rows if row.difference_micro] == []
    starts = {
        format_instant(row.window_start_ms)
        for row in rows
        if (row.tenant, row.window_kind) == ("t1", "billing_period")
    }
    assert starts == {"2026-09-15T00:00:00Z", "2026-10-15T00:00:00Z"}
