-- What tenants have used in a month so far, each event once; an empty tenant or meter is all.
SELECT
    tenant,
    meter,
    sum(quantity) AS used,
    count() AS events,
    max(time) AS last_event
FROM usage
WHERE time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
    AND ({tenant:String} = '' OR tenant = {tenant:String})
    AND ({meter:String} = '' OR meter = {meter:String})
GROUP BY tenant, meter
ORDER BY tenant, meter
