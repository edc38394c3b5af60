-- Of the events of a tenant's meter over [start, end) (see line_events.sql): how many are within what is
-- included and how many beyond it, in whole or in part, and so much of each. It needs their order.
SELECT
    toInt64(countIf(own != over)) AS included_events,
    sum(own - over) AS included_micro,
    toInt64(countIf(over != 0)) AS beyond_events,
    sum(over) AS beyond_micro
FROM
(
    SELECT
        own,
        sum(own) OVER (
            ORDER BY time, event_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS reached_micro,
        greatest(toInt64(0), reached_micro - {left_micro:Int64})
            - greatest(toInt64(0), reached_micro - own - {left_micro:Int64}) AS over
    FROM
    (
        SELECT
            reinterpretAsInt64(value) AS own,
            time,
            event_key
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
)
SETTINGS do_not_merge_across_partitions_select_final = 1
