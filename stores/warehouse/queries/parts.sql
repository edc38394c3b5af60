-- Usage of the tenants of one partition up to a cut, added up by parts of time: what counters of any
-- window can be made of. A topic before the live one counts in full; there, a tenant is known to
-- belong to the partition by Kafka's own hash of its name.
SELECT
    tenant,
    meter,
    toUnixTimestamp64Milli(began) AS began_ms,
    toInt128( -- a sum may be more than any column holds; Python's integers hold it
        multiIf(
            aggregation = 'max', max(value),
            aggregation = 'latest', argMax(value, (time, position, item)),
            sum(value)
        ) * 1000000
    ) AS micro,
    toUnixTimestamp64Milli(max(time)) AS last_ms,
    if(aggregation = 'unique_count', groupUniqArray(1000)(member), []) AS members
FROM
(
    SELECT
        tenant,
        toString(meter) AS meter,
        value,
        member,
        time,
        position,
        item,
        transform(meter, {meters:Array(String)}, {aggregations:Array(String)}, '') AS aggregation,
        transform(meter, {meters:Array(String)}, {granules:Array(String)}, '') AS granule,
        multiIf(
            granule = 'hour', toStartOfHour(time),
            granule = 'day', toDateTime64(toStartOfDay(time), 3, 'UTC'),
            toDateTime64(toStartOfMonth(time), 3, 'UTC')
        ) AS began
    FROM metered_usage FINAL
    WHERE NOT is_left_out
        AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND meter IN {meters:Array(String)}
        AND (empty({tenants:Array(String)}) OR tenant IN {tenants:Array(String)})
        AND
        (
            epoch = {epoch:UInt16} AND partition = {partition:UInt16} AND offset < {offset:UInt64}
            OR epoch < {epoch:UInt16}
                AND bitAnd(kafkaMurmurHash(tenant), 2147483647) % {partitions:UInt16}
                    = {partition:UInt16}
        )
)
GROUP BY tenant, meter, aggregation, began
ORDER BY tenant, meter, began
SETTINGS
    do_not_merge_across_partitions_select_final = 1,
    enable_extended_results_for_datetime_functions = 1
