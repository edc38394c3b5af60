"""A made-up month of many tenants in a real warehouse and a real ledger, for `benchmarks.closing`.

The subscriptions and the usage are those of `benchmarks.rating`: five meters for each tenant, each
used once in each plan, a tenth of the tenants with a change of plan. Other months are filled with
as much, so that a statement which reads more than its month is seen. Rows are made by the stores
themselves and not by landing or commands: that is not what is measured.
"""

from contextlib import closing
from itertools import islice

from clickhouse_connect.driver.client import Client

from benchmarks.rating import METERS, MONTH, price_list, subscription_of
from pipelines.catalog import catalog_file
from schemas.period import BillingPeriod
from schemas.vector import Vector
from stores import ledger
from stores.warehouse.client import migrate

PARTITIONS = 8
CUT = Vector({(1, partition): 2**40 for partition in range(PARTITIONS)})
CHUNK = 50_000

_EVENTS = """
INSERT INTO usage_events (
    tenant, source, id, type, time, data, model, meters, quantities, left_out, repeated, partition,
    ver, item, arrived
)
SELECT
    concat('tenant-', leftPad(toString(ordinal), 7, '0')),
    'benchmark',
    concat({month:String}, '-', {segment:String}, '-', toString(number)),
    meter,
    at,
    '{}',
    'm',
    [meter],
    [toDecimal64(quantity, 6)],
    [],
    false,
    ordinal % 8,
    bitNot(bitOr(bitShiftLeft(toUInt64(1), 48), {first:UInt64} + number)),
    0,
    at
FROM
(
    SELECT
        number,
        toUInt64(intDiv(number, 5) * {step:UInt64}) AS ordinal,
        number % 5 AS place,
        {names:Array(String)}[place + 1] AS meter,
        (ordinal * 7919 + place * 104729 + {segment:UInt64} * 1299709) % 1000000 AS quantity,
        fromUnixTimestamp64Milli(
            {start_ms:Int64} + if({segment:UInt64} = 1, 0, (1 + ordinal * 7 % 2600000) * 1000),
            'UTC'
        ) AS at
    FROM numbers({events:UInt64})
)
"""
_COUNTERS = """
INSERT INTO counters
SELECT
    tenant, meter, 'billing_period',
    fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC'),
    fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC'),
    sum(value), NULL, 'allow', 1, 1, 1099511627776, any(partition),
    rowNumberInAllBlocks() + 1, false
FROM metered_usage FINAL
WHERE time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
GROUP BY tenant, meter
"""
_POSITIONS = """
INSERT INTO counter_positions
SELECT number, 1, 1099511627776, 0, 1, 1 FROM numbers(8)
"""


def fill_warehouse(client: Client, tenants: int, months: int) -> None:
    """The month and those before it, so many in all; what meters make of events comes with them."""
    migrate(client)
    period = MONTH
    for ordinal in range(months):
        for segment, step in ((1, 1), (2, 10)):
            asked = {
                "month": period.key,
                "segment": segment,
                "step": step,
                "first": (2 * ordinal + segment) * 10 * tenants,
                "events": 5 * -(-tenants // step),
                "names": list(METERS),
                "start_ms": period.start_ms,
            }
            client.command(_EVENTS, parameters=asked)
        period = BillingPeriod.month_of(period.start_ms - 1)
    span = {"start_ms": MONTH.start_ms, "end_ms": MONTH.end_ms}
    client.command(_COUNTERS, parameters=span)
    client.command(_POSITIONS)


def fill_ledger(url: str, tenants: int) -> None:
    """The price list and a subscription for each tenant."""
    ledger.migrate(url)
    with closing(ledger.connect(url)) as books:
        version, _ = books.apply_catalog(catalog_file.canonical(price_list()), MONTH.start_ms)
        books.mark_rolled_out(version, MONTH.start_ms)
        every = (subscription_of(ordinal) for ordinal in range(tenants))
        while chunk := list(islice(every, CHUNK)):
            books.save_subscriptions(chunk, MONTH.end_ms, "benchmark")
