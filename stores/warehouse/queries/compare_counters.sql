-- Every counter of a month beside the warehouse, each as of the position that its row stands for.
-- `partitions` and `reached` are the counters' complete positions (epoch << 48 | offset), read
-- before this statement: a row that is newer than they carries its own position, a row that is
-- older has not changed since. `counters` is read once, so its figures are of one moment.
-- A repeat was counted when its last delivery lies two buckets of `dedupe_window` offsets back or
-- more, or in another epoch: it is in the counter again, and once only in the warehouse.
WITH
    transform(
        toUInt32(u.partition), {partitions:Array(UInt32)}, {reached:Array(UInt64)}, toUInt64(0)
    ) AS complete,
    u.epoch < {current_epoch:UInt16} OR u.position < greatest(c.reached, complete) AS counted
SELECT
    tenant,
    meter,
    toInt64(any(c.used) * 1000000) AS counter_micro,
    toInt64(sumIf(u.value, NOT u.repeat AND counted) * 1000000) AS warehouse_micro,
    toInt64(sumIf(u.value, u.repeat AND counted) * 1000000) AS beyond_window_micro
FROM
(
    SELECT
        tenant,
        toString(meter) AS meter,
        value,
        partition,
        position,
        epoch,
        false AS repeat
    FROM metered_usage FINAL
    WHERE time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
        AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
    UNION ALL
    SELECT
        tenant,
        toString(metered) AS meter,
        quantity AS value,
        partition,
        position,
        epoch,
        true AS repeat
    FROM
    (
        SELECT
            tenant,
            meters,
            quantities,
            partition,
            position,
            epoch,
            offset,
            lagInFrame(toNullable(position)) OVER (
                PARTITION BY tenant, event_key
                ORDER BY position, item
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS previous
        FROM usage_events
        WHERE time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
            AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
            AND (tenant, event_key) IN
            (
                SELECT
                    tenant,
                    event_key
                FROM usage_events
                WHERE time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
                    AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
                GROUP BY tenant, event_key
                HAVING min(ver) != max(ver)
            )
    )
    ARRAY JOIN
        meters AS metered,
        quantities AS quantity
    WHERE previous IS NOT NULL
        AND
        (
            bitShiftRight(previous, 48) != epoch
            OR intDiv(bitAnd(previous, 281474976710655), {dedupe_window:UInt64}) + 1
                < intDiv(offset, {dedupe_window:UInt64})
        )
) AS u
FULL JOIN
(
    SELECT
        tenant,
        toString(meter) AS meter,
        used,
        bitOr(bitShiftLeft(toUInt64(epoch), 48), position) AS reached
    FROM counters FINAL
    WHERE window_kind = 'billing_period'
        AND window_start = fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
) AS c USING (tenant, meter)
GROUP BY tenant, meter
ORDER BY tenant, meter
SETTINGS
    do_not_merge_across_partitions_select_final = 1,
    optimize_aggregation_in_order = 1,
    join_use_nulls = 0
