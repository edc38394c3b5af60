-- The events of a tenant's meter over [start, end), as of a cut (see usage.sql), by time: the order in
-- which they use up `left_micro`, what is left of what is included. All in 1e-6 units. Those before another
-- cut (`after_keys`, `after_ends`) are left out.
SELECT
    tenant,
    meter,
    source,
    id,
    event_key,
    time_ms,
    quantity_micro,
    quantity_micro - beyond_micro AS included_micro,
    beyond_micro,
    dimension,
    member,
    epoch,
    partition,
    offset,
    item,
    arrived_ms
FROM
(
    SELECT
        *,
        sum(quantity_micro) OVER (
            ORDER BY time_ms, event_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS reached_micro,
        if(
            {is_unlimited:Bool},
            toInt64(0),
            greatest(toInt64(0), reached_micro - {left_micro:Int64})
                - greatest(toInt64(0), reached_micro - quantity_micro - {left_micro:Int64})
        ) AS beyond_micro
    FROM
    (
        SELECT
            metered_usage.tenant AS tenant,
            toString(metered_usage.meter) AS meter,
            toString(metered_usage.source) AS source,
            metered_usage.id AS id,
            lower(hex(metered_usage.event_key)) AS event_key,
            toUnixTimestamp64Milli(metered_usage.time) AS time_ms,
            reinterpretAsInt64(metered_usage.value) AS quantity_micro,
            toString(metered_usage.dimension) AS dimension,
            metered_usage.member AS member,
            toInt32(metered_usage.epoch) AS epoch,
            toInt32(metered_usage.partition) AS partition,
            toInt64(metered_usage.offset) AS offset,
            toInt32(metered_usage.item) AS item,
            toUnixTimestamp64Milli(metered_usage.arrived) AS arrived_ms
        FROM metered_usage FINAL
        PREWHERE metered_usage.tenant = {tenant:String}
            AND metered_usage.meter = {meter:String}
        WHERE metered_usage.time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
            AND metered_usage.time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
            AND metered_usage.offset < transform(
                bitOr(bitShiftLeft(toUInt32(metered_usage.epoch), 16), toUInt32(metered_usage.partition)),
                {keys:Array(UInt32)},
                {ends:Array(UInt64)},
                toUInt64(0)
            )
            AND metered_usage.offset >= transform(
                bitOr(bitShiftLeft(toUInt32(metered_usage.epoch), 16), toUInt32(metered_usage.partition)),
                {after_keys:Array(UInt32)},
                {after_ends:Array(UInt64)},
                toUInt64(0)
            )
            AND NOT metered_usage.is_left_out
            AND (NOT {is_one_value:Bool} OR metered_usage.dimension = {value:String})
    )
)
ORDER BY time_ms, event_key
SETTINGS do_not_merge_across_partitions_select_final = 1
