-- A month's usage of meters that do not add up, as of a cut (see usage.sql): `meters` and their
-- `aggregations` max, min, latest, avg or unique_count; pipelines.usage.metering is the specification.
-- A segment's usage is what it adds to the aggregate from the month's start.
WITH
    pieces AS
    (
        SELECT
            u.tenant AS tenant,
            u.meter AS meter,
            toInt32(arrayCount(bound -> bound <= u.time, b.bounds)) AS segment,
            count() AS events,
            sum(u.value) AS total,
            max(u.value) AS largest,
            min(u.value) AS smallest,
            max((u.time, u.position, u.item)) AS last,
            argMax(u.value, (u.time, u.position, u.item)) AS latest,
            uniqExactState(u.member) AS seen
        FROM
        (
            SELECT
                tenant,
                toString(meter) AS meter,
                value,
                member,
                time,
                position,
                item
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
    ),
    running AS
    (
        SELECT
            tenant,
            meter,
            segment,
            events,
            transform(meter, {meters:Array(String)}, {aggregations:Array(String)}, '') AS aggregation,
            sum(events) OVER so_far AS number,
            toInt128(sum(total) OVER so_far * 1000000) AS total_micro,
            multiIf(
                aggregation = 'max', toInt128(toDecimal128(max(largest) OVER so_far, 6) * 1000000),
                aggregation = 'min', toInt128(toDecimal128(min(smallest) OVER so_far, 6) * 1000000),
                aggregation = 'latest',
                toInt128(toDecimal128(argMax(latest, last) OVER so_far, 6) * 1000000),
                aggregation = 'unique_count', toInt128(uniqExactMerge(seen) OVER so_far) * 1000000,
                -- Half away from zero; the engine's own division of decimals cuts.
                toInt128(sign(total_micro))
                    * toInt128(intDiv(2 * abs(total_micro) + number, 2 * number))
            ) AS reached_micro
        FROM pieces
        WINDOW so_far AS (
            PARTITION BY tenant, meter
            ORDER BY segment
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
    )
SELECT
    tenant,
    meter,
    segment,
    '' AS value,
    accurateCast(
        reached_micro - lagInFrame(reached_micro, 1, toInt128(0)) OVER (
            PARTITION BY tenant, meter
            ORDER BY segment
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ),
        'Int64'
    ) AS quantity_micro,
    toInt64(events) AS events
FROM running
SETTINGS do_not_merge_across_partitions_select_final = 1
