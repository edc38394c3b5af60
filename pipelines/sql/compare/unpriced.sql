-- Usage that no invoice line bills: outside any subscription, or of a meter that the subscription's
-- price lists only count; pipelines.checks.reconciliation.unpriced_quantities is the specification.
-- Tables: usage, parts (from parts.sql), price_lists, priced. Price lists that price the same meters
-- are of one kind: nearly every tenant has one.
CREATE TABLE unpriced AS
WITH
tenants AS (
    SELECT tenant, min(kind) AS kind, max(kind) AS last_kind
    FROM parts
    JOIN price_lists USING (catalog_version)
    GROUP BY tenant
),
by_several AS (
    SELECT DISTINCT parts.tenant, priced.meter
    FROM parts
    JOIN tenants USING (tenant)
    JOIN price_lists USING (catalog_version)
    JOIN priced ON priced.kind = price_lists.kind
    WHERE tenants.kind <> tenants.last_kind
)
SELECT usage.tenant, usage.meter, clamped(sum(usage.quantity_micro)) AS quantity_micro
FROM usage
LEFT JOIN parts USING (tenant, segment)
LEFT JOIN tenants USING (tenant)
LEFT JOIN priced ON priced.kind = tenants.kind AND priced.meter = usage.meter
LEFT JOIN by_several ON by_several.tenant = usage.tenant AND by_several.meter = usage.meter
WHERE parts.tenant IS NULL OR coalesce(priced.meter, by_several.meter) IS NULL
GROUP BY usage.tenant, usage.meter
