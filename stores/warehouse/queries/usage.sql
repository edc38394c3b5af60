-- A month's usage by tenant, meter and segment, as of a cut: `keys` and `ends` are the vector, a
-- key being epoch << 16 | partition; a partition that is not in it counts as read up to 0.
SELECT
    u.tenant AS tenant,
    u.meter AS meter,
    toInt32(arrayCount(bound -> bound <= u.time, b.bounds)) AS segment,
    toInt64(sum(u.value) * 1000000) AS quantity_micro,
    toInt64(count()) AS events
FROM
(
    SELECT
        tenant,
        meter,
        time,
        value
    FROM metered_usage FINAL
    WHERE time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
        AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
        AND offset < transform(
            bitOr(bitShiftLeft(toUInt32(epoch), 16), toUInt32(partition)),
            {keys:Array(UInt32)},
            {ends:Array(UInt64)},
            toUInt64(0)
        )
) AS u
LEFT ANY JOIN
(
    SELECT
        tenant,
        bounds
    FROM closing_bounds
    WHERE slice = {slice:String}
) AS b ON u.tenant = b.tenant
GROUP BY tenant, meter, segment
ORDER BY tenant, meter, segment
SETTINGS do_not_merge_across_partitions_select_final = 1
