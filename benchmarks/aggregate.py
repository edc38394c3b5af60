"""How fast a month of events is added up exactly, beside sums that count repeats.

    python -m benchmarks.aggregate --clickhouse http://… --rows 100000000

Fills `metered_usage` with a month in which two rows of a hundred are repeats of events that landed
long before, in parts that are not merged; one tenant of a hundred thousand has a hundredth of all.
The close's own reader adds it up as of a cut; the sums without telling repeats apart are what any
reading of the rows costs. Then a tenant's month by day, as a page asks for it: added up, and kept.
"""

import argparse
import time
from collections.abc import Callable
from itertools import count
from uuid import uuid4

from clickhouse_connect.driver.client import Client

from pipelines.usage.usage_reading import bounds_of
from schemas.period import BillingPeriod
from schemas.vector import Vector
from stores.warehouse.by_day import fill_by_day
from stores.warehouse.client import connect, migrate
from stores.warehouse.usage import WarehouseUsage

OCTOBER = BillingPeriod.month("2026-10")
TENANTS = 100_000
LARGE = "tenant-large"
PART_ROWS = 7_000_000
CUT = Vector({(1, 0): 2**40})

FILL = """
INSERT INTO metered_usage (
    tenant, event_key, meter, value, member, dimension, is_left_out, model, type, source, id, time,
    partition, ver, item, arrived
)
SELECT
    if(event % 100 = 7, {large:String}, concat('tenant-', toString(event % {tenants:UInt64}))),
    reinterpretAsFixedString(toUInt128(sipHash64(event)) * 18446744073709551557 + event),
    ['api_calls', 'images', 'messages', 'storage', 'tokens'][1 + event % 5],
    toDecimal64(event % 997 + 1, 6),
    '', '', false, 'm', 'request', 'benchmark',
    toString(event),
    fromUnixTimestamp64Milli({start_ms:Int64} + event * 997 % {span_ms:Int64}, 'UTC') AS at,
    0,
    bitNot(bitOr(bitShiftLeft(toUInt64(1), 48), row)),
    0,
    at
FROM
(
    -- Two of a hundred come again, a part's length after the first time.
    SELECT
        number + {first:UInt64} AS row,
        if(row % 50 = 49 AND row >= {apart:UInt64}, row - {apart:UInt64} - 1, row) AS event
    FROM numbers({rows:UInt64})
)
SETTINGS
    max_block_size = 1000000,
    min_insert_block_size_rows = 7000000,
    min_insert_block_size_bytes = 0,
    max_insert_threads = 1
"""
COUNTED_TWICE = """
SELECT tenant, meter, sum(value), count()
FROM metered_usage
WHERE time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
GROUP BY tenant, meter
FORMAT Null
"""
PAGE = """
SELECT day, meter, quantity, events
FROM {days:Identifier}
WHERE tenant = {tenant:String} AND day >= '2026-10-01' AND day < '2026-11-01'
ORDER BY day, meter
"""


def main() -> None:
    """Fill a database of its own, add it up in every way, drop it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--clickhouse", required=True)
    parser.add_argument("--rows", type=int, default=20_000_000)
    given = parser.parse_args()
    name = f"aggregate_{uuid4().hex}"
    with connect(given.clickhouse) as admin:
        admin.command(f"CREATE DATABASE {name}")
        try:
            with connect(given.clickhouse.rpartition("/")[0] + f"/{name}") as client:
                _fill(client, given.rows)
                _measure(client)
        finally:
            admin.command(f"DROP DATABASE {name}")


def _fill(client: Client, rows: int) -> None:
    migrate(client)
    client.command("SYSTEM STOP MERGES metered_usage")
    began = time.perf_counter()
    span = {"start_ms": OCTOBER.start_ms, "span_ms": OCTOBER.duration_ms}
    for first in range(0, rows, PART_ROWS):
        part = {"first": first, "rows": min(PART_ROWS, rows - first), "apart": PART_ROWS}
        client.command(FILL, parameters={"large": LARGE, "tenants": TENANTS, **part, **span})
    told = (
        "SELECT sum(rows), count() FROM system.parts WHERE active AND database = currentDatabase()"
    )
    [[stored, parts]] = client.query(f"{told} AND table = 'metered_usage'").result_rows
    print(f"{stored:,} rows in {parts} parts, filled in {time.perf_counter() - began:.0f} s")


def _measure(client: Client) -> None:
    reader = WarehouseUsage(client, dedupe_window=100_000)
    bounds = {f"tenant-{n}": (OCTOBER.start_ms, OCTOBER.end_ms) for n in range(TENANTS)}
    bounds[LARGE] = (OCTOBER.start_ms, OCTOBER.end_ms)
    span = {"start_ms": OCTOBER.start_ms}
    _timed("exact, in unmerged parts", lambda: reader.usage(OCTOBER, CUT, bounds_of(bounds), []))
    _timed("repeats counted twice", lambda: client.command(COUNTED_TWICE, parameters=span))
    small = (f"tenant-{n}" for n in count(10))
    _timed("page of a tenant", lambda: _page(client, next(small)), 5)
    _timed("page of the largest", lambda: _page(client, LARGE), 5)
    _timed("all days kept", lambda: fill_by_day(client, OCTOBER, 0))
    _timed("page of the largest, kept", lambda: _page(client, LARGE, "usage_by_day"), 5)
    client.command("SYSTEM START MERGES metered_usage")
    client.command("OPTIMIZE TABLE metered_usage FINAL")
    _timed("exact, merged", lambda: reader.usage(OCTOBER, CUT, bounds_of(bounds), []))
    _timed("page of the largest, merged", lambda: _page(client, LARGE), 5)


def _page(client: Client, tenant: str, days: str = "usage_daily") -> None:
    client.query(PAGE, parameters={"tenant": tenant, "days": days})


def _timed(name: str, work: Callable[[], object], times: int = 1) -> None:
    """Print the median."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    print(f"{name:<30}{sorted(taken)[times // 2]:>9.3f} s", flush=True)


if __name__ == "__main__":
    main()
