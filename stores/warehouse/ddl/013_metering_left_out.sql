-- Fills metered_usage, as `metering` does, with what meters leave out: so no later delivery counts.
CREATE MATERIALIZED VIEW IF NOT EXISTS metering_left_out TO metered_usage AS
SELECT
    tenant,
    event_key,
    meter,
    toDecimal64(0, 6) AS value,
    '' AS member,
    '' AS dimension,
    true AS is_left_out,
    model,
    type,
    source,
    id,
    time,
    partition,
    ver,
    item,
    arrived
FROM usage_events
ARRAY JOIN left_out AS meter
WHERE NOT repeated
