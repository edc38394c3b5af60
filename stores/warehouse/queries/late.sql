-- Tenants with usage of a period in the log beyond one cut and before another: `keys` and `ends`,
-- `until_keys` and `until_ends` are vectors as in usage.sql. A resend of what was counted is among
-- them: what is found here is only computed again.
SELECT DISTINCT tenant
FROM metered_usage
WHERE time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
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
