-- Usage rows added up: one for each tenant, meter, segment and value, in their order.
-- Tables: usage; clamped.sql has the macro.
SELECT
    tenant,
    meter,
    segment,
    value,
    clamped(sum(quantity_micro)) AS quantity_micro,
    sum(events) AS events
FROM usage
GROUP BY tenant, meter, segment, value
ORDER BY tenant, meter, segment, value
