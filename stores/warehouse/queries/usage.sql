-- A month's usage by tenant, meter, segment and value, as of a cut: `keys` and `ends` are the vector,
-- a key being epoch << 16 | partition; a partition that is not in it counts as read up to 0.
-- More than can be said is said to be as much: see schemas.quantity.MOST_MICRO.
-- It adds up; `others` are the meters that do not: usage_running.sql and usage_gauges.sql.
SELECT
    u.tenant AS tenant,
    u.meter AS meter,
    toInt32(arrayCount(bound -> bound <= u.time, b.bounds)) AS segment,
    u.dimension AS value,
    toInt64(clamp(sum(u.quantity) * 1000000, -9223372036854775807, 9223372036854775807)) AS quantity_micro,
    toInt64(count()) AS events
FROM
(
    SELECT
        tenant,
        meter,
        dimension,
        time,
        value AS quantity
    FROM metered_usage FINAL
    WHERE time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
        AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
        AND (NOT {is_chosen:Bool} OR tenant IN (SELECT tenant FROM closing_bounds WHERE slice = {slice:String}))
        AND offset < transform(
            bitOr(bitShiftLeft(toUInt32(epoch), 16), toUInt32(partition)),
            {keys:Array(UInt32)},
            {ends:Array(UInt64)},
            toUInt64(0)
        )
        AND NOT is_left_out
        AND NOT has({others:Array(String)}, meter)
) AS u
LEFT ANY JOIN
(
    SELECT
        tenant,
        bounds
    FROM closing_bounds
    WHERE slice = {slice:String}
) AS b ON u.tenant = b.tenant
GROUP BY tenant, meter, segment, value
SETTINGS do_not_merge_across_partitions_select_final = 1
