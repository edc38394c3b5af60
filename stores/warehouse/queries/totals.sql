-- A month's usage by tenant and meter from the deliveries themselves: the first delivery of each
-- event, found by grouping and not by the engine. Shares no table with usage.sql. Of a delivery that
-- was written again for a new meter, the row with more meters counts.
SELECT
    tenant,
    meter,
    toInt64(sum(quantity) * 1000000) AS quantity_micro
FROM
(
    SELECT
        tenant,
        argMin((meters, quantities), (position, item, -length(meters))) AS first
    FROM usage_events
    WHERE time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
        AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
        AND offset < transform(
            bitOr(bitShiftLeft(toUInt32(epoch), 16), toUInt32(partition)),
            {keys:Array(UInt32)},
            {ends:Array(UInt64)},
            toUInt64(0)
        )
    GROUP BY tenant, event_key
)
ARRAY JOIN
    first.1 AS meter,
    first.2 AS quantity
GROUP BY tenant, meter
SETTINGS optimize_aggregation_in_order = 1
