-- A month's usage by tenant and meter from the deliveries themselves: the first delivery of each
-- event, found by its order and not by the engine. Shares no table with usage.sql. Of a delivery that
-- was written again for a new meter, the row with more meters counts. It adds up; `others` are the
-- meters that do not: totals_running.sql and totals_gauges.sql.
SELECT
    tenant,
    toString(metered) AS meter,
    toInt64(clamp(sum(quantity) * 1000000, -9223372036854775807, 9223372036854775807)) AS quantity_micro
FROM
(
    SELECT
        tenant,
        meters,
        quantities,
        time
    FROM usage_events
    WHERE toYYYYMM(time) >= toYYYYMM(fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC'))
        AND toYYYYMM(time) <= toYYYYMM(fromUnixTimestamp64Milli({end_ms:Int64} - 1, 'UTC'))
        AND (NOT {is_chosen:Bool} OR tenant IN (SELECT tenant FROM closing_bounds WHERE slice = {slice:String}))
        AND offset < transform(
            bitOr(bitShiftLeft(toUInt32(epoch), 16), toUInt32(partition)),
            {keys:Array(UInt32)},
            {ends:Array(UInt64)},
            toUInt64(0)
        )
    ORDER BY tenant, event_key, position, item, length(meters) + length(left_out) DESC
    LIMIT 1 BY tenant, event_key, toYYYYMM(time)
)
ARRAY JOIN
    meters AS metered,
    quantities AS quantity
WHERE NOT has({others:Array(String)}, metered)
    AND time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
GROUP BY tenant, meter
