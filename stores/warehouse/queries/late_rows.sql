-- What tenants used of `meters` in a period in the log beyond one cut and before another (see
-- late.sql), by tenant and meter; quantities are the events' own, whatever the meter makes of them. An event that
-- several meters read is one of the `own_events` of the first of them alone.
SELECT
    tenant,
    toString(meter) AS meter,
    toInt64(count()) AS events,
    toInt64(countIf(nth = 1)) AS own_events,
    toInt64(clamp(sum(value) * 1000000, -9223372036854775807, 9223372036854775807)) AS quantity_micro,
    toUnixTimestamp64Milli(min(arrived)) AS first_arrived_ms,
    toUnixTimestamp64Milli(max(arrived)) AS last_arrived_ms,
    max(toUnixTimestamp64Milli(arrived) - toUnixTimestamp64Milli(time)) AS longest_ms
FROM
(
    SELECT
        tenant,
        meter,
        value,
        arrived,
        time,
        row_number() OVER (PARTITION BY tenant, event_key, toYYYYMM(time) ORDER BY meter) AS nth
    FROM metered_usage FINAL
    WHERE time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
        AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
        AND tenant IN (SELECT tenant FROM closing_bounds WHERE slice = {slice:String})
        AND has({meters:Array(String)}, meter)
        AND offset >= transform(
            bitOr(bitShiftLeft(toUInt32(epoch), 16), toUInt32(partition)),
            {keys:Array(UInt32)},
            {ends:Array(UInt64)},
            toUInt64(0)
        )
        AND offset < transform(
            bitOr(bitShiftLeft(toUInt32(epoch), 16), toUInt32(partition)),
            {until_keys:Array(UInt32)},
            {until_ends:Array(UInt64)},
            toUInt64(0)
        )
        AND NOT is_left_out
)
GROUP BY tenant, meter
ORDER BY tenant, meter
SETTINGS do_not_merge_across_partitions_select_final = 1
