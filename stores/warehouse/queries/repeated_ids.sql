-- Ids with usage in a month as of a cut, and in the month before or after: a month counts an id once,
-- two months count it twice. `keys` and `ends` are the vector as in usage.sql. By tenant and other
-- month, with one id as an example.
SELECT
    tenant,
    toUInt32(other) AS other_month,
    toInt64(count()) AS ids,
    argMin(source, (source, id)) AS first_source,
    argMin(id, (source, id)) AS first_id
FROM
(
    SELECT
        tenant,
        any(usage_events.source) AS source,
        any(usage_events.id) AS id,
        groupUniqArray(toYYYYMM(time)) AS months
    FROM usage_events
    WHERE time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND time < fromUnixTimestamp64Milli({until_ms:Int64}, 'UTC')
        AND offset < transform(
            bitOr(bitShiftLeft(toUInt32(epoch), 16), toUInt32(partition)),
            {keys:Array(UInt32)},
            {ends:Array(UInt64)},
            toUInt64(0)
        )
        AND notEmpty(meters)
    GROUP BY tenant, event_key
    HAVING length(months) > 1 AND has(months, {month:UInt32})
)
ARRAY JOIN arrayFilter(it -> it != {month:UInt32}, months) AS other
GROUP BY tenant, other
ORDER BY tenant, other
SETTINGS optimize_aggregation_in_order = 1
