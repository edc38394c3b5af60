-- What the events of line_events.sql add up to, and the two sums of their digest (schemas.evidence).
SELECT
    toInt64(count()) AS events,
    sum(own) AS quantity_micro,
    sum(reinterpretAsUInt64(reverse(substring(hashed, 1, 8)))) AS first_half,
    sum(reinterpretAsUInt64(reverse(substring(hashed, 9, 8)))) AS second_half
FROM
(
    SELECT
        reinterpretAsInt64(value) AS own,
        SHA256(concat(
            lower(hex(event_key)), '\t',
            toString(toUnixTimestamp64Milli(time)), '\t',
            toString(own), '\t',
            dimension, '\t',
            member
        )) AS hashed
    FROM metered_usage FINAL
    PREWHERE tenant = {tenant:String} AND meter = {meter:String}
    WHERE time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
        AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
        AND offset < transform(
            bitOr(bitShiftLeft(toUInt32(epoch), 16), toUInt32(partition)),
            {keys:Array(UInt32)},
            {ends:Array(UInt64)},
            toUInt64(0)
        )
        AND offset >= transform(
            bitOr(bitShiftLeft(toUInt32(epoch), 16), toUInt32(partition)),
            {after_keys:Array(UInt32)},
            {after_ends:Array(UInt64)},
            toUInt64(0)
        )
        AND NOT is_left_out
        AND (NOT {is_one_value:Bool} OR dimension = {value:String})
)
SETTINGS do_not_merge_across_partitions_select_final = 1
