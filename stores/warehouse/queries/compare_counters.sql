-- The counters of a slice of `compared_counters` beside usage, each as of a position it stands for.
--
-- `partitions` and `cuts` (epoch << 48 | offset) are how far counters and landing have both come:
-- a counter written before its partition's cut has not changed since and stands for the cut, one
-- written after it stands for its own position, `reached`.
--
-- What a counter must hold follows from the log: the first delivery of an event, and a repeat when
-- the delivery before it lies two buckets of `dedupe_window` offsets back or more, or in another
-- epoch. A counter that was made anew holds what is stored up to there (`since`), and so on.
--
-- `piece`: 0 is a first delivery, stored and counted; 1 a forgotten repeat, counted; 2 stored, as
-- the first of its month, but not counted (`uncounted`). Firsts below the cut are
-- added up, by the longest part of time (`granules`) that a meter's windows consist of, before they
-- meet their counters. Of meters that do not add up, the same deliveries make their greatest, latest
-- or distinct values: what stands between `{others` and `}` is left out where all meters add up.
WITH
    deliveries AS
    (
        SELECT
            tenant,
            event_key,
            ver,
            item,
            time,
            meters,
            quantities,
            members,
            partition,
            position,
            epoch,
            lagInFrame(toNullable(position)) OVER (
                PARTITION BY tenant, event_key
                ORDER BY position, item, length(meters) + length(left_out) DESC
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS previous,
            lagInFrame(toNullable(position)) OVER (
                PARTITION BY tenant, event_key, toYYYYMM(time)
                ORDER BY position, item, length(meters) + length(left_out) DESC
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS previous_of_month,
            bitShiftRight(previous, 48) != epoch
                OR intDiv(bitAnd(previous, 281474976710655), {dedupe_window:UInt64}) + 1
                    < intDiv(offset, {dedupe_window:UInt64}) AS is_forgotten
        FROM usage_events
        WHERE time >= fromUnixTimestamp64Milli({repeats_start_ms:Int64}, 'UTC')
            AND time < fromUnixTimestamp64Milli({repeats_end_ms:Int64}, 'UTC')
            AND (empty({tenants:Array(String)}) OR tenant IN {tenants:Array(String)})
            AND (tenant, event_key) IN
            (
                SELECT
                    tenant,
                    event_key
                FROM usage_events
                WHERE time >= fromUnixTimestamp64Milli({repeats_start_ms:Int64}, 'UTC')
                    AND time < fromUnixTimestamp64Milli({repeats_end_ms:Int64}, 'UTC')
                    AND (empty({tenants:Array(String)}) OR tenant IN {tenants:Array(String)})
                GROUP BY tenant, event_key
                HAVING min(ver) != max(ver)
                    OR notEmpty({tenants:Array(String)}) AND min(toYYYYMM(time)) != max(toYYYYMM(time))
            )
    ),
    uncounted AS
    (
        -- Of the tenants that are looked at in all months: the same id came with a time in another
        -- month, at most two buckets of `dedupe_window` offsets before.
        SELECT
            tenant,
            ver,
            item
        FROM deliveries
        WHERE notEmpty({tenants:Array(String)})
            AND previous IS NOT NULL
            AND previous_of_month IS NULL
            AND NOT is_forgotten
    ),
    pieces AS
    (
        SELECT
            tenant,
            meter,
            transform(meter, {meters:Array(String)}, {granules:Array(String)}, '') AS granule,
            transform(meter, {meters:Array(String)}, {aggregations:Array(String)}, '') AS kind,
            multiIf(
                granule = 'hour', toStartOfHour(time),
                granule = 'day', toDateTime64(toStartOfDay(time), 3, 'UTC'),
                granule = 'month', toDateTime64(toStartOfMonth(time), 3, 'UTC'),
                time
            ) AS began,
            if(
                epoch < {current_epoch:UInt16}
                OR position < transform(
                    toUInt32(partition), {partitions:Array(UInt32)}, {cuts:Array(UInt64)}, 0
                ),
                0,
                position
            ) AS after,
            piece,
            if(piece = 0, 0, position) AS at,
            -- {others
            maxIf(value, kind = 'max') AS largest,
            maxIf((time, position, item), kind = 'latest') AS last,
            argMaxIf(value, (time, position, item), kind = 'latest') AS latest,
            uniqExactStateIf(member, kind = 'unique_count') AS seen,
            -- }
            sum(value) AS total
        FROM
        (
            SELECT
                tenant,
                meter,
                value,
                member,
                time,
                partition,
                position,
                item,
                epoch,
                if((tenant, ver, item) IN (SELECT tenant, ver, item FROM uncounted), 2, 0) AS piece
            FROM metered_usage FINAL
            WHERE NOT is_left_out
                AND time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
                AND time < fromUnixTimestamp64Milli({range_end_ms:Int64}, 'UTC')
                AND (empty({tenants:Array(String)}) OR tenant IN {tenants:Array(String)})
                AND meter IN {meters:Array(String)}
            UNION ALL
            SELECT
                tenant,
                metered AS meter,
                quantity AS value,
                member,
                time,
                partition,
                position,
                item,
                epoch,
                1 AS piece
            FROM deliveries
            ARRAY JOIN
                meters AS metered,
                quantities AS quantity,
                members AS member
            WHERE is_forgotten
                AND previous_of_month IS NOT NULL
                AND metered IN {meters:Array(String)}
                AND time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
                AND time < fromUnixTimestamp64Milli({range_end_ms:Int64}, 'UTC')
        )
        GROUP BY tenant, meter, granule, kind, began, after, piece, at
    ),
    periods AS
    (
        SELECT
            tenant,
            toString(meter) AS meter,
            groupArray((window_start, window_end)) AS own
        FROM compared_counters
        WHERE slice = {slice:String}
            AND window_kind = 'billing_period'
            AND {has_anniversaries:Bool}
        GROUP BY tenant, meter
    ),
    used AS
    (
        SELECT
            tenant,
            meter,
            arrayJoin(
                splitByChar(',', transform(meter, {meters:Array(String)}, {kinds:Array(String)}, ''))
            ) AS window_kind,
            multiIf(
                window_kind = 'hour', toStartOfHour(began),
                window_kind = 'day', toDateTime64(toStartOfDay(began), 3, 'UTC'),
                window_kind = 'week', toDateTime64(toStartOfWeek(began, 1), 3, 'UTC'),
                arrayExists(period -> period.1 <= began AND began < period.2, own),
                arrayFirst(period -> period.1 <= began AND began < period.2, own).1,
                toDateTime64(toStartOfMonth(began), 3, 'UTC')
            ) AS window_start,
            after,
            piece,
            at,
            -- {others
            largest,
            last,
            latest,
            seen,
            -- }
            total
        FROM pieces
        LEFT ANY JOIN periods USING (tenant, meter)
    ),
    counted AS
    (
        SELECT
            c.tenant AS tenant,
            toString(c.meter) AS meter,
            toString(c.window_kind) AS window_kind,
            c.window_start AS window_start,
            c.used AS used,
            c.reached AS reached,
            greatest(everyone.position, alone.position) AS since,
            bitShiftRight(c.reached, 48) >= {current_epoch:UInt16}
                AND c.reached > transform(
                    toUInt32(c.partition), {partitions:Array(UInt32)}, {landed:Array(UInt64)}, 0
                ) AS is_ahead,
            c.window_kind = 'billing_period'
                AND arrayCount(
                    period -> period.1 < c.window_end AND c.window_start < period.2, p.own
                ) > 1 AS is_overlapped
        FROM (SELECT *, '' AS nobody FROM compared_counters WHERE slice = {slice:String}) AS c
        LEFT ANY JOIN periods AS p ON c.tenant = p.tenant AND c.meter = p.meter
        ASOF LEFT JOIN rebuilds AS everyone
            ON c.partition = everyone.partition AND c.meter = everyone.meter
            AND c.nobody = everyone.tenant AND c.state_offset > everyone.state_offset
        ASOF LEFT JOIN rebuilds AS alone
            ON c.partition = alone.partition AND c.meter = alone.meter
            AND c.tenant = alone.tenant AND c.state_offset > alone.state_offset
        WHERE c.meter IN {meters:Array(String)}
            AND (empty({tenants:Array(String)}) OR c.tenant IN {tenants:Array(String)})
    ),
    transform(meter, {meters:Array(String)}, {aggregations:Array(String)}, '') AS aggregation,
    u.after < greatest(c.reached, 1) AS is_read,
    is_read AND u.piece IN (0, 2) AS is_stored,
    is_read AND (u.piece = 0 OR u.piece = 1 AND u.at >= c.since OR u.piece = 2 AND u.at < c.since)
        AS is_counted
SELECT
    tenant,
    meter,
    window_kind,
    toUnixTimestamp64Milli(window_start) AS start_ms,
    toInt64(clamp(any(c.used) * 1000000, -9223372036854775807, 9223372036854775807)) AS counter_micro,
    toInt64(clamp(
        -- {others
        multiIf(
            aggregation = 'max', maxIf(u.largest, is_stored),
            aggregation = 'latest', argMaxIf(u.latest, u.last, is_stored),
            aggregation = 'unique_count',
            toDecimal64(least(uniqExactMergeIf(u.seen, is_stored), 1000), 6),
        -- }
        sumIf(u.total, is_stored)
        -- {others
        )
        -- }
        * 1000000,
        -9223372036854775807,
        9223372036854775807
    )) AS warehouse_micro,
    toInt64(clamp(
        -- {others
        multiIf(
            aggregation = 'max', maxIf(u.largest, is_counted),
            aggregation = 'latest', argMaxIf(u.latest, u.last, is_counted),
            aggregation = 'unique_count',
            toDecimal64(least(uniqExactMergeIf(u.seen, is_counted), 1000), 6),
        -- }
        sumIf(u.total, is_counted)
        -- {others
        )
        -- }
        * 1000000,
        -9223372036854775807,
        9223372036854775807
    )) - warehouse_micro AS beyond_window_micro
FROM used AS u
FULL JOIN counted AS c USING (tenant, meter, window_kind, window_start)
WHERE window_start >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND window_start < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
    AND NOT c.is_ahead
    AND NOT c.is_overlapped
    AND
    (
        c.reached > 0
        OR start_ms >= transform(
            concat(meter, ' ', window_kind), {windows:Array(String)}, {firsts:Array(Int64)}, 0
        )
    )
GROUP BY tenant, meter, window_kind, window_start
SETTINGS
    do_not_merge_across_partitions_select_final = 1,
    enable_extended_results_for_datetime_functions = 1,
    join_use_nulls = 0
