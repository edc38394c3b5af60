"""How fast a line of a tenant with a million events is explained, beside a naive scan of the month.

    python -m benchmarks.explain --clickhouse http://… --events 1000000

Makes one large tenant among many small ones, with as many events again, in three months.
Explaining asks for count, sum and digest, and for the split at the end of what is included. The
naive way reads every event of the month as rows and adds up the tenant's in Python. Both must say
the same. Times are of whole questions over HTTP, the median of five.
"""

import argparse
import hashlib
import time
from collections.abc import Callable
from uuid import uuid4

from clickhouse_connect.driver.client import Client

from schemas.evidence import EventsOf, Evidence, digest
from schemas.period import BillingPeriod
from schemas.vector import Vector
from stores.warehouse.client import connect, migrate
from stores.warehouse.events import WarehouseEvents

MONTHS = ("2026-09", "2026-10", "2026-11")
OCTOBER = BillingPeriod.month("2026-10")
CUT = Vector({(1, 0): 2**40})
REPEATS = 5

FILL = """
INSERT INTO metered_usage (
    tenant, event_key, meter, value, member, dimension, is_left_out, model, type, source, id, time,
    partition, ver, item, arrived
)
SELECT
    if(number % 2 = 0, 'large', concat('small-', toString(number % 20001))) AS tenant,
    sipHash128Reference(toString(number), {month:String}) AS event_key,
    'tokens' AS meter,
    toDecimal64(number % 997 + 1, 6) AS value,
    '' AS member,
    '' AS dimension,
    false AS is_left_out,
    'm' AS model,
    'llm.request' AS type,
    'bench' AS source,
    toString(number) AS id,
    fromUnixTimestamp64Milli({start_ms:Int64} + number * 997 % {span_ms:Int64}, 'UTC') AS time,
    0 AS partition,
    bitNot(bitOr(bitShiftLeft(toUInt64(1), 48), number)) AS ver,
    0 AS item,
    time AS arrived
FROM numbers({events:UInt64})
"""


def main() -> None:
    """Make the months, ask both ways, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clickhouse", required=True)
    parser.add_argument("--events", type=int, default=1_000_000, help="of the large tenant a month")
    given = parser.parse_args()
    name = f"explain_{uuid4().hex}"
    with connect(given.clickhouse) as admin:
        admin.command(f"CREATE DATABASE {name}")
        try:
            with connect(given.clickhouse.rpartition("/")[0] + f"/{name}") as client:
                _measure(client, given.events)
        finally:
            admin.command(f"DROP DATABASE {name}")


def _measure(client: Client, events: int) -> None:
    migrate(client)
    for month in MONTHS:
        period = BillingPeriod.month(month)
        span = {"start_ms": period.start_ms, "span_ms": period.duration_ms}
        client.command(FILL, parameters={"month": month, "events": 2 * events, **span})
    reader = WarehouseEvents(client)
    whole = EventsOf("large", "tokens", OCTOBER, CUT)
    total = reader.evidence(whole)
    split = EventsOf("large", "tokens", OCTOBER, CUT, left_micro=total.quantity_micro // 2)
    small = EventsOf("small-1", "tokens", OCTOBER, CUT)
    print(f"{total.events:,} events of the tenant, {2 * events:,} a month, {len(MONTHS)} months")
    print(f"count, sum and digest        {_median(lambda: reader.evidence(whole)):6.3f} s")
    print(f"the same, split at the pool  {_median(lambda: reader.evidence(split)):6.3f} s")
    print(f"a small tenant               {_median(lambda: reader.evidence(small)):6.3f} s")
    began = time.perf_counter()
    naive = _naive(client)
    print(f"naive scan of the month      {time.perf_counter() - began:6.3f} s")
    if naive != (total.events, total.quantity_micro, total.digest):
        raise SystemExit("both ways should say the same")


def _median(ask: Callable[[], Evidence]) -> float:
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - began)
    return sorted(taken)[REPEATS // 2]


def _naive(client: Client) -> tuple[int, int, str]:
    """Every event of the month as rows, and the tenant's added up one by one."""
    events, micro, halves = 0, 0, [0, 0]
    statement = """
        SELECT tenant, lower(hex(event_key)), toUnixTimestamp64Milli(time),
            reinterpretAsInt64(value), dimension, member
        FROM metered_usage FINAL
        WHERE toYYYYMM(time) = 202610
        SETTINGS do_not_merge_across_partitions_select_final = 1
    """
    with client.query_rows_stream(statement) as rows:
        for tenant, *told in rows:
            if tenant == "large":
                hashed = hashlib.sha256("\t".join(map(str, told)).encode()).digest()
                events, micro = events + 1, micro + told[2]
                halves[0] += int.from_bytes(hashed[:8])
                halves[1] += int.from_bytes(hashed[8:16])
    return events, micro, digest((halves[0], halves[1]))


if __name__ == "__main__":
    main()
