-- Ids that were delivered with more than one content (type, time, metered values): the first counts.
CREATE OR REPLACE VIEW conflicts AS
SELECT
    tenant,
    any(usage_events.source) AS source,
    any(usage_events.id) AS id,
    uniqExact(content_hash) AS contents,
    uniqExact(ver, item) AS deliveries,
    argMin(quantities, (bitNot(ver), item)) AS first_quantities,
    argMax(quantities, (bitNot(ver), item)) AS last_quantities,
    min(usage_events.arrived) AS first_arrived,
    max(usage_events.arrived) AS last_arrived
FROM usage_events
GROUP BY tenant, event_key
HAVING min(content_hash) != max(content_hash)
SETTINGS optimize_aggregation_in_order = 1
