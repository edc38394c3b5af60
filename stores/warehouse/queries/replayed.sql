-- Rows of a replayed file that are in the warehouse, with how often each was delivered.
SELECT
    toUInt64OrZero(any(id)) AS row_number,
    uniqExact(ver, item) AS deliveries,
    tenant,
    replaceOne(toString(any(time)), ' ', 'T') || 'Z' AS instant
FROM usage_events
WHERE source = {source:String}
GROUP BY tenant, event_key
