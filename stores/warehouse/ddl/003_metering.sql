-- Fills metered_usage inside the insert into usage_events. It adds nothing up: a repeated insert
-- meets the same key and version, and vanishes.
CREATE MATERIALIZED VIEW IF NOT EXISTS metering TO metered_usage AS
SELECT
    tenant,
    event_key,
    meter,
    value,
    member,
    dimension,
    is_left_out,
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
ARRAY JOIN
    arrayConcat(meters, left_out) AS meter,
    arrayResize(quantities, length(meters) + length(left_out)) AS value,
    arrayResize(members, length(meters) + length(left_out)) AS member,
    arrayResize(dimensions, length(meters) + length(left_out)) AS dimension,
    arrayConcat(arrayWithConstant(length(meters), false), arrayWithConstant(length(left_out), true))
        AS is_left_out
WHERE NOT repeated
