-- A month's usage by tenant and meter of meters that do not add up, from the deliveries themselves
-- (see totals.sql). Shares no table with usage_running.sql and knows no segments.
WITH transform(meter, {meters:Array(String)}, {aggregations:Array(String)}, '') AS aggregation
SELECT
    tenant,
    toString(metered) AS meter,
    accurateCast(
        multiIf(
            aggregation = 'max', toInt128(toDecimal128(max(quantity), 6) * 1000000),
            aggregation = 'min', toInt128(toDecimal128(min(quantity), 6) * 1000000),
            aggregation = 'latest', toInt128(toDecimal128(argMax(quantity, first.4), 6) * 1000000),
            aggregation = 'unique_count', toInt128(length(groupUniqArray(member))) * 1000000,
            -- Twice the magnitude of the average, and half of it rounded up.
            toInt128(sign(sum(quantity))) * toInt128(
                intDiv(intDiv(toInt128(abs(sum(quantity)) * 2000000), count()) + 1, 2)
            )
        ),
        'Int64'
    ) AS quantity_micro
FROM
(
    SELECT
        tenant,
        argMin(
            (meters, quantities, members, (usage_events.time, position, item)),
            (position, item, -length(meters) - length(left_out))
        ) AS first
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
    GROUP BY tenant, event_key, toYYYYMM(usage_events.time)
)
ARRAY JOIN
    first.1 AS metered,
    first.2 AS quantity,
    first.3 AS member
WHERE metered IN {meters:Array(String)}
    AND first.4.1 >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND first.4.1 < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
GROUP BY tenant, meter
SETTINGS optimize_aggregation_in_order = 1
