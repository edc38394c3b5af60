-- A month's usage of time_weighted `meters`, as of a cut (see usage.sql): value times hours, in exact
-- integers of 1e-6 units and milliseconds; pipelines.usage.metering is the specification.
--
-- From its start to an instant `until` a gauge's integral is the sum of change * (until - changed):
-- so the sums of change and of change * changed, added up by segment, give it at every segment's end.
WITH
    cut_bounds AS
    (
        SELECT
            tenant,
            bounds
        FROM closing_bounds
        WHERE slice = {slice:String}
    ),
    readings AS
    (
        SELECT
            tenant,
            toString(meter) AS meter,
            toString(dimension) AS value,
            time,
            position,
            item,
            toInt128(toDecimal128(metered_usage.value, 6) * 1000000) AS micro,
            1 AS events
        FROM metered_usage FINAL
        PREWHERE meter IN {meters:Array(String)}
        WHERE NOT is_left_out
            AND time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
            AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
            AND (NOT {is_chosen:Bool} OR tenant IN (SELECT tenant FROM closing_bounds WHERE slice = {slice:String}))
            AND offset < transform(
                bitOr(bitShiftLeft(toUInt32(epoch), 16), toUInt32(partition)),
                {keys:Array(UInt32)},
                {ends:Array(UInt64)},
                toUInt64(0)
            )
        UNION ALL
        -- What was read last before the month, however long ago, still holds when it begins.
        SELECT
            tenant,
            toString(meter) AS meter,
            toString(dimension) AS value,
            fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC') AS time,
            toUInt64(0) AS position,
            toUInt32(0) AS item,
            toInt128(
                toDecimal128(
                    argMax(
                        metered_usage.value,
                        (metered_usage.time, metered_usage.position, metered_usage.item)
                    ),
                    6
                ) * 1000000
            ) AS micro,
            0 AS events
        FROM metered_usage FINAL
        PREWHERE meter IN {meters:Array(String)}
        WHERE NOT is_left_out
            AND metered_usage.time < fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
            AND (NOT {is_chosen:Bool} OR tenant IN (SELECT tenant FROM closing_bounds WHERE slice = {slice:String}))
            AND offset < transform(
                bitOr(bitShiftLeft(toUInt32(epoch), 16), toUInt32(partition)),
                {keys:Array(UInt32)},
                {ends:Array(UInt64)},
                toUInt64(0)
            )
        GROUP BY tenant, meter, value
    ),
    changes AS
    (
        SELECT
            tenant,
            meter,
            value,
            time,
            events,
            toUnixTimestamp64Milli(time) - {start_ms:Int64} AS after_ms,
            micro - lagInFrame(micro, 1, toInt128(0)) OVER (
                PARTITION BY tenant, meter, value
                ORDER BY time, events, position, item
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS change
        FROM readings
    ),
    pieces AS
    (
        SELECT
            c.tenant AS tenant,
            c.meter AS meter,
            c.value AS value,
            arrayCount(bound -> bound <= c.time, b.bounds) AS segment,
            toInt64(c.events) AS events,
            c.change AS change,
            c.change * c.after_ms AS change_ms
        FROM changes AS c
        LEFT ANY JOIN cut_bounds AS b ON c.tenant = b.tenant
        UNION ALL
        -- A gauge goes on in segments without a reading.
        SELECT
            c.tenant AS tenant,
            c.meter AS meter,
            c.value AS value,
            arrayJoin(range(length(b.bounds) + 1)) AS segment,
            toInt64(0) AS events,
            toInt128(0) AS change,
            toInt128(0) AS change_ms
        FROM (SELECT DISTINCT tenant, meter, value FROM readings) AS c
        LEFT ANY JOIN cut_bounds AS b ON c.tenant = b.tenant
    ),
    segments AS
    (
        SELECT
            tenant,
            meter,
            value,
            segment,
            sum(events) AS events,
            sum(change) AS change,
            sum(change_ms) AS change_ms
        FROM pieces
        GROUP BY tenant, meter, value, segment
    ),
    running AS
    (
        SELECT
            s.tenant AS tenant,
            s.meter AS meter,
            s.value AS value,
            s.segment AS segment,
            s.events AS events,
            if(
                s.segment < length(b.bounds),
                toUnixTimestamp64Milli(b.bounds[s.segment + 1]),
                {end_ms:Int64}
            ) - {start_ms:Int64} AS until_ms,
            sum(s.change) OVER so_far * until_ms - sum(s.change_ms) OVER so_far AS micro_ms,
            -- Floored to 1e-6 unit hours; the engine's own division cuts.
            if(
                micro_ms < 0,
                -intDiv(3600000 - 1 - micro_ms, 3600000),
                intDiv(micro_ms, 3600000)
            ) AS reached_micro
        FROM segments AS s
        LEFT ANY JOIN cut_bounds AS b ON s.tenant = b.tenant
        WINDOW so_far AS (
            PARTITION BY s.tenant, s.meter, s.value
            ORDER BY s.segment
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
    ),
    added AS
    (
        SELECT
            tenant,
            meter,
            toInt32(segment) AS segment,
            value,
            toInt64(clamp( -- as in usage.sql
                reached_micro - lagInFrame(reached_micro, 1, toInt128(0)) OVER (
                    PARTITION BY tenant, meter, value
                    ORDER BY segment
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
                ),
                -9223372036854775807,
                9223372036854775807
            )) AS quantity_micro,
            events
        FROM running
    )
SELECT
    tenant,
    meter,
    segment,
    value,
    quantity_micro,
    events
FROM added
WHERE events > 0 OR quantity_micro != 0
SETTINGS do_not_merge_across_partitions_select_final = 1
