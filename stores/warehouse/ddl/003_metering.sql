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
    false AS is_left_out,
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
    meters AS meter,
    quantities AS value,
    members AS member,
    dimensions AS dimension
WHERE NOT repeated
