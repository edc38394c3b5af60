-- Usage that no invoice can hold: of a type that no meter reads, or of a tenant without a
-- subscription at the event's time, or with a paused one.
CREATE OR REPLACE VIEW unpriced_usage AS
SELECT
    'no_subscription' AS reason,
    tenant,
    meter,
    model,
    type,
    time,
    value AS quantity,
    source,
    id
FROM metered_usage AS m FINAL
LEFT JOIN (SELECT tenant, starts, ends, phases FROM subscriptions_mirror FINAL) AS s ON m.tenant = s.tenant
WHERE NOT is_left_out
    AND NOT arrayExists(
        (start, stop, phase) -> start <= time AND time < stop AND phase != 'paused',
        starts, ends, phases
    )
UNION ALL
SELECT
    'no_meter' AS reason,
    tenant,
    '' AS meter,
    model,
    type,
    time,
    toDecimal64(0, 6) AS quantity,
    source,
    id
FROM usage_events FINAL
WHERE empty(meters) AND NOT repeated
ORDER BY tenant, event_key, ver DESC
LIMIT 1 BY tenant, event_key
SETTINGS do_not_merge_across_partitions_select_final = 1
