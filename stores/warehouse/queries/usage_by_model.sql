-- What tenants used of each model in a period by some meters that add up, as of a cut: `keys` and
-- `ends` are the vector, as in usage.sql.
SELECT
    tenant,
    model,
    meter,
    toInt64(clamp(sum(value) * 1000000, -9223372036854775807, 9223372036854775807)) AS quantity_micro
FROM metered_usage FINAL
WHERE time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
    AND has({meters:Array(String)}, meter)
    AND offset < transform(
        bitOr(bitShiftLeft(toUInt32(epoch), 16), toUInt32(partition)),
        {keys:Array(UInt32)},
        {ends:Array(UInt64)},
        toUInt64(0)
    )
    AND NOT is_left_out
GROUP BY tenant, model, meter
ORDER BY tenant, model, meter
SETTINGS do_not_merge_across_partitions_select_final = 1
