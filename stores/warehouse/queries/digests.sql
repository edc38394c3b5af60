-- The digest of the events of each tenant, meter, segment and value, as of a cut (see usage.sql);
-- schemas.evidence says what a digest is. `whole` are meters whose values are not told apart.
SELECT
    tenant,
    meter,
    segment,
    value,
    concat(
        leftPad(lower(hex(sum(reinterpretAsUInt64(reverse(substring(hashed, 1, 8)))))), 16, '0'),
        leftPad(lower(hex(sum(reinterpretAsUInt64(reverse(substring(hashed, 9, 8)))))), 16, '0')
    ) AS events_digest
FROM
(
    SELECT
        u.tenant AS tenant,
        toString(u.meter) AS meter,
        toInt32(arrayCount(bound -> bound <= u.time, b.bounds)) AS segment,
        if(has({whole:Array(String)}, meter), '', toString(u.dimension)) AS value,
        u.hashed AS hashed
    FROM
    (
        SELECT
            tenant,
            meter,
            dimension,
            time,
            SHA256(concat(
                lower(hex(event_key)), '\t',
                toString(toUnixTimestamp64Milli(time)), '\t',
                toString(reinterpretAsInt64(value)), '\t',
                dimension, '\t',
                member
            )) AS hashed
        FROM metered_usage FINAL
        WHERE time >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
            AND time < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
            AND offset < transform(
                bitOr(bitShiftLeft(toUInt32(epoch), 16), toUInt32(partition)),
                {keys:Array(UInt32)},
                {ends:Array(UInt64)},
                toUInt64(0)
            )
            AND NOT is_left_out
            AND (
                NOT {only_bounded:Bool}
                OR tenant IN (SELECT tenant FROM closing_bounds WHERE slice = {slice:String})
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
)
GROUP BY tenant, meter, segment, value
SETTINGS do_not_merge_across_partitions_select_final = 1
