-- Deliveries of some tenants that are stored as the first of their month and were not counted: the
-- same id came with a time in another month, at most two buckets of `dedupe_window` offsets before.
SELECT concat(toString(ver), ' ', toString(item), ' ', tenant)
FROM
(
    SELECT
        tenant,
        ver,
        item,
        epoch,
        offset,
        lagInFrame(toNullable(position)) OVER (
            PARTITION BY tenant, event_key
            ORDER BY position, item, length(meters) + length(left_out) DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS previous,
        lagInFrame(toNullable(position)) OVER (
            PARTITION BY tenant, event_key, toYYYYMM(time)
            ORDER BY position, item, length(meters) + length(left_out) DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS previous_of_month
    FROM usage_events
    WHERE tenant IN {tenants:Array(String)}
        AND (tenant, event_key) IN
        (
            SELECT
                tenant,
                event_key
            FROM usage_events
            WHERE tenant IN {tenants:Array(String)}
            GROUP BY tenant, event_key
            HAVING min(toYYYYMM(time)) != max(toYYYYMM(time))
        )
)
WHERE previous IS NOT NULL
    AND previous_of_month IS NULL
    AND bitShiftRight(previous, 48) = epoch
    AND intDiv(bitAnd(previous, 281474976710655), {dedupe_window:UInt64}) + 1
        >= intDiv(offset, {dedupe_window:UInt64})
