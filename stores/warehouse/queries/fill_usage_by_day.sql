-- A month's usage by day into a table beside usage_by_day, which takes it over as a partition.
INSERT INTO {beside:Identifier} (day, tenant, meter, model, quantity, events, filled)
SELECT
    day,
    tenant,
    meter,
    model,
    quantity,
    events,
    fromUnixTimestamp64Milli({filled_ms:Int64}, 'UTC')
FROM usage_daily
WHERE day >= toDate(fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC'))
    AND day < toDate(fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC'))
